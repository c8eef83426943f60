import ArgumentParser
import Gateway
import MailRules

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Examine the configuration.",
        subcommands: [ConfigCheck.self]
    )
}

struct ConfigCheck: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the configuration, its rules and its certificates as `serve` would, without starting anything.",
        discussion: "Every problem is printed as file:line:column. Exit code 1 when there are errors."
    )

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let snapshot = try self.options.snapshot()
        let problems = snapshot.startProblems()
        for problem in problems { complain("\(self.options.config): \(problem)") }
        guard problems.isEmpty else { throw ExitCode(1) }
        let domains = snapshot.configuration.domains.flatMap(\.names).count
        let rules = snapshot.rules?.ruleCount ?? 0
        say("\(self.options.config): ok, \(domains) domain\(domains == 1 ? "" : "s"), \(rules) rule\(rules == 1 ? "" : "s")")
    }
}
