import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// What is refused, held and marked, with the shipped rules and the built-in scanner.
    @Suite("Refusal in session", .serialized)
    struct Refusal {
        private let server: RecordingMailServer
        private let gateway: ProgramUnderTest

        init() throws {
            self.server = try RecordingMailServer()
            var file = GatewayFile(downstream: self.server.port)
            file.policy = ["tag_score: 5", "hold_score: 8", "reject_score: 15", "virus: reject"]
            self.gateway = try ProgramUnderTest(file)
        }

        private func send(_ mail: TestMail) throws -> SMTPTestClient.Reply {
            try SMTPTestClient(port: self.gateway.port).send(mail.octets)
        }

        @Test(
            "the virus test file is refused by name, in base64 and in archives",
            .enabled(if: TestMail.canZip, "zip is not installed")
        )
        func viruses() throws {
            let zip = try TestMail.zip(TestMail.eicar, name: "test.com")
            for (attachment, name) in [
                (TestMail.eicar, "notes.bin"), (zip, "notes.zip"), (try TestMail.zip(zip, name: "inner.zip"), "outer.zip"),
            ] {
                #expect(name == "notes.bin" || attachment.firstRange(of: TestMail.eicar) == nil, "the archive hides nothing")
                let reply = try self.send(TestMail(attachment: attachment, name: name))
                #expect(reply.isPermanent && reply.text.contains("Eicar-Test-Signature"), "\(name): \(reply)")
            }
            #expect(self.server.messages.isEmpty)
        }

        @Test("the junk test text is refused, a doubtful score is marked or held")
        func scores() throws {
            let reply = try self.send(TestMail(text: "Hello\r\n\(TestMail.gtube)\r\n"))
            #expect(reply.text.hasPrefix("550 5.7.1"), "\(reply)")
            for (sample, sender, disposition) in [
                ("06-doubtful.eml", "prize@lottery.example", "tag"), ("07-suspicious.eml", "helpdesk@support.example", "hold"),
            ] {
                let count = self.server.messages.count
                let reply = try SMTPTestClient(port: self.gateway.port).send(try TestMail.sample(sample), from: sender)
                #expect(reply.code == 250, "\(sample): \(reply)")
                try self.gateway.waitForLog("disposition=\(disposition)", within: .seconds(5))
                #expect(self.server.messages.count - count == (disposition == "tag" ? 1 : 0))
            }
            let marked = String(decoding: self.server.messages.last?.octets ?? [], as: UTF8.self)
            #expect(marked.hasPrefix("X-Spam-Flag: YES\r\n") && marked.contains("X-Spam-Status: Yes"))
        }

        @Test("refused mail leaves the downstream's connection usable")
        func resets() throws {
            for _ in 0..<5 {
                #expect(try self.send(TestMail(text: TestMail.gtube + "\r\n")).isPermanent)
                #expect(try self.send(TestMail()).code == 250)
            }
            #expect(self.server.messages.count == 5)
            #expect(self.server.connections <= 2 + ProcessInfo.processInfo.processorCount)
            #expect(self.server.commands.contains("RSET"))
        }
    }
}
