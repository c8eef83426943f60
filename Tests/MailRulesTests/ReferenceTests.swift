import Foundation
import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import Testing

/// What SpamAssassin 4.0.1 itself hit with its stock rules, rule by rule, on public messages.
@Suite("Against SpamAssassin", .enabled(if: Fixture.shared("sa-reference") != nil))
struct ReferenceTests {
    private static let files = [
        "20_body_tests.cf", "20_drugs.cf", "20_head_tests.cf", "20_phrases.cf", "20_ratware.cf", "20_uri_tests.cf",
    ]

    /// Every tenth of the three hundred messages: the whole set takes long without optimisation.
    private static let stride = 10

    private struct Row: Decodable {
        var file: String
        var hits: [String]
        var subhits: [String]
    }

    private struct Rules: Decodable {
        struct Rule: Decodable {
            var name: String
            var type: String
            var active: Bool
        }
        var rules: [Rule]
    }

    @Test("Stock rules hit what SpamAssassin hits with them")
    func stock() throws {
        let base = try #require(Fixture.shared("sa-reference"))
        let stock = base.appending(path: "config/stock")
        let names = ReferenceTests.files + ["50_scores.cf"]
        let sources = try names.map { RuleSource(file: $0, bytes: try Fixture.bytes(stock.appending(path: $0))) }
        let compilation = RuleCompiler().compile(sources)
        #expect(compilation.problems.filter { $0.severity == .error } == [])
        let ruleSet = try #require(compilation.ruleSet)
        let compared = try ReferenceTests.comparable(ruleSet, sources, base)
        #expect(compared.count > 250)

        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let lines = String(decoding: try Fixture.bytes(base.appending(path: "public/stock.hits.jsonl")), as: UTF8.self)
        var agreed = 0
        for (number, line) in lines.split(separator: "\n").enumerated() where number % ReferenceTests.stride == 0 {
            let row = try JSONDecoder().decode(Row.self, from: Data(line.utf8))
            let message = try Fixture.bytes(base.appending(path: "public/messages/" + row.file))
            let found = RuleTestCase(rule: "", mustHit: true, file: row.file).run(message, with: evaluator).findings
            let expected = Set(row.hits + row.subhits).intersection(compared)
            let got = Set(found.hits.map(\.rule) + found.subhits).intersection(compared)
            #expect(got == expected, "\(row.file): \(got.symmetricDifference(expected).sorted())")
            #expect(found.suspended == [])
            agreed += got.count
        }
        #expect(agreed > 250)
    }

    /// Rules of the files that are one pattern, here and there, and no other file changes.
    private static func comparable(_ ruleSet: RuleSet, _ sources: [RuleSource], _ base: URL) throws -> Set<String> {
        let parsed = try Fixture.bytes(base.appending(path: "rules/stock.rules.json"))
        let rules = try JSONDecoder().decode(Rules.self, from: Data(parsed))
        let patterns = rules.rules.filter {
            ["header", "body", "rawbody", "uri", "full", "mimeheader"].contains($0.type) && $0.active
        }
        var names = Set(patterns.map(\.name))
        let replaced = sources.flatMap { String(decoding: $0.bytes, as: UTF8.self).split(separator: "\n") }
            .filter { $0.hasPrefix("replace_rules") }.flatMap { $0.split(separator: " ").dropFirst().map(String.init) }
        names.subtract(replaced)
        return names.filter { name in
            guard let rule = ruleSet[name] else { return false }
            if case .unavailable = rule.test { return false }
            return true
        }
    }
}
