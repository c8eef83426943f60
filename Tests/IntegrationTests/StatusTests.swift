import Foundation
import Glibc
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// `outpost status` and the gateway that answers it.
    @Suite("Status", .serialized)
    struct Status {
        private static func rule(_ word: String) -> String {
            "body TEST_WORD /\(word)/\ndescribe TEST_WORD A word\nscore TEST_WORD 100\n"
        }

        private func status(_ gateway: ProgramUnderTest) throws -> [String: Any] {
            let result = try gateway.command(["status", "--format", "json"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.split(separator: "\n").count == 1)
            return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        }

        private func section(_ name: String, of gateway: ProgramUnderTest) throws -> [String: Any] {
            try #require(try self.status(gateway)[name] as? [String: Any])
        }

        @Test("It counts what became of messages, and shows connections, rules, the quarantine and the configuration")
        func figures() throws {
            let server = try RecordingMailServer()
            let rules = try TemporaryDirectory()
            try rules.write(Self.rule("aubergine"), to: "test.cf")
            var file = GatewayFile.bare(downstream: server.port)
            file.rules = [rules.path]
            let gateway = try ProgramUnderTest(file)
            let client = try SMTPTestClient(port: gateway.port)
            #expect(try client.send(TestMail(text: "good\r\n").octets).code == 250)
            let second = try SMTPTestClient(port: gateway.port)
            #expect(try second.send(TestMail(text: "aubergine\r\n").octets).code == 550)

            // A reply is given before the copy of the message is kept.
            var status = try self.status(gateway)
            try Wait.until("the copy") {
                status = try self.status(gateway)
                return (status["quarantine"] as? [String: Any])?["copies"] as? Int == 1
            }
            let messages = try #require(status["messages"] as? [String: Any])
            #expect(messages["deliver"] as? Int == 1 && messages["reject"] as? Int == 1 && messages["hold"] as? Int == 0)
            #expect(messages["replied_positive"] as? Int == 1 && messages["replied_permanent"] as? Int == 1)
            let sessions = try #require(status["sessions"] as? [String: Any])
            #expect(sessions["now"] as? Int == 2 && sessions["peak"] as? Int == 2 && sessions["taken"] as? Int == 2)
            let found = try #require(status["rules"] as? [String: Any])
            #expect(found["files"] as? Int == 1 && found["scored"] as? Int == 1)
            #expect((found["suspended"] as? [Any])?.isEmpty == true)
            let route = try #require((status["routes"] as? [[String: Any]])?.first)
            #expect(route["was_reached"] as? Bool == true)
            #expect((route["in_use"] as? Int ?? 0) + (route["resting"] as? Int ?? 0) >= 1, "\(route)")
            #expect((status["scanner"] as? [String: Any])?["engine"] as? String == "none")
            #expect((status["spool"] as? [String: Any])?["messages"] as? Int == 0)
            #expect((status["configuration"] as? [String: Any])?["file"] as? String == gateway.configuration)
            #expect(status["process"] as? Int == Int(gateway.process.id))
            #expect((status["problems"] as? [Any])?.isEmpty == true)
            #expect(status["dns"] == nil)

            let text = try gateway.command(["status"])
            #expect(text.status == 0)
            #expect(text.output.contains("deliver 1, tag 0, hold 0, reject 1, defer 0, discard 0"), "\(text.output)")
            #expect(text.output.contains("\(gateway.configuration), read "))
        }

        @Test("A reload that failed is told, with its reason, until one succeeds")
        func reload() throws {
            let server = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: server.port)
            let gateway = try ProgramUnderTest(file)
            func failure() throws -> String? {
                let found = try self.section("configuration", of: gateway)["failure"] as? [String: Any]
                return found?["reason"] as? String
            }
            #expect(try failure() == nil)
            file.top = ["no_such_setting: 1"]
            try gateway.write(file)
            #expect(try !gateway.reload())
            #expect(try failure()?.contains("no_such_setting") == true)

            file.top = ["admin: {socket: \(gateway.data)/elsewhere.sock}"]
            try gateway.write(file)
            #expect(try !gateway.reload())
            #expect(try gateway.command(["status"]).status == 75, "nobody answers there")
            file.top = []
            try gateway.write(file)
            #expect(try failure() == "admin.socket can only be changed by a restart")
            #expect(try gateway.command(["status"]).output.contains("RELOAD FAILED"))
            #expect(try gateway.reload())
            #expect(try failure() == nil)
            #expect(try self.section("configuration", of: gateway)["reloads"] as? Int == 1)
        }

        @Test("A server that is away, and mail that waits for it")
        func away() throws {
            let port = try LoopbackSocket.freePort()
            var file = GatewayFile.bare(downstream: port)
            file.domain += ["when_downstream_is_away: spool"]
            let gateway = try ProgramUnderTest(file)
            #expect(try SMTPTestClient(port: gateway.port).send(TestMail().octets).code == 250)
            let status = try self.status(gateway)
            let route = try #require((status["routes"] as? [[String: Any]])?.first)
            let host = try #require((route["hosts"] as? [[String: Any]])?.first)
            #expect(host["name"] as? String == "127.0.0.1:\(port)")
            #expect((host["away_since"] as? String)?.hasSuffix("Z") == true, "\(route)")
            #expect(route["was_reached"] as? Bool == false)
            let spool = try #require(status["spool"] as? [String: Any])
            #expect(spool["messages"] as? Int == 1 && spool["oldest"] is String && spool["has_room"] as? Bool == true)
            let text = try gateway.command(["status"]).output
            #expect(text.contains("127.0.0.1:\(port) AWAY since") && text.contains("1 message, "), "\(text)")
        }

        @Test(
            "The scanner, the DNS and a list whose test points fail",
            .enabled(if: NameServer.isAvailable, "needs nsd")
        )
        func services() throws {
            let names = try NameServer(zone: "example", records: ["bad A 192.0.2.1", "sender TXT \"v=spf1 -all\""])
            let server = try RecordingMailServer()
            var file = GatewayFile(downstream: server.port)
            file.rules = []
            file.authentication = ["enabled: true"]
            file.top = [
                "dns: {servers: [\"127.0.0.1:\(names.port)\"]}",
                "dns_lists: {lists: [{zone: nothing.example, name: NOTHING, weight: 1}]}",
            ]
            let gateway = try ProgramUnderTest(file)
            _ = try SMTPTestClient(port: gateway.port).send(TestMail().octets)
            var list: [String: Any] = [:]
            try Wait.until("the list's test") {
                list = (try self.status(gateway)["dns_lists"] as? [[String: Any]])?.first ?? [:]
                return list["is_on"] as? Bool == false
            }
            #expect(list["name"] as? String == "DNSLIST_NOTHING" && list["reason"] is String && list["since"] is String)
            let status = try self.status(gateway)
            let dns = try #require(status["dns"] as? [String: Any])
            #expect(dns["servers"] as? [String] == ["127.0.0.1:\(names.port)"] && dns["questions"] as? Int ?? 0 > 0, "\(dns)")
            let scanner = try #require(status["scanner"] as? [String: Any])
            #expect(scanner["engine"] as? String == "builtin" && scanner["is_ready"] as? Bool == true, "\(scanner)")
            #expect(scanner["signatures"] as? Int ?? 0 > 0 && scanner["workers"] as? Int == 1)
            #expect(try gateway.command(["status"]).output.contains("DNSLIST_NOTHING (nothing.example) OFF since"))
        }

        @Test("Where no gateway runs it says so and asks to try again, also where one was killed")
        func nobody() throws {
            let gateway = try ProgramUnderTest(GatewayFile.bare(downstream: try LoopbackSocket.freePort()))
            gateway.process.signal(SIGKILL)
            gateway.process.waitForExit()
            #expect(FileManager.default.fileExists(atPath: gateway.data + "/admin.sock"), "what a killed gateway leaves")
            let killed = try gateway.command(["status"])
            #expect(killed.status == 75 && killed.output.isEmpty)
            #expect(killed.errors.contains("no gateway runs with this configuration"), "\(killed.errors)")
            try gateway.startAgain()
            #expect(try gateway.command(["status"]).status == 0)
            gateway.process.stop()
            #expect(!FileManager.default.fileExists(atPath: gateway.data + "/admin.sock"))
            #expect(try gateway.command(["status"]).status == 75)
        }

        private static let canBecomeOthers = geteuid() == 0 && ChildProgram.installed("setpriv") != nil

        /// `outpost status` as another user of the system.
        private func status(as user: String, groups: String, _ gateway: ProgramUnderTest) throws -> ChildProgram.Result {
            try ChildProgram.run(
                try #require(ChildProgram.installed("setpriv")),
                [
                    "--reuid", user, "--regid", "nogroup", groups.isEmpty ? "--clear-groups" : "--groups=\(groups)",
                    ProgramUnderTest.path, "status", "--config", gateway.configuration,
                ]
            )
        }

        @Test(
            "Other users are refused, unless they or their groups are named",
            .enabled(if: canBecomeOthers, "needs root, setpriv")
        )
        func others() throws {
            // Not where only root may go: else the directory would do what the socket is to do.
            let place = try TemporaryDirectory()
            for path in [place.path] { #expect(chmod(path, 0o755) == 0) }
            var file = GatewayFile.bare(downstream: try LoopbackSocket.freePort())
            file.top = ["admin: {socket: \(place.path)/admin.sock}"]
            let gateway = try ProgramUnderTest(file)
            for path in [gateway.directory.path] { #expect(chmod(path, 0o755) == 0) }
            #expect(chmod(gateway.configuration, 0o644) == 0)

            let refused = try self.status(as: "nobody", groups: "", gateway)
            #expect(refused.status == 66 && refused.errors.contains("you may not ask"), "\(refused.errors)")

            file.top = ["admin: {socket: \(place.path)/admin.sock, users: [daemon], groups: [mail]}"]
            try gateway.write(file)
            #expect(chmod(gateway.configuration, 0o644) == 0)
            #expect(try gateway.reload())
            let unnamed = try self.status(as: "nobody", groups: "", gateway)
            #expect(unnamed.status == 66 && unnamed.errors.contains("you may not ask"), "\(unnamed.errors)")
            #expect(try self.status(as: "daemon", groups: "", gateway).status == 0)
            #expect(try self.status(as: "nobody", groups: "mail", gateway).status == 0)
            #expect(try gateway.command(["status"]).status == 0)
        }
    }
}
