import ArgumentParser

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Examine, test, try and rehearse filter rules.",
        subcommands: [
            RulesLint.self, RulesList.self, RulesExplain.self, RulesTest.self, RulesCompile.self, RulesTry.self, RulesDiff.self,
            RulesBench.self,
        ]
    )
}
