import Foundation
import OutpostTestKit
import Testing

@testable import MailRules

/// The `test` lines of SpamAssassin's stock rules.
@Suite("Test lines of stock rules", .enabled(if: Fixture.shared("sa-rule-language/regression-tests.json") != nil))
struct RegressionLineTests {
    private struct Line: Decodable {
        var rule: String
        var expect: String
        var text: String
    }

    private static let ruleFiles = Fixture.shared("sa-reference").map { $0.appending(path: "config/stock") }

    @Test("Each rule hits its texts and misses the others", .enabled(if: ruleFiles != nil))
    func lines() throws {
        let directory = try #require(Self.ruleFiles)
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".cf") }.sorted()
        var sources = try names.map { RuleSource(file: $0, bytes: try Fixture.bytes(directory.appending(path: $0))) }
        let file = try #require(Fixture.shared("sa-rule-language/regression-tests.json"))
        let lines = try JSONDecoder().decode([Line].self, from: Data(try Fixture.bytes(file)))
        // Some are switched off by their scores.
        sources.append(RuleSource(file: "z.cf", text: Set(lines.map { "score \($0.rule) 1" }).sorted().joined(separator: "\n")))
        let evaluator = RuleEvaluator(ruleSet: try #require(RuleCompiler().compile(sources).ruleSet))
        #expect(lines.count == 37)
        for line in lines {
            let textCase = RuleTextCase(rule: line.rule, mustHit: line.expect == "ok", text: Array(line.text.utf8))
            #expect(textCase.didHit(with: evaluator) == textCase.mustHit, "\(line.rule) \(line.expect): \(line.text)")
        }
    }
}
