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

        /// A gateway whose mail server was there once and is away now, and the port of that server.
        private func spooling(
            extensions: [String] = RecordingMailServer.usualExtensions,
            top: [String] = []
        ) throws -> (gateway: ProgramUnderTest, port: Int) {
            let server = try RecordingMailServer(extensions: extensions)
            var file = GatewayFile.bare(downstream: server.port)
            file.domain += ["when_downstream_is_away: spool"]
            file.top = ["spool: {relay: [\"127.0.0.1:\(self.relay.port)\"]}"] + top
            let gateway = try ProgramUnderTest(file)
            server.stop()
            return (gateway, server.port)
        }

        private func waitForEmptySpool(_ gateway: ProgramUnderTest) throws {
            try Wait.until("an empty spool", within: .seconds(40)) {
                try gateway.command(["queue", "list", "--format", "json"]).output.isEmpty
            }
        }

        @Test("who asked is told by us that its message was passed on, unless the server does that", arguments: [false, true])
        func success(offersDSN: Bool) throws {
            let usual = RecordingMailServer.usualExtensions
            let (gateway, port) = try self.spooling(extensions: usual + ["DSN"])
            let client = try SMTPTestClient(port: gateway.port)
            for sender in ["ann@sender.example", ""] {
                #expect(try client.command("MAIL FROM:<\(sender)> RET=FULL ENVID=QQ314159").code == 250)
                for (recipient, notify) in [("bob", "SUCCESS,FAILURE"), ("eve", "SUCCESS"), ("u0", "FAILURE"), ("u1", "NEVER")] {
                    let line = "RCPT TO:<\(recipient)@example.com> NOTIFY=\(notify) ORCPT=rfc822;\(recipient)@old.example"
                    #expect(try client.command(line).code == 250)
                }
                #expect(try client.command("DATA").code == 354)
                client.socket.write(SMTPTestClient.stuffed(TestMail().octets))
                #expect(try client.reply().code == 250)
            }
            let server = try RecordingMailServer(port: port, extensions: offersDSN ? usual + ["DSN"] : usual)
            try Wait.until("delivery", within: .seconds(40)) { server.messages.count == 2 }
            try self.waitForEmptySpool(gateway)
            let asked = server.commands.filter { $0.contains("NOTIFY=") || $0.contains("ENVID=") }
            #expect(asked.count == (offersDSN ? 10 : 0))
            guard !offersDSN else {
                #expect(self.relay.messages.isEmpty)
                return
            }
            #expect(self.relay.messages.count == 1)
            let notice = try #require(self.relay.messages.first)
            #expect(notice.to == ["ann@sender.example"])
            let read = try ChildProgram.run("/usr/bin/python3", ["-c", Self.reader], input: notice.octets).output
            #expect(read == "multipart/report auto-replied 0 relayed rfc822; bob@example.com rfc822; bob@old.example QQ314159\n")
            let text = String(decoding: notice.octets, as: UTF8.self)
            #expect(text.contains("rfc822; eve@example.com"))
            #expect(!text.contains("rfc822; u0@example.com") && !text.contains("rfc822; u1@example.com"))
        }

        @Test("a message on which the server hangs up does not stand in the way of the others of its route")
        func hangingUp() throws {
            let (gateway, port) = try self.spooling()
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(TestMail().octets, from: "poison@sender.example").code == 250)
            for number in 0..<5 { #expect(try client.send(TestMail().octets, from: "a\(number)@sender.example").code == 250) }
            let server = try RecordingMailServer(port: port) { command, from in
                command == "DATA" && from == "poison@sender.example" ? .hangUp : .usual
            }
            try Wait.until("delivery of the others", within: .seconds(50)) { server.messages.count == 5 }
            #expect(Set(server.messages.map(\.from)).count == 5)
            try Wait.until("only one that waits") {
                let left = try gateway.command(["queue", "list", "--format", "json"]).output
                return left.split(separator: "\n").count == 1 && left.contains("poison@sender.example")
            }
        }

        @Test("who has a message is not given it again because another recipient's refusal cannot be made known")
        func partialRefusal() throws {
            // A bounce: its failure is for the administrator, whose quarantine has no room for anything.
            let (gateway, port) = try self.spooling(top: ["quarantine: {max_size: 1KiB}"])
            let mail = TestMail(attachment: [UInt8](repeating: 7, count: 5_000), name: "a.bin")
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(mail.octets, from: "", to: ["bob@example.com", "gone@example.com"]).code == 250)
            let server = try RecordingMailServer(port: port) { command, _ in
                command.hasPrefix("RCPT TO:<gone@") ? .reply("550 5.1.1 unknown") : .usual
            }
            try Wait.until("delivery", within: .seconds(40)) { server.messages.count == 1 }
            func list() throws -> String { try gateway.command(["queue", "list", "--format", "json"]).output }
            try Wait.until("its end") { try list().contains(#""attempts":1"#) }
            #expect(try list().contains(#""address":"bob@example.com","reply":"250 2.0.0 queued as R1","state":"delivered""#))
            #expect(try gateway.command(["queue", "retry", "--all"]).status == 0)
            try Wait.until("another attempt") { try list().contains(#""attempts":2"#) }
            #expect(server.messages.count == 1)
        }

        @Test("a server that never answers does not keep the gateway from ending, and the message stays")
        func boundedStop() throws {
            let (gateway, port) = try self.spooling()
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).code == 250)
            let server = try RecordingMailServer(port: port) { command, _ in command == "." ? .silence : .usual }
            try Wait.until("an attempt without an end", within: .seconds(40)) { server.commands.contains(".") }
            gateway.process.signal(SIGTERM)
            #expect(gateway.process.waitForExit() == 0)
            #expect(try gateway.command(["queue", "list", "--format", "json"]).output.split(separator: "\n").count == 1)
        }

        @Test("messages are stopped and let go, and commands say what there is not")
        func steering() throws {
            let (gateway, port) = try self.spooling()
            let client = try SMTPTestClient(port: gateway.port)
            for _ in 0..<2 { #expect(try client.send(TestMail().octets).code == 250) }
            let list = try gateway.command(["queue", "list", "--format", "json"]).output
            let id = String(try #require(list.firstMatch(of: /"id":"(\w+)"/)).1)
            #expect(try gateway.command(["queue", "hold", id]).output == "1 message stopped\n")
            let mixed = try gateway.command(["queue", "hold", "000000000000", id])
            #expect(mixed.status == 66 && mixed.errors.contains("000000000000"), "\(mixed)")
            #expect(try gateway.command(["queue", "retry", id]).status == 1)
            let server = try RecordingMailServer(port: port)
            try Wait.until("delivery of the other", within: .seconds(40)) { server.messages.count == 1 }
            #expect(try gateway.command(["queue", "show", id]).output.contains("(stopped)"))
            #expect(try gateway.command(["queue", "release", "--route", "127.0.0.1:\(port)"]).output == "1 message released\n")
            try self.waitForEmptySpool(gateway)
            #expect(server.messages.count == 2)
            #expect(try gateway.command(["queue", "release", "--all"]).status == 1)
        }

        @Test("a second gateway on the same directory is told who has it; commands and reloads go on")
        func oneGateway() throws {
            var file = GatewayFile.bare(downstream: self.relay.port)
            file.top = self.gateway.file.top
            let configuration = try self.gateway.directory.write(
                file.text(port: try LoopbackSocket.freePort(), data: self.gateway.data),
                to: "second.yaml"
            )
            let second = try ProgramUnderTest.run(["serve", "--config", configuration])
            #expect(second.status == 70)
            #expect(second.errors.contains(self.gateway.data) && second.errors.contains("process \(self.gateway.process.id)"))
            #expect(try self.gateway.reload())
            #expect(try self.gateway.command(["queue", "list"]).status == 0)
            let check = try self.gateway.command(["fsck", "--repair"])
            #expect(check.status == 0, "\(check)")
            self.gateway.process.signal(SIGKILL)
            self.gateway.process.waitForExit()
            try self.gateway.startAgain()
        }

        @Test("fsck finds what is wrong, puts it aside when it is asked to, and says so by its exit code")
        func check() throws {
            let (gateway, _) = try self.spooling()
            for _ in 0..<2 { #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).code == 250) }
            #expect(try gateway.command(["fsck"]).status == 0)
            let names = try FileManager.default.contentsOfDirectory(atPath: gateway.data + "/spool/messages")
            try FileManager.default.removeItem(atPath: "\(gateway.data)/spool/messages/\(names[0])")
            for _ in 0..<2 {
                let found = try gateway.command(["fsck", "--format", "json"])
                #expect(found.status == 1)
                #expect(found.output.contains(#""problem":"file-missing""#) && found.output.contains(#""remedy":"none""#))
            }
            let repaired = try gateway.command(["fsck", "--repair"])
            #expect(repaired.status == 1)
            #expect(repaired.output.contains("file-missing") && repaired.output.contains("<bob@example.com>"), "\(repaired)")
            #expect(try gateway.command(["fsck"]).status == 0)
            #expect(try gateway.command(["queue", "list", "--format", "json"]).output.split(separator: "\n").count == 1)
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
