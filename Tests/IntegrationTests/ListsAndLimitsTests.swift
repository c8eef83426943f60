import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Lists that change while the gateway runs, the greylist, and rates.
    @Suite("Lists and limits", .serialized)
    struct ListsAndLimits {
        private func lists(_ gateway: ProgramUnderTest, _ arguments: [String]) throws -> ChildProgram.Result {
            try gateway.command(["lists"] + arguments)
        }

        private func send(
            _ gateway: ProgramUnderTest,
            host: UInt8 = 1,
            _ mail: TestMail = TestMail(),
            to: String = "bob@example.com"
        )
            throws -> SMTPTestClient.Reply
        {
            try SMTPTestClient(port: gateway.port, fromHost: host).send(mail.octets, to: [to])
        }

        @Test("a denied sender is refused without a restart, and taken again when the entry is gone")
        func deny() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(GatewayFile.bare(downstream: server.port))
            #expect(try self.send(gateway).code == 250)
            #expect(try self.lists(gateway, ["add", "sender.example", "--deny"]).status == 64, "not to be told from a forgery")
            let added = try self.lists(
                gateway,
                [
                    "add", "sender.example", "--deny", "--spoofable", "--comment", "floods us", "--expires", "1d", "--format",
                    "json",
                ]
            )
            #expect(added.status == 0, "\(added.errors)")
            #expect(added.output.contains(#""id":"1""#) && added.output.contains(#""spoofable":true"#))
            #expect(try self.lists(gateway, ["add", "sender.example", "--deny", "--spoofable"]).status == 1)
            try Wait.until("the entry counts") { (try? self.send(gateway))?.text == "550 5.7.1 This sender is not accepted here" }
            #expect(gateway.log.contains(#"list="deny 1 sender.example (reverse path, unproven): floods us""#))

            let arguments = [
                "test", "--client-ip", "127.0.0.1", "--mail-from", "ann@sender.example", "--rcpt-to", "bob@example.com",
            ]
            let test = try self.lists(gateway, arguments)
            #expect(test.status == 1)
            #expect(test.output.contains("refused at MAIL"), "\(test.output)\(test.errors)")
            #expect(try self.lists(gateway, ["show"]).output.contains("floods us"))

            #expect(try self.lists(gateway, ["remove", "1"]).status == 0)
            #expect(try self.lists(gateway, ["remove", "1"]).status == 1)
            try Wait.until("the entry is gone") { (try? self.send(gateway))?.code == 250 }
            #expect(try self.lists(gateway, arguments).status == 0)
        }

        @Test("a denied client is not greeted; for one recipient only, the others get their mail")
        func denyClient() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(GatewayFile.bare(downstream: server.port))
            #expect(try self.lists(gateway, ["add", "127.0.0.3", "--deny", "--recipient", "bob@example.com"]).status == 0)
            #expect(try self.lists(gateway, ["add", "127.0.0.2", "--deny"]).status == 0)
            try Wait.until("the entry counts") { (try? SMTPTestClient(port: gateway.port, fromHost: 2)) == nil }
            #expect(
                gateway.log.contains(
                    #"reply="554 5.7.1 This host is not accepted here" list="deny 2 127.0.0.2 (client 127.0.0.2)""#
                )
            )
            let client = try SMTPTestClient(port: gateway.port, fromHost: 3)
            #expect(try client.command("MAIL FROM:<ann@sender.example>").code == 250)
            #expect(try client.command("RCPT TO:<bob@example.com>").text == "550 5.7.1 This sender is not accepted here")
            #expect(try client.command("RCPT TO:<carol@example.com>").code == 250)
            #expect(try self.send(gateway, host: 1).code == 250)
            // Entries outlive the gateway.
            gateway.process.stop(.seconds(8))
            try gateway.startAgain()
            #expect(throws: (any Error).self) { try SMTPTestClient(port: gateway.port, fromHost: 2) }
        }

        @Test("an allowed sender's score is not counted")
        func allow() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write("body TEST_WORD /aubergine/\nscore TEST_WORD 100\n", to: "test.cf")
            var file = GatewayFile.bare(downstream: server.port)
            file.rules = [rules.path]
            let gateway = try ProgramUnderTest(file)
            let mail = TestMail(text: "aubergine\r\n")
            #expect(try self.send(gateway, mail).code == 550)
            #expect(try self.lists(gateway, ["add", "127.0.0.1", "--allow", "--domain", "example.com"]).status == 0)
            try Wait.until("the entry counts") { (try? self.send(gateway, mail))?.code == 250 }
            #expect(gateway.log.contains("disposition=deliver"))
            // An entry that may hold for one recipient only keeps it apart from the others.
            let scoped = ["add", "friend.example", "--allow", "--spoofable", "--recipient", "carol@example.com"]
            #expect(try self.lists(gateway, scoped).status == 0)
            try Wait.until("the entry counts") {
                guard let client = try? SMTPTestClient(port: gateway.port) else { return false }
                _ = try? client.command("MAIL FROM:<x@friend.example>")
                _ = try? client.command("RCPT TO:<bob@example.com>")
                return (try? client.command("RCPT TO:<carol@example.com>"))?.text
                    == "452 4.5.3 This recipient needs a transaction of its own, send it again"
            }
            #expect(gateway.log.contains(#"list="allow 1 127.0.0.1 (client 127.0.0.1)""#))
        }

        @Test(
            "a denied domain is refused at RCPT when SPF proves it, and nobody is refused in its name",
            .enabled(if: NameServer.isAvailable)
        )
        func proven() throws {
            let names = try NameServer(
                zone: "example",
                records: [
                    "bulk TXT \"v=spf1 ip4:127.0.0.0/8 -all\"", "victim TXT \"v=spf1 -all\"",
                    "news TXT \"v=spf1 ip4:127.0.0.0/8 -all\"",
                ]
            )
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.authentication = ["enabled: true"]
            file.top = [
                "dns: {servers: [\"127.0.0.1:\(names.port)\"]}",
                "lists: {deny: [bulk.example, victim.example, boss@news.example]}",
            ]
            let gateway = try ProgramUnderTest(file)
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.command("MAIL FROM:<a@bulk.example>").code == 250)
            #expect(try client.command("RCPT TO:<bob@example.com>").code == 550)
            #expect(gateway.log.contains("list=\"deny lists.deny[0] bulk.example (SPF of bulk.example)\""))
            let forged = try SMTPTestClient(port: gateway.port).send(TestMail().octets, from: "a@victim.example")
            #expect(forged.code == 250, "SPF fails, so it is not the victim")
            // Known only when From is there, and proven by SPF of its domain.
            let boss = String(decoding: TestMail().octets, as: UTF8.self)
                .replacing("ann@sender.example", with: "boss@news.example")
            let late = try SMTPTestClient(port: gateway.port).send(Array(boss.utf8), from: "bounces@news.example")
            #expect(late.text.hasPrefix("550 5.7.1 Message refused: this sender is not accepted here"), "\(late)")
            #expect(gateway.log.contains("(From boss@news.example, SPF of news.example)"))
            let elsewhere = try SMTPTestClient(port: gateway.port).send(Array(boss.utf8), from: "a@other.example")
            #expect(elsewhere.code == 250, "anybody can write a From")
            let test = try self.lists(
                gateway,
                ["test", "--client-ip", "127.0.0.1", "--mail-from", "a@victim.example", "--rcpt-to", "bob@example.com"]
            )
            #expect(test.status == 0)
            #expect(test.output.contains("the reverse path names it, and neither SPF nor DKIM proves that"), "\(test.output)")
        }

        @Test("a doubtful message is taken when it comes again, also from a neighbour")
        func greylist() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write("body TEST_WORD /aubergine/\nscore TEST_WORD 4\n", to: "test.cf")
            var file = GatewayFile.bare(downstream: server.port)
            file.rules = [rules.path]
            file.top = ["greylist: {from_score: 3, to_score: 5, delay: 3s, window: 1h}"]
            let gateway = try ProgramUnderTest(file)
            let text = "An aubergine.\r\n"
            let first = try self.send(gateway, TestMail(text: text))
            #expect(first.text.hasPrefix("451 4.7.1 Greylisted: this message will be accepted when it is sent again"), "\(first)")
            #expect(try self.send(gateway, host: 2, TestMail(text: text)).code == 451, "too early")
            #expect(try self.send(gateway, TestMail()).code == 250, "nothing doubtful about it")
            let listed = try gateway.command(["greylist", "list", "--format", "json"])
            #expect(listed.output.contains(#""source":"network 127.0.0.0/24""#) && listed.output.contains(#""visits":2"#))
            Thread.sleep(forTimeInterval: 3.2)
            // Another host of the sender puts another trace field in front; the id is new, too.
            let again = TestMail(subject: "Minutes, once more", text: text)
            #expect(try self.send(gateway, host: 2, again).code == 250)
            #expect(try self.send(gateway, TestMail(text: "Another aubergine.\r\n")).code == 250, "the sender is known")
            #expect(server.messages.count == 3)
            #expect(gateway.log.contains("greylist=returned") && gateway.log.contains("greylist=known"))
            // People can forget a sender, and let one pass.
            #expect(try gateway.command(["greylist", "list"]).output.contains("passed"))
            let known = try gateway.command(["greylist", "list", "--state", "passed", "--format", "json"]).output
            let id = try #require(known.firstMatch(of: /"id":(\d+)/)).1
            #expect(try gateway.command(["greylist", "remove", String(id)]).status == 0)
            #expect(try self.send(gateway, TestMail(text: "A third aubergine.\r\n")).code == 451)
            let pending = try gateway.command(["greylist", "list", "--state", "pending", "--format", "json"]).output
            let other = try #require(pending.firstMatch(of: /"id":(\d+)/)).1
            #expect(try gateway.command(["greylist", "pass", String(other)]).status == 0)
            #expect(try self.send(gateway, TestMail(text: "A third aubergine.\r\n")).code == 250)
        }

        @Test("beyond the rate there is 450 for messages and recipients and 421 for connections, and it recovers")
        func rates() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.top = [
                "rates:", "  - {per: client_address, limit: 2, window: 4s}",
                "  - {per: recipient_domain, limit: 5, window: 1h, exempt: [127.0.0.1]}",
                "  - {per: client_network, of: connections, limit: 12, window: 1h}",
            ]
            let gateway = try ProgramUnderTest(file)
            #expect(try self.send(gateway).code == 250)
            #expect(try self.send(gateway).code == 250)
            let third = try self.send(gateway)
            #expect(third.text == "450 4.7.1 Too many messages in a short time, try again later")
            #expect(gateway.log.contains("limit=\"2 messages in 4 s per client_address (127.0.0.1)\""))
            #expect(try self.send(gateway, host: 2).code == 250, "another client")
            Thread.sleep(forTimeInterval: 2.2)
            #expect(try self.send(gateway).code == 250)
            let client = try SMTPTestClient(port: gateway.port, fromHost: 3)
            #expect(try client.command("MAIL FROM:<ann@sender.example>").code == 250)
            for _ in 0..<4 { #expect(try client.command("RCPT TO:<bob@example.com>").code == 250) }
            let sixth = try client.command("RCPT TO:<bob@example.com>")
            #expect(sixth.text == "450 4.7.1 Too many recipients in a short time, try again later")
            // The listening sockets' own test connection may count, too.
            var reply = try SMTPTestClient(connecting: gateway.port).reply()
            for _ in 0..<12 where reply.code == 220 { reply = try SMTPTestClient(connecting: gateway.port).reply() }
            #expect(reply.text == "421 4.7.0 Too many connections in a short time, try again later")
        }

        @Test("connections at once from one network are bounded")
        func concurrency() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.limits += ["sessions_per_network: 3"]
            let gateway = try ProgramUnderTest(file)
            let open = try (1...3).map { try SMTPTestClient(port: gateway.port, fromHost: UInt8($0)) }
            let client = try SMTPTestClient(connecting: gateway.port)
            #expect(try client.reply().text == "421 4.7.0 Too many connections from your network")
            open[0].quit()
            try Wait.until("there is room again") { (try? SMTPTestClient(port: gateway.port, fromHost: 9)) != nil }
        }

        @Test("what was counted outlives the gateway, also one that is killed, and an administrator can let somebody go")
        func ratesOutlive() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.top = ["rates:", "  - {per: client_address, limit: 2, window: 1h}"]
            let gateway = try ProgramUnderTest(file)
            func listed() throws -> String { try gateway.command(["rates", "list", "--limited", "--format", "json"]).output }
            for _ in 0..<2 { #expect(try self.send(gateway).code == 250) }
            #expect(try self.send(gateway).code == 450)
            try Wait.until("it is written down") { try listed().contains(#""key":"127.0.0.1""#) }
            let line = try listed()
            for field in [#""used":2"#, #""limit":2"#, #""window":3600"#, #""per":"client_address""#, #""of":"messages""#] {
                #expect(line.contains(field), "\(line)")
            }
            gateway.process.signal(SIGKILL)
            try Wait.until("it is gone") { !gateway.process.isRunning }
            try gateway.startAgain()
            #expect(try self.send(gateway).code == 450, "after a crash")
            gateway.process.stop(.seconds(8))
            try gateway.startAgain()
            #expect(try self.send(gateway).code == 450, "after an orderly end")
            #expect(try gateway.command(["rates", "list"]).output.contains("127.0.0.1  client_address  messages"))

            #expect(try gateway.command(["rates", "reset", "192.0.2.1"]).status == 1)
            let reset = try gateway.command(["rates", "reset", "127.0.0.1"])
            #expect(reset.status == 0 && reset.output == "127.0.0.1: 1 count forgotten\n", "\(reset)")
            try Wait.until("it may send again") { (try? self.send(gateway))?.code == 250 }
        }

        @Test("transactions at once are shown by status and refused beyond the bound, with the reason in the log")
        func transactions() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            file.limits += ["transactions_per_sender_domain: 1", "transactions_per_recipient_domain: 4"]
            let gateway = try ProgramUnderTest(file)
            var first: SMTPTestClient? = try SMTPTestClient(port: gateway.port)
            #expect(try first?.command("MAIL FROM:<ann@sender.example>").code == 250)
            #expect(try first?.command("RCPT TO:<bob@example.com>").code == 250)
            let second = try self.send(gateway)
            #expect(second.text == "450 4.7.1 Too many transactions of this sender at once, try again later", "\(second)")
            #expect(gateway.log.contains("limit=\"1 transactions at once per sender_domain (sender.example)\""))
            let status = try gateway.command(["status"]).output
            #expect(status.contains("1 now, 1 refused by a bound on transactions at once"), "\(status)")
            #expect(status.contains("sender_domain sender.example: 1 of 1"), "\(status)")
            #expect(status.contains("recipient_domain example.com: 1 of 4"), "\(status)")
            // Without a word, in the middle of a transaction.
            first = nil
            try Wait.until("the place is free") { (try? self.send(gateway))?.code == 250 }
            #expect(try gateway.command(["status"]).output.contains("0 now, "))
        }
    }
}
