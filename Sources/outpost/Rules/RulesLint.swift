import ArgumentParser
import Gateway
import MailRules
import MailStore

struct RulesLint: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Report every problem of rule files as file:line:column.",
        discussion: "Exit code 1 when there are errors; warnings and notes do not count."
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text

    func run() async throws {
        let problems = RuleCompiler().lint(try self.rules.files().sources, load: RuleDirectories.source)
        for problem in problems { say(self.format == .json ? try json(problem) : "\(problem)") }
        let errors = problems.count { $0.severity == .error }
        if self.format == .text {
            let counts = RuleProblem.Severity.allCases.map { severity in
                let count = problems.count { $0.severity == severity }
                return "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
            }
            say(counts.joined(separator: ", "))
        }
        if errors > 0 { throw ExitCode(1) }
    }

    private func json(_ problem: RuleProblem) throws -> String {
        let fields: [String: JSONValue] = [
            "file": .text(problem.file), "line": .number(problem.line), "column": .number(problem.column),
            "severity": .text(problem.severity.rawValue), "message": .text(problem.message),
            "hint": problem.hint.map { .text($0) } ?? .null,
        ]
        return try jsonLine(fields)
    }
}
