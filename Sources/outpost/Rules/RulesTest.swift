import ArgumentParser
import Foundation
import MailRules

struct RulesTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run rules over their sample messages.",
        discussion: """
            Samples are files NAME.hit.eml and NAME.miss.eml, in the directory `tests` below each rule directory, or in the one \
            that --samples names. Exit code 1 when a sample fails or a scoring rule has none.
            """
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "The directory of samples.") var samples: String?

    func run() async throws {
        let ruleSet = try self.rules.compiled()
        let directories = try self.samples.map { [$0] } ?? self.rules.files().directories.map { $0 + "/tests" }
        let files = directories.flatMap { directory in
            ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).map { directory + "/" + $0 }
        }
        let cases = RuleTestCase.cases(among: files)
        let evaluator = RuleEvaluator(ruleSet: ruleSet)
        var failures = 0
        for testCase in cases {
            guard let data = FileManager.default.contents(atPath: testCase.file) else { continue }
            let outcome = testCase.run([UInt8](data), with: evaluator)
            guard !outcome.passed else { continue }
            failures += 1
            let wanted = testCase.mustHit ? "must hit" : "must not hit"
            say("\(testCase.file): \(testCase.rule) \(outcome.isKnown ? wanted : "is no rule of these files")")
        }
        let untested = RuleTestCase.untested(in: ruleSet, cases: cases)
        for name in untested { say("\(name): has no sample to hit or none to miss") }
        say("\(cases.count - failures) samples passed, \(failures) failed, \(untested.count) rules without samples")
        if failures > 0 || !untested.isEmpty { throw ExitCode(1) }
    }
}
