import OutpostTestKit
import Testing

extension IntegrationTests {
    /// What the DNS says of clients, senders and links, over real DNS packets.
    @Suite("Reputation", .serialized, .enabled(if: NameServer.isAvailable, "needs nsd"))
    struct Reputation {
        private let directory: TemporaryDirectory
        private let names: NameServer
        private let downstream: RecordingMailServer
        private let gateway: ProgramUnderTest

        init() throws {
            self.directory = try TemporaryDirectory()
            // 198.18.0.0/15 is for tests (RFC 2544), and nothing keeps resolvers from asking for it.
            self.names = try NameServer(
                zone: "example",
                records: [
                    "good MX 10 mx.good", "mx.good A 198.18.7.1", "nothing MX 0 .", "client A 198.18.7.1", "other A 198.18.7.99",
                    "2.0.0.127.bl A 127.0.0.2", "9.7.18.198.bl A 127.0.0.2", "9.7.18.198.bl TXT \"sent spam today\"",
                    "8.7.18.198.bl A 127.255.255.254", "5.7.18.198.bl A 127.0.0.4", "5.7.18.198.bl TXT \"taken over\"",
                    "test.uri A 127.0.0.2", "bad.org.uri A 127.0.0.2",
                    "*.dead A 127.0.0.2", "9.7.18.198.rules A 127.0.0.7", "6.7.18.198.rules A 127.0.0.7",
                    "bad.org.rules A 127.0.1.2",
                ],
                more: [
                    "18.198.in-addr.arpa": [
                        "1.7 PTR client.example.", "2.7 PTR other.example.", "9.7 PTR client.example.",
                    ]
                ]
            )
            self.downstream = try RecordingMailServer()
            let rules = try self.directory.write(
                """
                header RCVD_IN_TEST eval:check_rbl('test-lastexternal', 'rules.example.', '127.0.0.7')
                score RCVD_IN_TEST 0 1.5 0 1.5
                urirhssub URIBL_TEST rules.example. A 127.0.1.2
                body URIBL_TEST eval:check_uridnsbl('URIBL_TEST')
                score URIBL_TEST 0 1.25 0 1.25
                meta BOTH_TEST RCVD_IN_TEST && URIBL_TEST
                score BOTH_TEST 0.5

                """,
                to: "rules/network.cf"
            )
            var file = GatewayFile.bare(downstream: self.downstream.port)
            file.rules = [String(rules.dropLast("/network.cf".count))]
            file.listener = ["xclient_from: [127.0.0.0/8]"]
            file.top = [
                "rules_network: true", "dns: {servers: [\"127.0.0.1:\(self.names.port)\"]}",
                "connection_checks: {enabled: true, sender_unresolvable: reject}", "dns_lists:", "  reject_score: 4",
                "  greeting_score: 6",
                "  lists:",
                "    - {zone: bl.example, name: BL, weight: 5, answers: [{match: 127.0.0.2}, {match: 127.0.0.4, weight: 7}]}",
                "    - {zone: uri.example, name: URI, ask: [uri], weight: 2}",
                "    - {zone: dead.example, name: DEAD, weight: 9}",
            ]
            self.gateway = try ProgramUnderTest(file)
        }

        private func client(_ address: String) throws -> SMTPTestClient {
            let client = try SMTPTestClient(port: self.gateway.port)
            #expect(try client.command("XCLIENT ADDR=\(address)").code == 220)
            try client.command("EHLO client.example")
            return client
        }

        private func mail(_ text: String = "Text.") -> [UInt8] {
            let lines = [
                "From: Ann <ann@good.example>", "To: bob@example.com", "Subject: a word", "Date: Mon, 23 Nov 2026 10:00:00 +0000",
                "Message-ID: <1@good.example>", "", text, "",
            ]
            return Array(lines.joined(separator: "\r\n").utf8)
        }

        @Test("A client's confirmed name is told downstream, one that does not lead back is not")
        func clientName() throws {
            #expect(try self.client("198.18.7.1").send(self.mail(), from: "ann@good.example").code == 250)
            let good = String(decoding: try #require(self.downstream.messages.last).octets, as: UTF8.self)
            #expect(good.contains("(client.example [198.18.7.1])"))
            #expect(try self.client("198.18.7.2").send(self.mail(), from: "ann@good.example").code == 250)
            let other = String(decoding: try #require(self.downstream.messages.last).octets, as: UTF8.self)
            #expect(other.contains("(unknown [198.18.7.2])"))
            #expect(self.gateway.log.contains("CLIENT_NAME_UNCONFIRMED"))
            #expect(self.gateway.log.contains("rdns=pass"))
        }

        @Test("A listed client is refused with the list's words, and can still write to postmaster")
        func listed() throws {
            let refused = try self.client("198.18.7.9").send(self.mail(), from: "ann@good.example")
            #expect(refused.code == 550)
            #expect(refused.text.contains("5.7.1 Refused: 198.18.7.9 is listed in bl.example: sent spam today"))
            #expect(self.gateway.log.contains("info refused"))
            let taken = try self.client("198.18.7.9").send(self.mail(), from: "ann@good.example", to: ["postmaster@example.com"])
            #expect(taken.code == 250)
        }

        @Test("A client that lists alone condemn is not greeted, unless an allow entry may still speak for whom it names")
        func greeting() throws {
            let client = try SMTPTestClient(port: self.gateway.port)
            let reply = try client.command("XCLIENT ADDR=198.18.7.5")
            #expect(reply.code == 554)
            #expect(reply.text.contains("5.7.1 Refused: 198.18.7.5 is listed in bl.example: taken over"))
            #expect(throws: (any Error).self) { try client.command("NOOP") }
            #expect(self.gateway.log.contains("DNSLIST_BL: Refused: 198.18.7.5 is listed in bl.example"))
            // Below the score it is greeted, and its recipients are refused.
            #expect(try self.client("198.18.7.9").send(self.mail(), from: "ann@good.example").code == 550)

            #expect(try self.gateway.command(["lists", "add", "good.example", "--allow", "--spoofable"]).status == 0)
            try Wait.until("the entry") {
                try SMTPTestClient(port: self.gateway.port).command("XCLIENT ADDR=198.18.7.5").code == 220
            }
            let heard = try self.client("198.18.7.5")
            #expect(try heard.send(self.mail(), from: "ann@other.example").code == 550)
            #expect(try self.client("198.18.7.5").send(self.mail(), from: "ann@good.example").code == 250)
        }

        @Test("A greeting waits for silent lists as long as it is told to, and then greets")
        func silence() throws {
            let silent = try FaultyNameServer(["5.7.18.198.bl.example": .slow(0.7, .address(0x7f00_0004))])
            var file = GatewayFile.bare(downstream: self.downstream.port)
            file.listener = ["xclient_from: [127.0.0.0/8]"]
            file.top = [
                "dns: {servers: [\"127.0.0.1:\(silent.port)\"], timeout: 10s}", "connection_checks: {timeout: 10s}", "dns_lists:",
                "  greeting_score: 1", "  greeting_wait: 300ms", "  lists:", "    - {zone: bl.example, weight: 5, test: false}",
            ]
            let gateway = try ProgramUnderTest(file)
            let client = try SMTPTestClient(port: gateway.port)
            let began = ContinuousClock.now
            #expect(try client.command("XCLIENT ADDR=198.18.7.5").code == 220)
            #expect(began.duration(to: .now) >= .milliseconds(300))
            #expect(silent.questions(for: "5.7.18.198.bl.example") > 0)
            // The answer came late, and still counts.
            try client.command("EHLO client.example")
            let reply = try client.send(self.mail(), from: "ann@good.example")
            #expect(reply.code == 550 && reply.text.contains("198.18.7.5 is listed in bl.example"), "\(reply)")
        }

        @Test("A list's refusal to answer lists nobody and is told, and a list that lists everything is switched off")
        func refusingList() throws {
            #expect(try self.client("198.18.7.8").send(self.mail(), from: "ann@good.example").code == 250)
            #expect(self.gateway.log.contains("127.255.255.254: the list does not answer us"))
            try self.gateway.waitForLog("DNS list is switched off")
            #expect(self.gateway.log.contains("DNSLIST_DEAD") && self.gateway.log.contains("127.0.0.1 is listed"))
        }

        @Test("A domain that takes no mail sends none, nor one that does not exist")
        func senders() throws {
            let null = try self.client("198.18.7.1").send(self.mail(), from: "ann@nothing.example")
            #expect(null.code == 550 && null.text.contains("5.7.27"))
            let absent = try self.client("198.18.7.1").send(self.mail(), from: "ann@absent.example")
            #expect(absent.code == 550 && absent.text.contains("5.1.8"))
            #expect(try self.client("198.18.7.1").send(self.mail(), from: "").code == 250)
        }

        @Test("Links are looked up in lists of the configuration and of rules, and metas see what rules found")
        func links() throws {
            let text = "Look at http://www.bad.org/ now."
            #expect(try self.client("198.18.7.6").send(self.mail(text), from: "ann@good.example").code == 250)
            let log = self.gateway.log
            for name in ["DNSLIST_URI", "RCVD_IN_TEST", "URIBL_TEST", "BOTH_TEST"] { #expect(log.contains(name), "\(name)") }
            let checked = try self.gateway.command(
                [
                    "check", "--client-ip", "198.18.7.6", "--helo", "client.example", "--mail-from", "ann@good.example",
                    "--format",
                    "json", "-",
                ],
                input: self.mail(text)
            )
            for name in ["DNSLIST_URI", "RCVD_IN_TEST", "URIBL_TEST", "BOTH_TEST", "CLIENT_NAME_MISSING"] {
                #expect(checked.output.contains(name), "\(name)")
            }
        }

        @Test("A check of a file says what the session would have said")
        func check() throws {
            let result = try self.gateway.command(
                [
                    "check", "--client-ip", "198.18.7.9", "--helo", "client.example", "--mail-from", "ann@good.example",
                    "--format",
                    "json", "-",
                ],
                input: self.mail()
            )
            #expect(result.output.contains("5.7.1 Refused: 198.18.7.9 is listed in bl.example: sent spam today"))
        }
    }
}
