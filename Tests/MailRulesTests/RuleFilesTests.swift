import Foundation
import MailRules
import MailTypes
import OutpostTestKit
import Testing

/// The rule set that comes with the gateway.
enum OwnRules {
    static let directory = Fixture.root.appending(path: "Rules")

    static func sources() throws -> [RuleSource] {
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".cf") }.sorted()
        return try names.map { RuleSource(file: "Rules/" + $0, bytes: try Fixture.bytes(directory.appending(path: $0))) }
    }

    static func ruleSet() throws -> RuleSet {
        let compilation = RuleCompiler().compile(try sources())
        guard let ruleSet = compilation.ruleSet else { throw RulesAreWrong(problems: compilation.problems) }
        return ruleSet
    }

    static func cases() -> [RuleTestCase] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: directory.appending(path: "tests").path)
        return RuleTestCase.cases(among: names ?? [])
    }
}

@Suite("Our own rules")
struct RuleFilesTests {
    @Test("Lint has nothing to say")
    func lint() throws {
        #expect(RuleCompiler().lint(try OwnRules.sources()).map(\.description) == [])
    }

    @Test("There are enough of them, and each has a message to hit and one to miss")
    func completeness() throws {
        let ruleSet = try OwnRules.ruleSet()
        #expect(ruleSet.rules.filter { !$0.isSubrule }.count >= 200)
        #expect(RuleTestCase.untested(in: ruleSet, cases: OwnRules.cases()) == [])
        #expect(Set(OwnRules.cases().map(\.rule)).subtracting(ruleSet.rules.map(\.name)) == [])
    }

    @Test("Each hits its message and misses the other")
    func samples() throws {
        let evaluator = RuleEvaluator(ruleSet: try OwnRules.ruleSet())
        for testCase in OwnRules.cases() {
            let sample = try Fixture.bytes(OwnRules.directory.appending(path: "tests/" + testCase.file))
            let outcome = testCase.run(sample, with: evaluator)
            #expect(outcome.passed, "\(testCase.file): \(outcome.findings.hits.map(\.rule))")
            #expect(outcome.findings.suspended == [])
        }
    }

    @Test("What a rule must miss stays below the score that tags a message")
    func misses() throws {
        let evaluator = RuleEvaluator(ruleSet: try OwnRules.ruleSet())
        for testCase in OwnRules.cases() where !testCase.mustHit {
            let sample = try Fixture.bytes(OwnRules.directory.appending(path: "tests/" + testCase.file))
            let hits = testCase.run(sample, with: evaluator).findings.hits
            #expect(hits.reduce(0) { $0 + $1.score } < 5, "\(testCase.file): \(hits.map(\.rule))")
        }
    }
}
