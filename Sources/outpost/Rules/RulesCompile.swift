import ArgumentParser
import Foundation
import Gateway
import Logging
import MailRules
import PatternKit

struct RulesCompile: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compile",
        abstract: "Compile the pattern databases of the configuration's rules.",
        discussion: """
            They make rules fast, and take seconds to minutes to compile. `serve` does it by itself, beside its work, and keeps \
            them in data_directory/cache/patterns; `check` uses what is there. This command makes what is missing, for a \
            machine that only checks files or before a first start.
            """
    )

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        guard PatternPrefilter.isAvailable else {
            complain("Vectorscan is not installed (libvectorscan5): rules work without it, one pattern after the other")
            throw ExitCode(75)
        }
        let snapshot = try self.options.snapshot()
        let directory = snapshot.configuration.patternCache.directory
        let builder = PatternBuilder(snapshot, logger: serviceLogger(snapshot.configuration.log))
        builder.run { patterns in say("compiling \(patterns) patterns") }
        say("pattern databases are in \(directory)")
    }
}
