import Foundation
import OutpostTestKit
import Testing

@testable import MailRules

/// Rules that the documents show.
@Suite("Rules in documents")
struct DocumentedRulesTests {
    private struct Example: CustomTestStringConvertible {
        var document: String
        var line: Int
        var text: String
        var testDescription: String { "\(self.document):\(self.line)" }
    }

    private static let examples: [Example] = {
        let directory = Fixture.root.appending(path: "docs")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.filter { $0.hasSuffix(".md") }.sorted().flatMap { name -> [Example] in
            let text = (try? String(contentsOf: directory.appending(path: name), encoding: .utf8)) ?? ""
            var examples: [Example] = []
            var open: Example?
            for (number, line) in zip(1..., text.split(separator: "\n", omittingEmptySubsequences: false)) {
                if line == "```cf" {
                    open = Example(document: name, line: number, text: "")
                } else if line == "```", let example = open {
                    examples.append(example)
                    open = nil
                } else {
                    open?.text += line + "\n"
                }
            }
            return examples
        }
    }()

    @Test("There are examples")
    func count() {
        #expect(Self.examples.count >= 8)
    }

    @Test("Lint has nothing against them", arguments: examples)
    private func lint(example: Example) {
        let said = RuleCompiler().lint([RuleSource(file: "example.cf", text: example.text)]) { path in
            path == "languages" ? RuleSource(file: path, text: "e\nn\n0 en\n") : nil
        }
        let faults = said.filter { $0.severity != .note }.map(\.description)
        // The tutorial's first rule has a mistake to be found, and adds to it later.
        let isPractice = example.text.contains("LOCAL_NO_RISC") || example.text.contains("stage  LOCAL_NO_RISK")
        #expect(faults.count == (isPractice ? 1 : 0), "\(faults)")
    }
}
