import ArgumentParser
import Foundation
import MailRules
import MailStore

struct RulesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List rules with score, kind, stage and description, in the order of the files."
    )

    @OptionGroup var rules: RulesOptions
    @Option(help: "Output as text or json (one object a line).") var format: OutputFormat = .text
    @Flag(help: "Also rules that do not score by themselves.") var subrules = false
    @Flag(help: "Also how often each rule hit, as the gateway has counted: all days, and the last seven.") var hits = false

    func run() async throws {
        let counts = self.hits ? await RuleCounts.load(self.rules.options) ?? [] : []
        let byRule = Dictionary(grouping: counts, by: \.rule)
        let week = RuleHitCount.day(TimeText.now() - 6 * 86_400_000)
        var table = TextTable(
            [("score", .right), ("rule", .left), ("kind", .left), ("stage", .left)]
                + (self.hits ? [("hits", .right), ("7 days", .right), ("on trial", .right), ("last", .left)] : [])
                + [("description", .left), ("place", .left)]
        )
        for rule in try self.rules.compiled().rules
        where self.subrules || (!rule.isSubrule && (rule.isActive || rule.stage == .draft)) {
            let days = byRule[rule.name] ?? []
            let live = days.reduce(0) { $0 + $1.live }
            let recent = days.filter { $0.day >= week }.reduce(0) { $0 + $1.live }
            let shadow = days.reduce(0) { $0 + $1.shadow }
            let last = days.map(\.day).max()
            switch self.format {
            case .json:
                var fields: [String: JSONValue] = [
                    "rule": .text(rule.name), "kind": .text(rule.kind.rawValue), "score": .decimal(rule.score),
                    "stage": .text(rule.stage.rawValue), "description": .text(rule.description), "file": .text(rule.file),
                    "line": .number(rule.line),
                ]
                if self.hits {
                    fields["hits"] = .number(live)
                    fields["hits_7_days"] = .number(recent)
                    fields["shadow_hits"] = .number(shadow)
                    fields["last_hit"] = last.map { .text($0) } ?? .null
                }
                say(try jsonLine(fields))
            case .text:
                table.add(
                    [decimal(rule.score, 2), rule.name, rule.kind.rawValue, rule.stage.rawValue]
                        + (self.hits ? ["\(live)", "\(recent)", "\(shadow)", last ?? ""] : [])
                        + [rule.description, "\(rule.file):\(rule.line)"]
                )
            }
        }
        if self.format == .text { for line in table.lines { say(line) } }
    }
}
