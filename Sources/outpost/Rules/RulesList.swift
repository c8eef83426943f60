import ArgumentParser
import Foundation
import MailRules
import MailStore

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
                let fields: [String: JSONValue] = [
                    "rule": .text(rule.name), "kind": .text(rule.kind.rawValue), "score": .decimal(rule.score),
                    "description": .text(rule.description), "file": .text(rule.file), "line": .number(rule.line),
                ]
                say(try jsonLine(fields))
            } else {
                let score = String(format: "%8.2f", rule.score)
                let name = rule.name.padding(toLength: max(30, rule.name.count), withPad: " ", startingAt: 0)
                say("\(score) \(name) \(rule.kind.rawValue): \(rule.description)  [\(rule.file):\(rule.line)]")
            }
        }
    }
}
