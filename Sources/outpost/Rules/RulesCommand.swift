import ArgumentParser
import Foundation
import Gateway
import MailRules

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Examine filter rules.",
        subcommands: [RulesLint.self, RulesList.self, RulesTest.self]
    )
}

/// Which rule files a command looks at.
struct RulesOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Rule files or directories of them. Default: those of the configuration.")
    var paths: [String] = []

    func sources() throws -> [RuleSource] {
        let paths = self.paths.isEmpty ? try self.options.load().ruleDirectories : self.paths
        var sources: [RuleSource] = []
        for path in paths {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
                complain("\(path): there is no such file")
                throw ExitCode(66)
            }
            if isDirectory.boolValue {
                sources += try RuleDirectories.sources(in: [path])
            } else if let source = RuleDirectories.source(path) {
                sources.append(source)
            } else {
                complain("\(path): cannot be read")
                throw ExitCode(66)
            }
        }
        return sources
    }

    /// The compiled rules; their errors are printed, and the command ends with 1.
    func compiled() throws -> RuleSet {
        let compilation = RuleCompiler().compile(try self.sources(), load: RuleDirectories.source)
        for problem in compilation.problems where problem.severity == .error { complain("\(problem)") }
        guard let rules = compilation.ruleSet else { throw ExitCode(1) }
        return rules
    }
}

struct RulesLint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Report every problem of rule files as file:line:column.",
        discussion: "Exit code 1 when there are errors; warnings and notes do not count."
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func run() async throws {
        let problems = RuleCompiler().lint(try self.rules.sources(), load: RuleDirectories.source)
        for problem in problems { say(self.format == .json ? try json(problem) : "\(problem)") }
        let errors = problems.count { $0.severity == .error }
        if self.format == .text { say("\(errors) errors, \(problems.count - errors) warnings and notes") }
        if errors > 0 { throw ExitCode(1) }
    }

    private func json(_ problem: RuleProblem) throws -> String {
        try jsonLine([
            "file": .text(problem.file), "line": .number(problem.line), "column": .number(problem.column),
            "severity": .text(problem.severity.rawValue), "message": .text(problem.message),
            "hint": problem.hint.map { .text($0) } ?? .null,
        ])
    }
}

struct RulesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List rules with score, kind and description, in the order of the files."
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text
    @Flag(help: "Also rules that do not score by themselves.") var subrules = false

    func run() async throws {
        for rule in try self.rules.compiled().rules where self.subrules || (!rule.isSubrule && rule.isActive) {
            if self.format == .json {
                say(
                    try jsonLine([
                        "rule": .text(rule.name), "kind": .text(rule.kind.rawValue), "score": .decimal(rule.score),
                        "description": .text(rule.description), "file": .text(rule.file), "line": .number(rule.line),
                    ])
                )
            } else {
                let score = String(format: "%8.2f", rule.score)
                let name = rule.name.padding(toLength: max(30, rule.name.count), withPad: " ", startingAt: 0)
                say("\(score) \(name) \(rule.kind.rawValue): \(rule.description)  [\(rule.file):\(rule.line)]")
            }
        }
    }
}

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
        let directories = try self.samples.map { [$0] } ?? self.rules.directories().map { $0 + "/tests" }
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

extension RulesOptions {
    fileprivate func directories() throws -> [String] {
        let paths = self.paths.isEmpty ? try self.options.load().ruleDirectories : self.paths
        return paths.filter { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
        }
    }
}
