import ArgumentParser
import Foundation
import Gateway
import MailRules
import MailStore
import MailTypes

struct RulesTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run rules over their sample messages and over the texts of `test` lines.",
        discussion: """
            Samples are files NAME.hit.eml and NAME.miss.eml, in the directory `tests` below each rule directory, or in the one \
            that --samples names. Lines in rule files, `test NAME ok TEXT` and `test NAME fail TEXT`, give a text that a rule must \
            hit or must not. Exit code 1 when one of them fails, or a scoring rule has neither something to hit nor something to \
            miss.
            """
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "The directory of samples.") var samples: String?
    @Flag(help: "Rules without samples are no failure.") var allowUntested = false
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func run() async throws {
        let files = try self.rules.files()
        let compilation = RuleCompiler().compile(files.sources, load: RuleDirectories.source)
        for problem in compilation.problems where problem.severity == .error { complain("\(problem)") }
        guard let ruleSet = compilation.ruleSet else { throw ExitCode(1) }
        let directories = self.samples.map { [$0] } ?? files.directories.map { $0 + "/tests" }
        let names = directories.flatMap { directory in
            ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).map { directory + "/" + $0 }
        }
        let cases = RuleTestCase.cases(among: names)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        var results = compilation.textCases.map { Result($0, didHit: $0.didHit(with: evaluator), in: ruleSet) }
        for testCase in cases {
            guard let data = FileManager.default.contents(atPath: testCase.file) else {
                results.append(Result(unreadable: testCase))
                continue
            }
            results.append(Result(testCase.run([UInt8](data), with: evaluator)))
        }
        let tested = Set(compilation.textCases.map(\.rule))
        let untested = RuleTestCase.untested(in: ruleSet, cases: cases).filter { !tested.contains($0) }
        try self.tell(results, untested)
        if results.contains(where: { !$0.passed }) || (!untested.isEmpty && !self.allowUntested) { throw ExitCode(1) }
    }

    private func tell(_ results: [Result], _ untested: [String]) throws {
        guard self.format == .text else {
            for result in results { say(try jsonLine(result)) }
            for name in untested { say(try jsonLine(Untested(untested: name))) }
            return
        }
        for result in results where !result.passed {
            say("\(result.place): \(result.rule) \(result.problem ?? "failed")")
            if let text = result.text { say("    text: \(text)") }
            for match in result.matches { say("    hit: \(match)") }
        }
        if !self.allowUntested { for name in untested { say("\(name): has no sample to hit or none to miss") } }
        let failed = results.count { !$0.passed }
        let skipped = results.count(where: \.skipped)
        let rest = skipped > 0 ? ", \(skipped) skipped because the rule is switched off" : ""
        say("\(results.count - failed - skipped) passed, \(failed) failed, \(untested.count) rules without samples\(rest)")
    }

    /// How one sample or one text went.
    private struct Result: Encodable {
        var rule: String
        var place: String
        var must_hit: Bool
        var passed: Bool
        /// The rule is there and not run: it scores 0, or is a draft.
        var skipped = false
        var problem: String?
        /// The text of a `test` line.
        var text: String?
        /// What a rule hit that must not.
        var matches: [String] = []

        init(_ testCase: RuleTextCase, didHit: Bool?, in ruleSet: RuleSet) {
            self.rule = testCase.rule
            self.place = "\(testCase.file):\(testCase.line)"
            self.must_hit = testCase.mustHit
            self.skipped = didHit == nil && ruleSet[testCase.rule] != nil
            self.passed = didHit == testCase.mustHit || self.skipped
            self.text = readable(testCase.text[...])
            if self.skipped {
                self.problem = "is switched off"
            } else if didHit == nil {
                self.problem = "is no rule of these files"
            } else if !self.passed {
                self.problem = testCase.mustHit ? "must hit, and does not" : "must not hit, and does"
            }
        }

        init(_ outcome: RuleTestCase.Outcome) {
            self.rule = outcome.testCase.rule
            self.place = outcome.testCase.file
            self.must_hit = outcome.testCase.mustHit
            self.passed = outcome.passed
            guard !outcome.passed else { return }
            if !outcome.isKnown {
                self.problem = "is no rule of these files"
            } else if outcome.findings.suspended.contains(self.rule) {
                self.problem = "ran over its limits"
            } else {
                self.problem = self.must_hit ? "must hit, and does not" : "must not hit, and does"
            }
            let hit = (outcome.findings.hits + outcome.findings.shadowHits).first { $0.rule == outcome.testCase.rule }
            self.matches = (hit?.locations ?? []).map { "\($0.view) at \($0.offset): \"\($0.text)\"" }
        }

        init(unreadable testCase: RuleTestCase) {
            self.rule = testCase.rule
            self.place = testCase.file
            self.must_hit = testCase.mustHit
            self.passed = false
            self.problem = "cannot be tried: the file cannot be read"
        }
    }

    private struct Untested: Encodable {
        var untested: String
    }
}
