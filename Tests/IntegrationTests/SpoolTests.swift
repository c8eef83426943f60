import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// What becomes of mail for a server that stays away.
    @Suite("Spool", .serialized)
    struct Spool {
        private let relay: RecordingMailServer
        private let gateway: ProgramUnderTest

        init() throws {
            self.relay = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: try LoopbackSocket.freePort(.v4))
            file.domain += ["when_downstream_is_away: spool"]
            file.top = [
                "spool: {expire_after: 20s, delay_warning_after: 1s, relay: [\"127.0.0.1:\(self.relay.port)\"]}"
            ]
            self.gateway = try ProgramUnderTest(file)
        }

        /// The message as Python's `email` reads it: types of its parts, its defects, and fields of the delivery report.
        private static let reader = """
            import email, email.policy, sys
            m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
            report = [p for p in m.walk() if p.get_content_type() == "message/delivery-status"][0].get_payload()
            print(m.get_content_type(), m["auto-submitted"], len(m.defects), report[1]["action"], report[1]["final-recipient"],
                  report[1]["original-recipient"], report[0]["original-envelope-id"])
            """

        @Test("a sender is told once of the delay and once of the failure, and a bounce is kept for the administrator")
        func notices() throws {
            let mail = TestMail()
            #expect(try SMTPTestClient(port: self.gateway.port).send(mail.octets, from: "ann@sender.example").code == 250)
            #expect(try SMTPTestClient(port: self.gateway.port).send(TestMail().octets, from: "").code == 250)
            try Wait.until("both notices and the end", within: .seconds(60)) {
                try self.relay.messages.count >= 2
                    && self.gateway.command(["queue", "list", "--format", "json"]).output.isEmpty
            }
            #expect(self.relay.messages.count == 2)
            #expect(
                self.relay.messages.allSatisfy {
                    ["", "<>"].contains($0.from) && $0.to.count == 1 && $0.to[0].contains("ann@sender.example")
                }
            )
            let facts = try self.relay.messages.map {
                try ChildProgram.run("/usr/bin/python3", ["-c", Self.reader], input: $0.octets).output
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            }
            #expect(
                facts.sorted() == [
                    "multipart/report auto-replied 0 delayed rfc822; bob@example.com None None",
                    "multipart/report auto-replied 0 failed rfc822; bob@example.com None None",
                ]
            )
            for notice in self.relay.messages {
                #expect(!String(decoding: notice.octets, as: UTF8.self).contains("Connection errors"), "hosts behind the gateway")
            }
            let held = try self.gateway.command(["quarantine", "list", "--format", "json"]).output
            #expect(held.split(separator: "\n").count == 1)
        }

        @Test("a full spool takes no more, before the message is sent")
        func full() throws {
            #expect(try SMTPTestClient(port: self.gateway.port).send(TestMail().octets).code == 250)
            var file = GatewayFile.bare(downstream: try LoopbackSocket.freePort(.v4))
            file.domain += ["when_downstream_is_away: spool"]
            file.top = ["spool: {max_messages: 1}"]
            let small = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: small.port).send(TestMail().octets).code == 250)
            try Wait.until("the spool to be seen full") {
                let client = try SMTPTestClient(port: small.port)
                let reply = try client.send(TestMail().octets)
                return reply.code == 452 && reply.text.contains("4.3.1")
            }
        }
    }
}
