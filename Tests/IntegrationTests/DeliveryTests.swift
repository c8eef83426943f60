import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Clean mail to Postfix, recipients, and connections.
    @Suite(
        "Delivery to Postfix",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .postfix()
    )
    struct Delivery {
        private let postfix: PostfixInstance

        init() throws {
            self.postfix = try #require(PostfixInstance.current)
        }

        struct Body: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let octets: [UInt8]
            var fields: [String] = []
        }

        private static let bodies: [Body] = [
            Body(testDescription: "8-bit text", octets: Array("Grüße aus Köln\r\n".utf8) + [0xff, 0xfe, 0x80, 0x0d, 0x0a]),
            Body(
                testDescription: "1 MiB of base64",
                octets: Array(
                    (Data((0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) })
                        .base64EncodedString(options: [.lineLength76Characters]) + "\r\n").utf8
                ),
                fields: ["Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64"]
            ),
            Body(testDescription: "dots at line starts", octets: Array(".\r\n..\r\n...\r\n.text\r\n\r\n.\r\nend\r\n".utf8)),
            Body(testDescription: "an empty body", octets: []),
            Body(testDescription: "no line end at the end", octets: Array("first\r\nlast without end".utf8)),
            Body(
                testDescription: "long lines",
                octets: Array((String(repeating: "x", count: 997) + "\r\n" + String(repeating: "y", count: 30_000) + "\r\n").utf8)
            ),
            Body(testDescription: "empty lines at the end", octets: Array("text\r\n\r\n\r\n".utf8)),
            Body(testDescription: "tabs and trailing blanks", octets: Array("a\t \r\n \t\r\n".utf8)),
        ]

        @Test("clean mail arrives with an identical body")
        func identicalBodies() throws {
            let gateway = try ProgramUnderTest(GatewayFile(downstream: self.postfix.port))
            for body in Self.bodies {
                let mail = TestMail(fields: body.fields, body: body.octets)
                let client = try SMTPTestClient(port: gateway.port)
                let reply = try client.send(mail.octets)
                #expect(reply.code == 250 && reply.text.contains("queued as"), "\(body.testDescription): \(reply)")
                let arrived = try self.postfix.waitForMessage(mail.id)
                #expect(arrived.count == 1)
                #expect(arrived.first?.body == TestMail.stored(body.octets), "\(body.testDescription)")
                let text = arrived.first?.text ?? ""
                #expect(text.contains("\nReceived: from client.example.org"))
                #expect(text.contains("\nX-Outpost-Id: ") && text.contains("\nX-Outpost-Score: "))
                client.quit()
            }
        }

        @Test("the same bodies pass as BDAT chunks")
        func chunks() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            for body in Self.bodies where body.octets.suffix(2).elementsEqual([0x0d, 0x0a]) {
                let mail = TestMail(fields: body.fields, body: body.octets)
                let client = try SMTPTestClient(port: gateway.port)
                try client.command("MAIL FROM:<ann@sender.example>")
                try client.command("RCPT TO:<bob@example.com>")
                let half = mail.octets.count / 2
                client.socket.write(Array("BDAT \(half)\r\n".utf8) + mail.octets[..<half])
                #expect(try client.reply().code == 250)
                client.socket.write(Array("BDAT \(mail.octets.count - half) LAST\r\n".utf8) + mail.octets[half...])
                let reply = try client.reply()
                #expect(reply.code == 250, "\(body.testDescription): \(reply)")
                #expect(try self.postfix.waitForMessage(mail.id).first?.body == TestMail.stored(body.octets))
            }
        }

        @Test("swaks sees the mail accepted", .enabled(if: ChildProgram.installed("swaks") != nil, "swaks is not installed"))
        func swaks() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            let id = "\(UUID().uuidString)@swaks.example"
            let result = try ChildProgram.run(
                ChildProgram.installed("swaks") ?? "swaks",
                [
                    "--server", "127.0.0.1:\(gateway.port)", "--helo", "swaks.example", "--from", "ann@sender.example", "--to",
                    "bob@example.com", "--header", "Message-Id: <\(id)>", "--body", "one\ntwo\n.three\n",
                ]
            )
            #expect(result.status == 0, "\(result.output)")
            #expect(try self.postfix.waitForMessage(id).first?.text.contains("\none\ntwo\n.three\n") == true)
        }

        @Test("an unknown recipient is refused at RCPT with Postfix's own text")
        func unknownRecipient() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            let direct = try SMTPTestClient(port: self.postfix.port)
            let through = try SMTPTestClient(port: gateway.port)
            for client in [direct, through] { try client.command("MAIL FROM:<ann@sender.example>") }
            let wanted = try direct.command("RCPT TO:<nobody@example.com>")
            #expect(wanted.code == 550)
            #expect(try through.command("RCPT TO:<nobody@example.com>") == wanted)
            #expect(try through.command("RCPT TO:<bob@elsewhere.example>").text.hasPrefix("554 5.7.1"))
            #expect(try through.command("RCPT TO:<bob@example.com>").code == 250)
        }

        @Test("100 messages in sequence need a few connections to Postfix")
        func connectionReuse() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            let before = self.postfix.log.components(separatedBy: ": connect from").count
            for _ in 0..<100 {
                let client = try SMTPTestClient(port: gateway.port)
                #expect(try client.send(TestMail().octets).code == 250)
                client.quit()
            }
            let connections = self.postfix.log.components(separatedBy: ": connect from").count - before
            // One for the question what it can do, and one for each event loop.
            #expect(connections <= 2 + ProcessInfo.processInfo.processorCount, "\(connections) connections")
        }

        @Test("a message to 50 recipients crosses once")
        func manyRecipients() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            let mail = TestMail()
            let before = self.postfix.log.components(separatedBy: "message-id=<\(mail.id)>").count
            let reply = try SMTPTestClient(port: gateway.port).send(mail.octets, to: (0..<50).map { "u\($0)@example.com" })
            #expect(reply.code == 250)
            try Wait.until("50 copies") {
                self.postfix.delivered().count { $0.messageID == "<\(mail.id)>" && $0.mailbox.hasPrefix("u") } == 50
            }
            #expect(self.postfix.log.components(separatedBy: "message-id=<\(mail.id)>").count - before == 1)
        }

        @Test(
            "smtp-source's load is taken whole",
            .enabled(if: ChildProgram.installed("smtp-source") != nil, "smtp-source is not installed")
        )
        func load() throws {
            let gateway = try ProgramUnderTest(.bare(downstream: self.postfix.port))
            let before = self.postfix.delivered(to: "eve").count
            let result = try ChildProgram.run(
                ChildProgram.installed("smtp-source") ?? "smtp-source",
                [
                    "-s", "10", "-m", "200", "-l", "4096", "-f", "ann@sender.example", "-t", "eve@example.com",
                    "127.0.0.1:\(gateway.port)",
                ]
            )
            #expect(result.status == 0, "\(result.errors)")
            try Wait.until("200 messages") { self.postfix.delivered(to: "eve").count - before == 200 }
        }
    }
}
