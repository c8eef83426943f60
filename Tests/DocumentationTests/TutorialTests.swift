import Foundation
import OutpostTestKit
import Testing

/// `docs/rules.md` as a newcomer follows it: every file as it stands there, every command as it is printed.
@Suite("The tutorial about rules", .enabled(if: ProgramUnderTest.isBuilt))
struct TutorialTests {
    private struct Block {
        /// The last line of text before it.
        var lead: String
        var lines: [String]
    }

    private static func blocks() throws -> [Block] {
        let text = try String(contentsOf: Fixture.root.appending(path: "docs/rules.md"), encoding: .utf8)
        var blocks: [Block] = []
        var open: [String]?
        var lead = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("```") {
                if let lines = open { blocks.append(Block(lead: lead, lines: lines)) }
                open = open == nil ? [] : nil
            } else if open != nil {
                open?.append(line)
            } else if !line.isEmpty {
                lead = line
            }
        }
        return blocks
    }

    /// What the text tells the reader to correct when a command has shown it.
    private static let corrections = [
        "rules lint my": ("LOCAL_NO_RISC", "LOCAL_NO_RISK"), "rules test my": ("guaranted)", "guaranteed)"),
    ]

    @Test("Each command prints what the page says")
    func walk() throws {
        let directory = try TemporaryDirectory()
        var commands = 0
        for block in try Self.blocks() {
            if block.lines.first?.hasPrefix("$ ") == true {
                commands += try self.run(block.lines, in: directory)
            } else if let name = block.lead.matches(of: /`([\w\/]+\.(?:cf|yaml|eml))`/).last?.1 {
                let file = directory.url.appending(path: String(name))
                let earlier = block.lead.contains("Add to") ? try String(contentsOf: file, encoding: .utf8) : ""
                try directory.write(earlier + block.lines.joined(separator: "\n") + "\n", to: String(name))
            }
        }
        // Those that need no corpus.
        #expect(commands == 6)
    }

    private func run(_ lines: [String], in directory: TemporaryDirectory) throws -> Int {
        var count = 0
        var rest = lines[...]
        while let command = rest.popFirst() {
            let expected = Array(rest.prefix { !$0.hasPrefix("$ ") })
            rest = rest.dropFirst(expected.count)
            guard !command.contains(" ham") else { continue }
            let words = command.dropFirst("$ outpost ".count)
            let shell = "cd '\(directory.path)' && '\(ProgramUnderTest.path)' \(words)"
            let result = try ChildProgram.run("/bin/sh", ["-c", shell])
            let printed = (result.output + result.errors).split(separator: "\n").map(String.init)
            let shown = expected.filter { !$0.isEmpty }
            if let gap = shown.firstIndex(of: "…") {
                #expect(Array(printed.prefix(gap)) == Array(shown[..<gap]), "\(command)")
            } else {
                #expect(printed == shown, "\(command)")
            }
            count += 1
            if let (wrong, right) = Self.corrections[String(words)] {
                let file = directory.url.appending(path: "my/local.cf")
                let text = try String(contentsOf: file, encoding: .utf8)
                try directory.write(text.replacing(wrong, with: right), to: "my/local.cf")
            }
        }
        return count
    }
}
