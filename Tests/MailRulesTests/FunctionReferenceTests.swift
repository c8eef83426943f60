import Foundation
import OutpostTestKit
import Testing

@testable import MailRules

@Suite("The list of functions")
struct FunctionReferenceTests {
    private static let plugins = "/usr/share/perl5/Mail/SpamAssassin/Plugin"

    @Test("What is said to be there is there, and nothing else")
    func availability() {
        let available = Set(FunctionReference.entries.filter(\.isAvailable).map(\.function))
        // `uri_detail` rules are made of it; no rule calls it by name.
        #expect(available.subtracting(EvalCatalogue.functions.keys) == ["check_uri_detail"])
        #expect(Set(EvalCatalogue.functions.keys).subtracting(available) == [])
        for (name, function) in EvalCatalogue.functions {
            #expect(KnownFunctions.entries[name]?.plugin == function.plugin, "\(name)")
        }
    }

    @Test("The installed SpamAssassin has these functions", .enabled(if: FileManager.default.fileExists(atPath: plugins)))
    func installed() throws {
        var registered: [String: String] = [:]
        for file in try FileManager.default.contentsOfDirectory(atPath: Self.plugins) where file.hasSuffix(".pm") {
            let text = try String(contentsOfFile: Self.plugins + "/" + file, encoding: .isoLatin1)
            let isListed = text.contains("register_eval_rule($")
            for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("#") {
                for match in line.matches(of: /register_eval_rule\s*\(\s*["'](\w+)["']/) {
                    registered[String(match.1)] = String(file.dropLast(3))
                }
                // Some register what a list has.
                guard isListed, let match = line.wholeMatch(of: /\s*'(check_\w+)'(?:,| => \$Mail.*)/) else { continue }
                registered[String(match.1)] = String(file.dropLast(3))
            }
        }
        #expect(registered.count > 150)
        let known = Dictionary(uniqueKeysWithValues: FunctionReference.entries.map { ($0.function, $0.plugin) })
        #expect(registered.filter { known[$0.key] != $0.value } == [:])
        #expect(known.filter { registered[$0.key] != $0.value } == [:])
    }

    @Test("The document has them all")
    func document() throws {
        let file = Fixture.root.appending(path: "docs/rules-functions.md")
        let stored = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        if stored != FunctionReference.markdown, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
            try Data(FunctionReference.markdown.utf8).write(to: file.appendingPathExtension("got"))
        }
        #expect(stored == FunctionReference.markdown)
    }

    @Test("Lint says of each that is missing which it is, once for each rule that calls it")
    func missing() {
        for entry in FunctionReference.entries where !entry.isAvailable {
            let rules = """
                loadplugin Mail::SpamAssassin::Plugin::\(entry.plugin)
                header A eval:\(entry.function)()
                header B eval:\(entry.function)()
                """
            let said = compile(rules).problems.map(\.description)
            let expected = ["A", "B"].enumerated().map { index, rule in
                "test.cf:\(index + 2):10: note: \(entry.function) of plugin \(entry.plugin) is not available; \(rule) never hits "
                    + "(\(entry.remark))"
            }
            #expect(said == expected)
        }
    }
}
