import ArgumentParser

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Examine filter rules.",
        subcommands: [RulesLint.self, RulesList.self, RulesCompile.self, RulesTest.self]
    )
}
