import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// A client that has not heard the reply sends its message again.
    @Suite("Once", .serialized)
    struct Once {
        /// Sends a message and is gone before the reply.
        private func sendAndLeave(_ mail: TestMail, _ port: Int, to: [String] = ["bob@example.com"]) throws {
            let client = try SMTPTestClient(port: port)
            #expect(try client.begin(to: to).code == 354)
            client.socket.write(SMTPTestClient.stuffed(mail.octets))
            usleep(100_000)
            client.socket.abort()
        }

        /// Resets the connection behind the reply, as if that had been lost on the way.
        private func sendAndReset(_ mail: TestMail, _ port: Int) throws -> SMTPTestClient.Reply {
            let client = try SMTPTestClient(port: port)
            defer { client.socket.abort() }
            return try client.send(mail.octets)
        }

        private func sendAndQuit(_ mail: TestMail, _ port: Int, from: String = "ann@sender.example") throws -> String {
            let client = try SMTPTestClient(port: port)
            defer { client.quit() }
            return try client.send(mail.octets, from: from).text
        }

        /// Takes its time to answer to a message.
        private static func slowServer() throws -> RecordingMailServer {
            try RecordingMailServer { line, _ in
                if line == "." { usleep(500_000) }
                return .usual
            }
        }

        @Test("a client that was gone before the reply is told the same when it comes again, and the message is not doubled")
        func gone() throws {
            let server = try Self.slowServer()
            let gateway = try ProgramUnderTest(.bare(downstream: server.port))
            let mail = TestMail()
            try self.sendAndLeave(mail, gateway.port)
            // While the first is still on its way.
            let early = try SMTPTestClient(port: gateway.port).send(mail.octets)
            #expect(early.isTransient && early.text.contains("being delivered already"), "\(early)")
            try gateway.waitForLog("queued as R1")
            // A restart does not forget.
            gateway.process.signal(SIGKILL)
            gateway.process.waitForExit()
            try gateway.startAgain()
            // Another sender, other octets: other messages.
            #expect(try self.sendAndQuit(mail, gateway.port, from: "eve@sender.example").contains("R2"))
            #expect(try self.sendAndQuit(TestMail(), gateway.port).contains("R3"))
            #expect(try self.sendAndQuit(mail, gateway.port) == "250 2.0.0 queued as R1")
            try gateway.waitForLog("repeats=")
            #expect(server.messages.count == 3)
            // Now that it knows, the same once more is a new message.
            #expect(try self.sendAndQuit(mail, gateway.port).contains("R4"))
        }

        @Test("who has heard the reply and sends the same again means it: with QUIT, in one session, and when it only closes")
        func heard() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(.bare(downstream: server.port))
            let mail = TestMail()
            #expect(try self.sendAndQuit(mail, gateway.port).contains("R1"))
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(mail.octets).text.contains("R2"))
            #expect(try client.send(mail.octets).text.contains("R3"))
            client.socket.endOutput()
            try gateway.waitForLog("lost after end of data")
            #expect(try self.sendAndQuit(mail, gateway.port).contains("R4"))
            // Everything at once, QUIT included, and no reply is waited for in between.
            for number in 5...6 {
                let client = try SMTPTestClient(port: gateway.port)
                client.socket.write("MAIL FROM:<ann@sender.example>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")
                for _ in 0..<3 { _ = try client.reply() }
                client.socket.write(SMTPTestClient.stuffed(mail.octets) + Array("QUIT\r\n".utf8))
                #expect(try client.reply().text.contains("R\(number)"))
                #expect(try client.reply().code == 221)
            }
        }

        @Test("the same from many clients at once is not one client's retry")
        func parallel() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(.bare(downstream: server.port))
            let mail = TestMail()
            let clients = try (0..<20).map { _ in try SMTPTestClient(port: gateway.port) }
            for client in clients { #expect(try client.begin().code == 354) }
            for client in clients { client.socket.write(SMTPTestClient.stuffed(mail.octets)) }
            for client in clients { #expect(try client.reply().code == 250) }
            #expect(server.messages.count == clients.count)
        }

        @Test("a retry with more recipients goes to the new ones alone")
        func moreRecipients() throws {
            let server = try Self.slowServer()
            let gateway = try ProgramUnderTest(.bare(downstream: server.port))
            let mail = TestMail()
            try self.sendAndLeave(mail, gateway.port)
            try gateway.waitForLog("disposition=deliver")
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(mail.octets, to: ["BOB@example.com", "eve@example.com"]).code == 250)
            #expect(server.messages.map(\.to) == [["bob@example.com"], ["eve@example.com"]])
        }

        @Test("what was stored while its client left is not stored again: in the spool, and in the quarantine")
        func stored() throws {
            var file = GatewayFile.bare(downstream: try LoopbackSocket.freePort(.v4))
            file.domain += ["when_downstream_is_away: spool"]
            let rules = try TemporaryDirectory()
            try rules.write(Crashes.holdRule, to: "test.cf")
            file.rules = [rules.path]
            let gateway = try ProgramUnderTest(file)
            let spooled = TestMail()
            let held = TestMail(subject: "hold this")
            let first = try [spooled, held].map { try self.sendAndReset($0, gateway.port) }
            #expect(first.map(\.code) == [250, 250])
            try gateway.waitForLog("lost after")
            #expect(try [spooled, held].map { try SMTPTestClient(port: gateway.port).send($0.octets) } == first)
            for command in ["queue", "quarantine"] {
                let lines = try gateway.command([command, "list", "--format", "json"]).output.split(separator: "\n")
                #expect(lines.count == 1, "\(command)")
            }
        }

        @Test("with `ledger.remember: 0` nothing is remembered")
        func off() throws {
            let server = try Self.slowServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.top = ["ledger: {remember: 0s}"]
            let gateway = try ProgramUnderTest(file)
            let mail = TestMail()
            try self.sendAndLeave(mail, gateway.port)
            try gateway.waitForLog("disposition=deliver")
            #expect(try self.sendAndQuit(mail, gateway.port).contains("R2"))
        }
    }
}
