import Foundation
import OutpostTestKit
import Testing

@testable import MailRules

@Suite("Files for editors")
struct EditorFilesTests {
    private func text(_ path: String) throws -> String {
        String(decoding: try Fixture.bytes(Fixture.root.appending(path: "etc/editors/" + path)), as: UTF8.self)
    }

    @Test("The Vim file knows the keywords and flags of the language, and no others")
    func vim() throws {
        var keywords: Set<String> = []
        var flags: Set<String> = []
        for line in try self.text("vim/syntax/cfrules.vim").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 3, words[0] == "syn", words[1] == "keyword" else { continue }
            let names = words[3...].prefix { !$0.hasPrefix("nextgroup=") }
            switch words[2] {
            case "cfCondition", "cfDefinition", "cfAbout", "cfSetting": keywords.formUnion(names)
            case "cfFlag": flags.formUnion(names)
            case "cfStage": #expect(Set(names) == Set(RuleStage.allCases.map(\.rawValue)))
            default: continue
            }
        }
        #expect(keywords == Set(RuleKeywords.ours))
        #expect(flags == RuleKeywords.flags.union(["maxhits", "range"]))
    }

    @Test("The TextMate grammar knows the keywords of the language, and no others")
    func textMate() throws {
        let data = Data(try self.text("vscode/syntaxes/rules.tmLanguage.json").utf8)
        let grammar = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        let repository = try #require(grammar["repository"] as? [String: [String: Any]])
        var keywords: Set<String> = []
        for (name, rule) in repository where !["comment", "function", "pattern", "escape", "unset"].contains(name) {
            let pattern = try #require((rule["begin"] ?? rule["match"]) as? String)
            // The first group that is a list of words.
            let list = try #require(pattern.firstMatch(of: /\(([a-z_|]+)\)/))
            keywords.formUnion(list.1.split(separator: "|").map(String.init))
        }
        #expect(keywords == Set(RuleKeywords.ours))
        let about = try #require((repository["about"]?["patterns"] as? [[String: Any]])?.last?["match"] as? String)
        let flags = try #require(about.firstMatch(of: /\(\?:([a-z_|]+)\)/))
        #expect(Set(flags.1.split(separator: "|").map(String.init)) == RuleKeywords.flags.union(["maxhits", "range"]))
    }

    @Test("The extension names files that are there")
    func package() throws {
        let data = Data(try self.text("vscode/package.json").utf8)
        let manifest = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        let contributions = try #require(manifest["contributes"] as? [String: [[String: Any]]])
        let paths = ["grammars", "languages"].flatMap { contributions[$0] ?? [] }.flatMap { [$0["path"], $0["configuration"]] }
        let named = paths.compactMap { $0 as? String }
        #expect(named.count == 2)
        for path in named { _ = try self.text("vscode/" + path) }
    }
}
