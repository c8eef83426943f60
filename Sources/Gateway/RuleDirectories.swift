import Foundation
import MailRules

/// Reads rule files from disk for the compiler: in each directory the `*.pre`, then the `*.cf` files by name.
package enum RuleDirectories {
    package struct Problem: Error, CustomStringConvertible {
        package let description: String
    }

    package static func sources(in directories: [String]) throws(Problem) -> [RuleSource] {
        var sources: [RuleSource] = []
        for directory in directories {
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: directory)
            } catch {
                throw Problem(
                    description: "\(directory): this rule directory cannot be read; create it or take it out of `rules`"
                )
            }
            for suffix in [".pre", ".cf"] {
                for name in names.filter({ $0.hasSuffix(suffix) && !$0.hasPrefix(".") }).sorted() {
                    let path = directory + (directory.hasSuffix("/") ? "" : "/") + name
                    guard let source = self.source(path) else {
                        throw Problem(description: "\(path): this rule file cannot be read")
                    }
                    sources.append(source)
                }
            }
        }
        return sources
    }

    /// Compiles the rules of these directories; problems of the rules themselves are in the result.
    /// - Parameter askNetwork: rules may ask the DNS, and their scores for that count.
    package static func compile(_ directories: [String], askNetwork: Bool = false) throws(Problem) -> RuleCompilation {
        var compiler = RuleCompiler()
        compiler.environment.isLocalOnly = !askNetwork
        compiler.scoreSet = askNetwork ? .network : .local
        return compiler.compile(try self.sources(in: directories), load: self.source)
    }

    /// One file, e.g. for `include`; nil if it cannot be read.
    package static func source(_ path: String) -> RuleSource? {
        FileManager.default.contents(atPath: path).map { RuleSource(file: path, bytes: [UInt8]($0)) }
    }
}
