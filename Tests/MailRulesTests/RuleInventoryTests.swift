import Foundation
import OutpostTestKit
import Testing

@testable import MailRules

/// The rules that SpamAssassin 4.0.1 made of its stock files and of the KAM set, against what is made of them here.
@Suite("Rules of SpamAssassin", .enabled(if: Fixture.shared("sa-reference") != nil))
struct RuleInventoryTests {
    private struct Inventory: Decodable {
        struct Entry: Decodable {
            var name: String
            var type: String
            var active: Bool
            var score: Double
            var tflags: String
            var deps: [String]?
            var source: String?
            var opt_header: String?
        }
        var rules: [Entry]
    }

    /// Files of the directories by name, in the order in which SpamAssassin reads them.
    private static func sources(_ directories: [String]) throws -> [RuleSource] {
        let base = try #require(Fixture.shared("sa-reference")).appending(path: "config")
        return try directories.flatMap { directory in
            let names = try FileManager.default.contentsOfDirectory(atPath: base.appending(path: directory).path).sorted()
            return try [".pre", ".cf"].flatMap { suffix in
                try names.filter { $0.hasSuffix(suffix) }.map { name in
                    RuleSource(
                        file: directory + "/" + name,
                        bytes: try Fixture.bytes(base.appending(path: directory + "/" + name))
                    )
                }
            }
        }
    }

    @Test("All are read, with name, kind, score, flags and what they ask for", arguments: ["stock", "kam", "forced"])
    func inventory(which: String) throws {
        let directories = which == "forced" ? ["stock", "site", "force"] : [which, "site"]
        let compilation = RuleCompiler().compile(try RuleInventoryTests.sources(directories))
        #expect(compilation.problems.filter { $0.severity == .error } == [])
        let ruleSet = try #require(compilation.ruleSet)
        let file = try #require(Fixture.shared("sa-reference")).appending(path: "rules/\(which).rules.json")
        let expected = try JSONDecoder().decode(Inventory.self, from: Data(try Fixture.bytes(file))).rules
        #expect(Set(ruleSet.rules.map(\.name)).symmetricDifference(expected.map(\.name)) == [])
        for entry in expected {
            guard let rule = ruleSet[entry.name] else { continue }
            #expect(RuleInventoryTests.types(of: rule).contains(entry.type), "\(rule.name): \(rule.test)")
            #expect(abs(rule.score - entry.score) < 0.000_001, "\(rule.name): \(rule.score)")
            // DNS lists were off in that run, whatever they score.
            if entry.type != "empty", entry.type != "rbl_eval" { #expect(rule.isActive == entry.active, "\(rule.name)") }
            var flags = Set(entry.tflags.split(separator: " ").map(String.init))
            // SpamAssassin notes of a meta that it asks for a rule with this flag, sometimes of one that asks for such a meta.
            if rule.kind == .meta { flags.formUnion(rule.flags.filter { $0 == "net" }) }
            if rule.kind == .meta, !rule.flags.contains("net") { flags.remove("net") }
            #expect(Set(rule.flags) == flags, "\(rule.name)")
            if case .meta(let expression) = rule.test {
                #expect(Set(expression.names) == Set(entry.deps ?? []), "\(rule.name): \(expression.names)")
            }
        }
    }

    /// What SpamAssassin may call the kind of rule that this is.
    private static func types(of rule: Rule) -> [String] {
        switch rule.test {
        case .function(let kind, let call):
            call.function == "check_uri_detail" ? ["body_eval"] : [kind.rawValue, "\(kind.rawValue)_eval", "rbl_eval"]
        case .unavailable(.meta): ["empty"]
        case .unavailable(let kind): [kind.rawValue, "\(kind.rawValue)_eval", "rbl_eval"]
        default: [rule.kind.rawValue]
        }
    }
}
