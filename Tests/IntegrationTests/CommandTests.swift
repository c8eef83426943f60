import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// The commands that need no server, held against what the server does.
    @Suite("Commands", .serialized)
    struct Commands {
        /// What programs read of `outpost check --format json`.
        private struct Report: Decodable {
            struct Hit: Decodable {
                let rule: String
                let score: Double
                let description: String
                let file: String
                let line: Int
            }

            struct Virus: Decodable {
                let status: String
                let signature: String?
                let reason: String?
            }

            struct CheckEntry: Decodable {
                let check: String
                let result: String
                let microseconds: Int
            }

            let file: String
            let disposition: String
            let reply: String
            let policy: String
            let score: Double
            let hits: [Hit]
            let virus: Virus
            let checks: [CheckEntry]
            let microseconds: Int
        }

        private struct Sample {
            let name: String
            let sender: String
            let recipient: String
            let octets: [UInt8]

            static func all() throws -> [Sample] {
                let index = String(
                    decoding: try Fixture.bytes(Fixture.directory.appending(path: "samples/index.tsv")),
                    as: UTF8.self
                )
                return try index.split(separator: "\n").map { line in
                    let columns = line.split(separator: "\t").map(String.init)
                    return Sample(
                        name: columns[0],
                        sender: columns[1],
                        recipient: columns[2],
                        octets: try TestMail.sample(columns[0])
                    )
                }
            }
        }

        @Test("check says of each sample what serve does with it")
        func checkAgreesWithServe() throws {
            let server = try RecordingMailServer()
            let gateway = try ProgramUnderTest(GatewayFile(downstream: server.port))
            let files = try TemporaryDirectory()
            for sample in try Sample.all() where !sample.name.hasPrefix("08") && !sample.name.hasPrefix("09") {
                let path = files.path + "/" + sample.name
                try Data(sample.octets).write(to: URL(filePath: path))
                let arguments = [
                    "check", "--client-ip", "127.0.0.1", "--helo", "client.example.org", "--mail-from", sample.sender,
                    "--rcpt-to",
                    sample.recipient,
                ]
                let json = try gateway.command(arguments + ["--format", "json", path])
                let report = try JSONDecoder().decode(Report.self, from: Data(json.output.utf8))
                let text = try gateway.command(arguments + [path])
                let reply = try SMTPTestClient(port: gateway.port).send(
                    sample.octets,
                    from: sample.sender,
                    to: [sample.recipient]
                )
                // Ids differ from message to message, and the downstream's reply is its own.
                let withoutID = { (text: String) in text.replacing(/\([0-9A-Z]{12}\)/, with: "") }
                if reply.isPermanent {
                    #expect(withoutID(report.reply) == withoutID(reply.text), "\(sample.name)")
                } else {
                    #expect(report.reply.prefix(3) == reply.text.prefix(3), "\(sample.name): \(report.reply), \(reply)")
                }
                #expect(json.status == (report.disposition == "reject" ? 1 : 0))
                #expect(text.status == json.status)
                #expect(text.output.hasPrefix("\(path): \(report.disposition)"))
                var line: String?
                try Wait.until("the line of \(sample.name)") {
                    line = gateway.log.split(separator: "\n").last { $0.contains("from=<\(sample.sender)>") }.map(String.init)
                    return line != nil
                }
                #expect(line?.contains("disposition=\(report.disposition) ") == true, "\(sample.name): \(line ?? "")")
                let hits = report.hits.map(\.rule)
                for rule in hits { #expect(line?.contains(rule) == true, "\(rule): \(line ?? "")") }
                #expect(report.virus.status == (sample.name.hasPrefix("05") ? "infected" : "clean"))
                #expect(report.policy == "default" && !report.checks.isEmpty && report.microseconds > 0)
            }
        }

        @Test("the JSON has every key of the contract, also when there is nothing to say")
        func keys() throws {
            let directory = try TemporaryDirectory()
            let file = GatewayFile.bare(downstream: 25)
            let configuration = try directory.write(file.text(port: 2525, data: directory.path + "/data"), to: "outpost.yaml")
            let sample = Fixture.directory.appending(path: "samples/01-plain.eml").path
            let result = try ProgramUnderTest.run([
                "check", "--config", configuration, "--format", "json", "--subrules", sample,
            ])
            let object = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
            for key in [
                "file", "disposition", "reply", "policy", "score", "hits", "virus", "checks", "microseconds", "subhits",
            ] {
                #expect(object[key] != nil, "\(key)")
            }
            let virus = try #require(object["virus"] as? [String: Any])
            #expect(virus["status"] as? String == "not_scanned" && virus["signature"] is NSNull)
            #expect(result.output.filter { $0 == "\n" }.count == 1)
        }

        @Test("check reads standard input, and says 66 for a file that is not there")
        func input() throws {
            let directory = try TemporaryDirectory()
            let file = GatewayFile.bare(downstream: 25)
            let configuration = try directory.write(file.text(port: 2525, data: directory.path + "/data"), to: "outpost.yaml")
            let arguments = ["check", "--config", configuration]
            #expect(try ProgramUnderTest.run(arguments + ["-"], input: TestMail().octets).status == 0)
            #expect(try ProgramUnderTest.run(arguments + [directory.path + "/no.eml"]).status == 66)
            #expect(try ProgramUnderTest.run(["check", "--unknown"]).status == 64)
        }

        @Test("config check tells good from bad")
        func configCheck() throws {
            let directory = try TemporaryDirectory()
            let good = GatewayFile.bare(downstream: 25).text(port: 2525, data: directory.path + "/data")
            let goodPath = try directory.write(good, to: "good.yaml")
            let badPath = try directory.write(good + "hostnam: x\n", to: "bad.yaml")
            let fine = try ProgramUnderTest.run(["config", "check", "--config", goodPath])
            #expect(fine.status == 0 && fine.output.contains("ok"), "\(fine.errors)")
            let bad = try ProgramUnderTest.run(["config", "check", "--config", badPath])
            #expect(bad.status == 1 && bad.errors.contains("hostnam") && bad.errors.contains("hostname"), "\(bad.errors)")
            #expect(try ProgramUnderTest.run(["config", "check", "--config", directory.path + "/none.yaml"]).status == 66)
            #expect(try ProgramUnderTest.run(["serve", "--config", badPath]).status == 1)
        }

        @Test("the shipped rules are without error and pass their samples")
        func shippedRules() throws {
            let rules = Fixture.root.appending(path: "Rules").path
            let lint = try ProgramUnderTest.run(["rules", "lint", rules])
            #expect(lint.status == 0, "\(lint.output)\(lint.errors)")
            let samples = try ProgramUnderTest.run(["rules", "test", rules])
            #expect(samples.status == 0, "\(samples.output)\(samples.errors)")
            #expect(samples.output.contains(" 0 failed, 0 rules without samples"))
        }
    }
}
