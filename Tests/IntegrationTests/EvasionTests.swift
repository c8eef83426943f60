import Foundation
import OutpostTestKit
import Testing

extension IntegrationTests {
    /// Messages made so that filters and readers see different things, judged by `outpost check` with the built-in scanner.
    @Suite("Evasion", .serialized)
    struct Evasion {
        private static let samples = "mime/mime-is-broken"
        private static let hasSamples = Fixture.shared(samples) != nil

        private struct Sample: Decodable {
            let dir: String
            let file: String
            let id: String
            let validity: Int
        }

        private struct Report: Decodable {
            struct Hit: Decodable {
                let rule: String
            }

            struct Virus: Decodable {
                let status: String
            }

            let file: String
            let disposition: String
            let hits: [Hit]
            let virus: Virus
        }

        private static func samples(_ directory: String) throws -> [Sample] {
            let index = try #require(Fixture.shared(self.samples + "/index.jsonl"))
            let lines = String(decoding: try Fixture.bytes(index), as: UTF8.self).split(separator: "\n")
            return try lines.map { try JSONDecoder().decode(Sample.self, from: Data($0.utf8)) }.filter { $0.dir == directory }
        }

        /// What `outpost check` says of each file, by its path.
        private static func reports(_ file: GatewayFile, _ paths: [String]) throws -> [String: Report] {
            let directory = try TemporaryDirectory()
            let configuration = try directory.write(file.text(port: 2525, data: directory.path + "/data"), to: "outpost.yaml")
            let result = try ProgramUnderTest.run(["check", "--config", configuration, "--format", "json"] + paths)
            let reports = try result.output.split(separator: "\n").map {
                try JSONDecoder().decode(Report.self, from: Data($0.utf8))
            }
            return Dictionary(uniqueKeysWithValues: reports.map { ($0.file, $0) })
        }

        private static func path(_ sample: Sample) -> String {
            Fixture.sharedTestData.appending(path: "\(self.samples)/\(sample.dir)/\(sample.file)").path
        }

        /// Two samples have no archive in what they call BinHex; no reader finds one there, and they are held.
        @Test("a virus hidden in 186 ways is found, or the message is held", .enabled(if: hasSamples))
        func content() throws {
            var file = GatewayFile(downstream: 25)
            file.rules = []
            let samples = try Self.samples("hide-content.d")
            let reports = try Self.reports(file, samples.map(Self.path))
            #expect(samples.count == 186)
            var found = 0
            var wellFormed = (found: 0, all: 0)
            for sample in samples {
                let report = try #require(reports[Self.path(sample)])
                let isFound = report.disposition == "reject" && report.virus.status == "infected"
                #expect(isFound || report.disposition == "hold", "\(sample.id): \(report.disposition)")
                if isFound { found += 1 }
                guard sample.validity >= 1 else { continue }
                wellFormed.all += 1
                if isFound { wellFormed.found += 1 }
            }
            #expect(found >= 184, "\(found) of \(samples.count)")
            #expect(wellFormed.found * 100 >= wellFormed.all * 95, "\(wellFormed)")
        }

        @Test("the name of a file hidden in 174 ways is seen, or the message is held", .enabled(if: hasSamples))
        func names() throws {
            var file = GatewayFile.bare(downstream: 25)
            file.policy = ["archives: {forbidden_names: [\"*.zip\"]}"]
            // Two controls have another name and nothing else.
            let samples = try Self.samples("hide-filename.d").filter { !$0.id.hasSuffix(".png") }
            let reports = try Self.reports(file, samples.map(Self.path))
            #expect(samples.count == 174)
            for sample in samples {
                let report = try #require(reports[Self.path(sample)])
                let isSeen = report.hits.contains { $0.rule == "ATTACHMENT_NAME_FORBIDDEN" } && report.disposition == "reject"
                #expect(isSeen || report.disposition == "hold", "\(sample.id): \(report.disposition)")
            }
        }

        @Test(
            "a virus hidden by 600 random combinations of ambiguities is found or held, or no reader opens it",
            .enabled(if: ChildProgram.installed("python3") != nil, "python3 is not installed")
        )
        func combinations() throws {
            let result = try ChildProgram.run(
                ChildProgram.installed("python3") ?? "python3",
                [
                    Fixture.root.appending(path: "scripts/evasions").path, "--outpost", ProgramUnderTest.programs, "--count",
                    "600",
                    "--seed", "11",
                ]
            )
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            // Fewer than these would say that the generator makes nothing that anybody opens.
            let refused = result.output.firstMatch(of: /(\d+) refused for the virus/).flatMap { Int($0.1) }
            #expect(try #require(refused) >= 480, "\(result.output)")
        }

        private static let corpus = "corpora/spamassassin-public-corpus.tar.xz"

        /// The published corpus of mail that people wanted: the files of its ham directories.
        private static func ham(in directory: TemporaryDirectory) throws -> [String] {
            let tar = Process()
            tar.executableURL = URL(filePath: "/usr/bin/tar")
            tar.arguments = ["-xJf", try #require(Fixture.shared(self.corpus)).path, "-C", directory.path]
            try tar.run()
            tar.waitUntilExit()
            #expect(tar.terminationStatus == 0)
            let names = FileManager.default.enumerator(atPath: directory.path)?.compactMap { $0 as? String } ?? []
            return names.filter { $0.contains("ham") && $0.contains("/") && !$0.hasSuffix("cmds") }.sorted()
                .map { directory.path + "/" + $0 }
                .filter { path in
                    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                    return attributes?[.type] as? FileAttributeType == .typeRegular
                }
        }

        /// Files that one run of the program is given: what a command line holds.
        private static let batch = 500

        @Test("of mail that people wanted, less than one in a thousand is held", .enabled(if: Fixture.shared(corpus) != nil))
        func wanted() throws {
            let directory = try TemporaryDirectory()
            let paths = try Self.ham(in: directory)
            try #require(paths.count > 4_000)
            var file = GatewayFile.bare(downstream: 25)
            file.policy = ["tag_score: off", "hold_score: off", "reject_score: off"]
            var held: [String] = []
            for start in stride(from: 0, to: paths.count, by: Self.batch) {
                let reports = try Self.reports(file, Array(paths[start..<min(start + Self.batch, paths.count)]))
                held += reports.values.filter { $0.disposition != "deliver" }.map { "\($0.file): \($0.hits.map(\.rule))" }
            }
            #expect(held.count * 1_000 < paths.count, "\(held)")
        }
    }
}
