/// The lines that rules were read from, to point into them.
struct RuleLines {
    private var files: [String: [UInt8]] = [:]
    private var starts: [String: [Int]] = [:]

    mutating func add(_ source: RuleSource) {
        guard self.files[source.file] == nil else { return }
        self.files[source.file] = source.bytes
        self.starts[source.file] = [0] + source.bytes.indices.filter { source.bytes[$0] == 0x0a }.map { $0 + 1 }
    }

    /// All lines that say something of a rule, by keyword; whether they count or stand in a branch that is not read.
    var mentions: [(keyword: String, name: String, place: RulePlace)] {
        self.files.keys.sorted().flatMap { file in
            ruleLines(of: self.files[file] ?? []).compactMap { line in
                var rest = line
                guard var keyword = rest.word() else { return nil }
                if keyword.text == "lang" {
                    guard rest.word() != nil, let next = rest.word() else { return nil }
                    keyword = next
                }
                guard let name = rest.word() else { return nil }
                return (keyword.text.lowercased(), name.text, RulePlace(file: file, line: line.number, column: name.column))
            }
        }
    }

    private func line(_ file: String, _ number: Int) -> ArraySlice<UInt8>? {
        guard let bytes = self.files[file], let starts = self.starts[file], number >= 1, number <= starts.count else {
            return nil
        }
        let end = number < starts.count ? starts[number] - 1 : bytes.count
        return bytes[starts[number - 1]..<end]
    }

    /// Where in the line that defines a rule a text stands, in octets counted from 1; without one, or when it stands there in
    /// other letters, where the rule's name stands.
    func column(of text: [UInt8] = [], plus offset: Int = 0, in rule: Rule) -> Int {
        guard let line = self.line(rule.file, rule.line) else { return 0 }
        let name = RuleLines.range(of: Array(rule.name.utf8), in: line)
        guard !text.isEmpty, let behind = name?.upperBound, let found = RuleLines.range(of: text, in: line[behind...]) else {
            return name.map { $0.lowerBound - line.startIndex + 1 } ?? 0
        }
        return found.lowerBound - line.startIndex + 1 + offset
    }

    private static func range(of text: [UInt8], in line: ArraySlice<UInt8>) -> Range<Int>? {
        guard let first = text.first, line.count >= text.count else { return nil }
        var index = line.startIndex
        while let start = line[index...].firstIndex(of: first), start + text.count <= line.endIndex {
            if line[start..<(start + text.count)].elementsEqual(text) { return start..<(start + text.count) }
            index = start + 1
        }
        return nil
    }
}
