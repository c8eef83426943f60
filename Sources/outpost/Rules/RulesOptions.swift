import ArgumentParser
import Foundation
import Gateway
import MailRules
import MailTypes
import PatternKit

/// Which rule files a command looks at, given as its arguments.
struct RulesOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOption
    @Argument(help: "Rule files or directories of them. Default: those of the configuration.")
    var paths: [String] = []

    func files() throws -> RuleFiles { try RuleFiles(self.paths, options: self.options) }

    func compiled() throws -> RuleSet { try self.files().compiled() }
}

/// Which rule files a command looks at, where its arguments are something else.
struct RuleFilesOption: ParsableArguments {
    @OptionGroup var options: ConfigurationOption
    @Option(help: "A rule file or a directory of them; may be repeated. Default: those of the configuration.")
    var rules: [String] = []

    func files() throws -> RuleFiles { try RuleFiles(self.rules, options: self.options) }
}

/// Rule files, read.
struct RuleFiles {
    /// As they were named.
    var paths: [String]
    var sources: [RuleSource]

    /// Leaves with 66 when something cannot be read.
    init(_ paths: [String], options: ConfigurationOption) throws {
        self.paths = paths.isEmpty ? try options.load().ruleDirectories : paths
        self.sources = []
        for path in self.paths {
            if Self.isDirectory(path) {
                self.sources += try RuleDirectories.sources(in: [path])
            } else if let source = RuleDirectories.source(path) {
                self.sources.append(source)
            } else {
                let exists = FileManager.default.fileExists(atPath: path)
                complain("\(path): \(exists ? "cannot be read" : "there is no such file")")
                throw ExitCode(66)
            }
        }
    }

    /// The directories among the paths.
    var directories: [String] { self.paths.filter(Self.isDirectory) }

    /// The compiled rules; their errors are printed, and the command ends with 1.
    func compiled() throws -> RuleSet { try Self.compiled(self.sources) }

    static func compiled(_ sources: [RuleSource]) throws -> RuleSet {
        let compilation = RuleCompiler().compile(sources, load: RuleDirectories.source)
        for problem in compilation.problems where problem.severity == .error { complain("\(problem)") }
        guard let rules = compilation.ruleSet else { throw ExitCode(1) }
        return rules
    }

    static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }
}
