import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// From mail in a domain's name to a report in its owner's hands, with names from a real name server.
    @Suite(
        "Reports of DMARC",
        .serialized,
        .enabled(
            if: NameServer.isAvailable && FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"),
            "needs nsd, python3"
        )
    )
    struct DMARCReports {
        private static let python = "/usr/bin/python3"

        private let names: NameServer
        private let downstream: RecordingMailServer
        private let relay: RecordingMailServer
        private let gateway: ProgramUnderTest

        init() throws {
            self.names = try NameServer(
                zone: "example",
                records: [
                    "good TXT \"v=spf1 ip4:127.0.0.1 -all\"",
                    "_dmarc.good TXT \"v=DMARC1; p=reject; rua=mailto:rua@good.example,mailto:rua@agrees.example!10m,mailto:rua@victim.example\"",
                    "good.example._report._dmarc.agrees TXT \"v=DMARC1\"",
                    "forged TXT \"v=spf1 -all\"",
                    "_dmarc.forged TXT \"v=DMARC1; p=reject; pct=100; rua=mailto:rua@forged.example!100\"",
                    "_dmarc.quiet TXT \"v=DMARC1; p=reject\"", "quiet TXT \"v=spf1 ip4:127.0.0.1 -all\"",
                ]
            )
            self.downstream = try RecordingMailServer()
            self.relay = try RecordingMailServer()
            var file = GatewayFile.bare(downstream: self.downstream.port)
            file.authentication = ["enabled: true"]
            file.top = [
                "dns: {servers: [\"127.0.0.1:\(self.names.port)\"]}",
                "dmarc_reports: {enabled: true, organization: \"Test & Co\", email: dmarc@example.com, sender: bounce@example.com, "
                    + "relay: [\"127.0.0.1:\(self.relay.port)\"], relay_tls: none}",
            ]
            self.gateway = try ProgramUnderTest(file)
        }

        private func send(from domain: String) throws -> SMTPTestClient.Reply {
            let lines = [
                "From: Ann <ann@\(domain)>", "To: bob@example.com", "Subject: a word", "Date: Mon, 23 Nov 2026 10:00:00 +0000",
                "Message-ID: <1@\(domain)>", "", "Text.", "",
            ]
            return try SMTPTestClient(port: self.gateway.port).send(
                Array(lines.joined(separator: "\r\n").utf8),
                from: "ann@\(domain)"
            )
        }

        /// Takes what was counted today for yesterday's.
        private func oneDayLater() throws {
            let script = """
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1])
                for table in ("domains", "rows"):
                    database.execute("UPDATE %s SET day = date(day, '-1 day')" % table)
                database.commit()
                """
            let result = try ChildProgram.run(Self.python, ["-c", script, self.gateway.data + "/dmarc.sqlite"])
            #expect(result.status == 0, "\(result.errors)")
        }

        /// The report in a message, as Python's MIME and XML parsers see it: what stands between the commas.
        private func facts(_ mail: [UInt8]) throws -> String {
            let script = """
                import email, email.policy, gzip, sys, xml.etree.ElementTree as tree
                mail = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
                part = next(part for part in mail.walk() if part.get_content_type() == "application/gzip")
                root = tree.fromstring(gzip.decompress(part.get_payload(decode=True)))
                find = lambda path: ",".join(element.text or "" for element in root.findall(path))
                print(mail["Subject"]); print(part.get_filename()); print(mail["From"])
                print(find("report_metadata/org_name"), find("policy_published/domain"), find("policy_published/p"))
                print(find("record/row/source_ip"), find("record/row/count"), find("record/row/policy_evaluated/disposition"),
                    find("record/row/policy_evaluated/spf"), find("record/auth_results/spf/result"))
                """
            let result = try ChildProgram.run(Self.python, ["-c", script], input: mail)
            #expect(result.status == 0, "\(result.errors)")
            return result.output
        }

        @Test("Each owner gets one report, once, and only where it is wanted")
        func reports() throws {
            for _ in 0..<3 { #expect(try self.send(from: "good.example").code == 250) }
            #expect(try self.send(from: "forged.example").code == 550)
            #expect(try self.send(from: "quiet.example").code == 250)
            // What waits is written at the end.
            self.gateway.process.stop()

            let today = try self.gateway.command(["dmarc", "report", "--send", "--since", "2026-01-01"])
            #expect(self.relay.messages.isEmpty, "\(today.output)")
            try self.oneDayLater()

            let shown = try self.gateway.command(["dmarc", "show", "--format", "json"]).output
            #expect(shown.contains(#""domain":"good.example","fail":0,"messages":3,"#), "\(shown)")
            #expect(shown.contains(#""domain":"forged.example","fail":1,"messages":1,"#))
            #expect(!shown.contains("quiet.example"))

            let first = try self.gateway.command(["dmarc", "report", "--send"])
            #expect(first.output.contains("rua@good.example sent"), "\(first.output) \(first.errors)")
            #expect(first.output.contains("rua@agrees.example sent"))
            #expect(first.output.contains("rua@victim.example refused: victim.example does not say"))
            #expect(first.output.contains("rua@forged.example refused: the report has"))
            #expect(first.status == 0)
            let mail = try #require(self.relay.messages.first { $0.to == ["rua@good.example"] })
            #expect(self.relay.messages.map(\.to).sorted { $0[0] < $1[0] } == [["rua@agrees.example"], ["rua@good.example"]])
            #expect(mail.from == "bounce@example.com")
            let lines = try self.facts(mail.octets).split(separator: "\n").map(String.init)
            #expect(lines[0].hasPrefix("Report Domain: good.example Submitter: gateway.example.com Report-ID: <"))
            #expect(lines[1].hasPrefix("gateway.example.com!good.example!") && lines[1].hasSuffix(".xml.gz"))
            #expect(lines[2] == "dmarc@example.com")
            #expect(lines[3] == "Test & Co good.example reject")
            #expect(lines[4] == "127.0.0.1 3 none pass pass")

            let second = try self.gateway.command(["dmarc", "report", "--send"])
            #expect(second.output.contains("rua@good.example done"), "\(second.output)")
            #expect(self.relay.messages.count == 2)
        }

        @Test("While the relay is away nothing is lost: the next run sends it; files can be had at any time")
        func away() throws {
            #expect(try self.send(from: "good.example").code == 250)
            #expect(try self.send(from: "forged.example").code == 550)
            self.gateway.process.stop()
            try self.oneDayLater()
            var file = self.gateway.file
            let port = try LoopbackSocket.freePort()
            file.top = file.top.map { $0.replacingOccurrences(of: ":\(self.relay.port)\"", with: ":\(port)\"") }
            try self.gateway.write(file)
            let failed = try self.gateway.command(["dmarc", "report", "--send", "--domain", "good.example"])
            #expect(failed.status == 75, "\(failed.output) \(failed.errors)")
            #expect(failed.output.contains("rua@good.example failed"))
            file.top = file.top.map { $0.replacingOccurrences(of: ":\(port)\"", with: ":\(self.relay.port)\"") }
            try self.gateway.write(file)
            let sent = try self.gateway.command(["dmarc", "report", "--send", "--domain", "good.example", "--format", "json"])
            #expect(sent.output.contains(#""destination":"rua@good.example""#) && sent.output.contains(#""state":"sent""#))
            #expect(self.relay.messages.count == 2, "\(sent.output) \(sent.errors)")

            let directory = self.gateway.directory.path + "/reports"
            let written = try self.gateway.command(["dmarc", "report", "--output", directory])
            #expect(written.status == 0, "\(written.errors)")
            let files = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
            #expect(files.count == 2)
            #expect(files.first?.hasPrefix("gateway.example.com!forged.example!") == true)
        }

        @Test(
            "A report that is to be signed verifies, for the domain of its From",
            .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/dkimsign"), "needs python3-dkim")
        )
        func signed() throws {
            let key = self.gateway.directory.path + "/report.pem"
            #expect(try ChildProgram.run("/usr/bin/openssl", ["genrsa", "-out", key, "2048"]).status == 0)
            let pem = try ChildProgram.run("/usr/bin/openssl", ["rsa", "-in", key, "-pubout"]).output
            let base64 = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
            #expect(try self.send(from: "good.example").code == 250)
            self.gateway.process.stop()
            try self.oneDayLater()
            let missing = "dkim: {domain: example.com, selector: r1, private_key: \(key).missing}, "
            let plain = self.gateway.file
            func write(_ setting: String) throws {
                var file = plain
                file.top = file.top.map { $0.replacing("email: dmarc", with: setting + "email: dmarc") }
                try self.gateway.write(file)
            }
            try write(missing)
            #expect(try self.gateway.command(["dmarc", "report", "--send"]).status != 0)
            #expect(self.relay.messages.isEmpty, "nothing goes out unsigned that should be signed")

            try write("dkim: {domain: example.com, selector: r1, private_key: \(key)}, ")
            let sent = try self.gateway.command(["dmarc", "report", "--send"])
            #expect(sent.output.contains("rua@good.example sent"), "\(sent.output) \(sent.errors)")
            let script = """
                import dkim, email, sys
                octets = sys.stdin.buffer.read()
                names = []
                def key(name, timeout=5):
                    names.append(name.decode())
                    return b"v=DKIM1; k=rsa; p=\(base64)"
                print(dkim.verify(octets, dnsfunc=key), *names)
                print(email.message_from_bytes(octets)["From"])
                """
            for message in self.relay.messages {
                let result = try ChildProgram.run(Self.python, ["-c", script], input: message.octets)
                #expect(
                    result.output == "True r1._domainkey.example.com.\ndmarc@example.com\n",
                    "\(result.output)\(result.errors)"
                )
            }
            #expect(self.relay.messages.count == 2)
        }

        @Test("Settings that say too little, and words that are none, are told")
        func wrong() throws {
            var file = self.gateway.file
            file.top = ["dmarc_reports: {enabled: true, organisation: X}"]
            try self.gateway.write(file)
            let result = try ProgramUnderTest.run(["config", "check", "--config", self.gateway.configuration])
            #expect(result.status == 1)
            let text = result.output + result.errors
            #expect(text.contains("did you mean `organization`?"), "\(text)")
            #expect(text.contains("names no `email`"))
            #expect(try self.gateway.command(["dmarc", "report", "--date", "2026-02-30"]).status == 64)
        }
    }
}
