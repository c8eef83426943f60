import ArgumentParser
import Foundation
import Gateway
import MailRules

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

    /// The directories among the paths.
    func directories() throws -> [String] {
        let paths = self.paths.isEmpty ? try self.options.load().ruleDirectories : self.paths
        return paths.filter { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
        }
    }
}
