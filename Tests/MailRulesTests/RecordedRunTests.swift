import Foundation
import MailTypes
import OutpostTestKit
import Testing

@testable import MailRules

/// Runs out of SpamAssassin's own test suite, recorded with version 4.0.1: rule files, a message, and the rules that must hit.
@Suite("Recorded runs of SpamAssassin", .enabled(if: Fixture.shared("sa-rule-language") != nil))
struct RecordedRunTests {
    struct Run: Decodable, CustomTestStringConvertible {
        var test: String
        var run: Int
        var message: String
        var rules: [String: String]
        var must_match: [String]
        var must_not_match: [String]
        var tests_hit: [String]

        var testDescription: String { "\(self.test) \(self.run)" }

        /// Rules that the run says must hit, and those that must not: ` 1.0 NAME ` and ` NAME `.
        var named: (hit: Set<String>, miss: Set<String>) {
            func names(_ patterns: [String]) -> Set<String> {
                Set(
                    patterns.compactMap { pattern in
                        let words = pattern.split(separator: " ").map(String.init)
                        guard let name = words.last, words.count == 1 || Double(words[0]) != nil else { return nil }
                        return name
                    }
                )
            }
            return (Set(self.tests_hit).union(names(self.must_match)), names(self.must_not_match))
        }
    }

    /// Tests that are not about rules and messages.
    private static let skipped = [
        "autolearn": "learning", "autolearn_force": "learning", "autolearn_force_fail": "learning",
        "blacklist_autolearn": "learning", "blocklist_autolearn": "learning",
        "config_text": "settings given on the command line",
        "debug": "output for debugging",
        "line_endings": "report formatting", "stripmarkup": "report formatting", "strip_no_subject": "report formatting",
        "report_safe": "report formatting",
        "extracttext": "programs outside",
        "prefs_include": "the included file was not recorded",
        "phishing": "lists from elsewhere",
        "plugin": "a plugin written in Perl", "plugin_file": "a plugin written in Perl",
        "plugin_priorities": "a plugin written in Perl", "metadata": "a plugin written in Perl",
    ]

    /// Rules whose difference is known.
    private static let differences = [
        "ENV_FROM": "the sender is that of the envelope, not what header fields tell of it",
        "LT_ENVFROM": "the sender is that of the envelope, not what header fields tell of it",
        "LT_AUTH_DOM": "X-AuthorDomain is not known",
        "TEST_CAPTURE_7": ":domain is not known",
        "GUARANTEE": "the text of HTML",
        "BODY_TEST": "text in UTF-16", "SUBJ_TEST": "a header field in UTF-16",
    ]

    private static let runs: [Run] = {
        guard let file = Fixture.shared("sa-rule-language/cases.jsonl"), let bytes = try? Fixture.bytes(file) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            (try? JSONDecoder().decode(Run.self, from: Data(line.utf8))).flatMap { skipped[$0.test] == nil ? $0 : nil }
        }
    }()

    @Test("There are as many as were recorded")
    func count() {
        #expect(RecordedRunTests.runs.count == 132)
    }

    @Test("Rules of the run hit what they hit there", arguments: runs)
    func run(_ run: Run) throws {
        let base = try #require(Fixture.shared("sa-rule-language"))
        func source(_ name: String, _ path: String) throws -> RuleSource {
            RuleSource(file: name, bytes: try Fixture.bytes(base.appending(path: path)))
        }
        var sources = try ["01_test_rules.pre", "01_test_rules.cf"].map { try source($0, $0) }
        let own = try run.rules.sorted { $0.key < $1.key }.map { try source($0.key, $0.value) }
        sources += own
        let compilation = RuleCompiler().compile(sources)
        #expect(compilation.problems.filter { $0.severity == .error } == [])
        let ruleSet = try #require(compilation.ruleSet)

        // Rules that need what is not here are told of by lint, and so are not looked at; no more are metas made of them.
        let files = Set(own.map(\.file))
        let available = ruleSet.rules.filter { files.contains($0.file) && RecordedRunTests.isAvailable($0, ruleSet) }
        let looked = Set(available.map(\.name)).subtracting(RecordedRunTests.differences.keys)
        let message = try Fixture.bytes(base.appending(path: run.message))
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        let findings = RuleTestCase(rule: "", mustHit: true, file: "").run(message, with: evaluator).findings
        let hits = Set(findings.hits.map(\.rule)).intersection(looked)
        let named = run.named
        #expect(named.hit.intersection(looked).subtracting(hits) == [])
        #expect(named.miss.intersection(hits) == [])
        if !run.tests_hit.isEmpty { #expect(hits.subtracting(named.hit) == []) }
    }

    private static func isAvailable(_ rule: Rule, _ ruleSet: RuleSet) -> Bool {
        switch rule.test {
        case .unavailable: false
        case .meta(let meta): meta.names.allSatisfy { ruleSet[$0].map { self.isAvailable($0, ruleSet) } ?? true }
        default: true
        }
    }
}
