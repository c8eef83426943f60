import ArgumentParser
import ConfigurationFile
import Foundation
import Gateway
import Logging
import MailRules
import QuarantineReview

/// `--config`, as every command that needs the gateway's settings takes it.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: "The configuration file. The environment variable OUTPOST_CONFIG names another default.")
    var config: String = ProcessInfo.processInfo.environment["OUTPOST_CONFIG"] ?? "/etc/outpost/outpost.yaml"

    /// Reads the configuration; tells every problem and leaves with 66 (no such file) or 1 (errors in it).
    func load(tell: (String) -> Void = complain) throws -> GatewayConfiguration {
        guard FileManager.default.isReadableFile(atPath: self.config) else {
            tell("\(self.config): cannot be read; name the configuration file with --config FILE")
            throw ExitCode(66)
        }
        let result = ConfigurationReader.load(
            file: self.config,
            environment: ProcessInfo.processInfo.environment,
            files: SystemFileAccess()
        )
        for issue in result.issues { tell("\(issue)") }
        guard var configuration = result.configuration else { throw ExitCode(1) }
        configuration.file = URL(filePath: self.config).path
        return configuration
    }

    /// The admin socket of the gateway that runs with this file, also when the file has faults by now.
    func adminSocket() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        let file = self.config
        guard let path = ConfigurationReader.adminSocket(file: file, environment: environment, files: SystemFileAccess()) else {
            throw CommandFailure(
                .noInput,
                "\(file): cannot be read, or names no `data_directory`; name the file with --config FILE"
            )
        }
        return path
    }

    /// The configuration with its rules compiled; tells every problem and leaves with 1 when the rules have errors.
    func snapshot(generation: Int = 0, tell: (String) -> Void = complain) throws -> GatewaySnapshot {
        let configuration = try self.load(tell: tell)
        let sender: SenderResources
        do {
            sender = try SenderResources(configuration)
        } catch {
            tell("\(error)")
            throw ExitCode(1)
        }
        // A warning is no reason for anything: it is not told as one.
        for warning in sender.warnings { complain("warning: \(warning)") }
        return GatewaySnapshot(
            configuration: configuration,
            rules: try compiledRules(configuration, tell: tell),
            sender: sender,
            generation: generation
        )
    }
}

/// The rules of a configuration; nil when it names no rule directory.
func compiledRules(_ configuration: GatewayConfiguration, tell: (String) -> Void = complain) throws -> RuleSet? {
    guard !configuration.ruleDirectories.isEmpty else { return nil }
    let compilation: RuleCompilation
    do {
        compilation = try RuleDirectories.compile(
            configuration.ruleDirectories,
            askNetwork: configuration.rulesAskNetwork
        )
    } catch {
        tell("\(error)")
        throw ExitCode(66)
    }
    for problem in compilation.problems where problem.severity == .error { tell("\(problem)") }
    guard let rules = compilation.ruleSet else { throw ExitCode(1) }
    return rules
}

/// A line on standard error.
func complain(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// A line on standard output, at once: a reader at the other end of a pipe sees each result when it is there.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

/// Does something about each thing that a person has named, and says what; ends with 1 when one of them is not there.
/// - Parameters:
///   - missing: how the complaint begins: `there is no entry`.
///   - work: what was done; nil: it is not there.
func each<Name>(_ names: [Name], missing: String, _ work: (Name) async throws -> String?) async throws {
    var isMissing = false
    for name in names {
        let text = HarmlessText.line("\(name)")
        if let done = try await work(name) {
            say("\(text): \(done)")
        } else {
            complain("outpost: \(missing) \(text)")
            isMissing = true
        }
    }
    if isMissing { throw ExitCode(CommandFailure.Code.answerIsNo.rawValue) }
}
