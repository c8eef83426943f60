/// A piece of a line, and where it stands.
struct RuleWord {
    var bytes: ArraySlice<UInt8>
    /// Octets from the start of the line in the file, counted from 1.
    var column: Int

    /// Bytes that are not UTF-8 are replaced: for names and messages, not for patterns.
    var text: String { String(decoding: self.bytes, as: UTF8.self) }
    var isEmpty: Bool { self.bytes.isEmpty }
}

/// One line of a rule file without its comment, read from the left.
struct RuleLine {
    let number: Int
    /// `\#` is a `#` here already.
    let bytes: [UInt8]
    /// For every byte its octet in the file's line, counted from 1; one more for the end.
    private let columns: [Int]
    private(set) var index: Int
    private let end: Int

    /// - Parameter source: the line as it stands in the file, without the line end.
    init(_ source: ArraySlice<UInt8>, number: Int) {
        var bytes: [UInt8] = []
        var columns: [Int] = []
        var previous: UInt8 = 0
        for (offset, byte) in source.enumerated() {
            if byte == UInt8(ascii: "#") {
                guard previous == UInt8(ascii: "\\") else { break }
                bytes.removeLast()
                columns.removeLast()
            }
            bytes.append(byte)
            columns.append(offset + 1)
            previous = byte
        }
        var end = bytes.count
        while end > 0, bytes[end - 1].isBlank { end -= 1 }
        columns.append((columns.last ?? 0) + 1)
        self.number = number
        self.bytes = bytes
        self.columns = columns
        self.index = 0
        self.end = end
        self.skipBlanks()
    }

    var isAtEnd: Bool { self.index >= self.end }

    /// Where reading goes on.
    var column: Int { self.columns[self.index] }

    func column(at index: Int) -> Int { self.columns[min(index, self.columns.count - 1)] }

    private mutating func skipBlanks() {
        while self.index < self.end, self.bytes[self.index].isBlank { self.index += 1 }
    }

    /// The next run of bytes that are not white space, and the white space behind it.
    mutating func word() -> RuleWord? {
        guard !self.isAtEnd else { return nil }
        let start = self.index
        while self.index < self.end, !self.bytes[self.index].isBlank { self.index += 1 }
        let word = RuleWord(bytes: self.bytes[start..<self.index], column: self.columns[start])
        self.skipBlanks()
        return word
    }

    /// What is left, to the end.
    mutating func rest() -> RuleWord {
        let word = RuleWord(bytes: self.bytes[self.index..<self.end], column: self.column)
        self.index = self.end
        return word
    }

    /// The words that are left.
    mutating func words() -> [RuleWord] {
        var words: [RuleWord] = []
        while let word = self.word() { words.append(word) }
        return words
    }

    /// Undoes `count` octets of reading.
    mutating func move(to index: Int) {
        self.index = min(max(index, 0), self.end)
        self.skipBlanks()
    }

    /// The line as a listing shows it.
    var text: String { String(decoding: self.bytes[0..<self.end], as: UTF8.self) }
}

extension UInt8 {
    var isBlank: Bool { self == 0x20 || (0x09...0x0d).contains(self) }
    var isDigit: Bool { (0x30...0x39).contains(self) }
    var isLetter: Bool { (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self) }
    /// `\w`
    var isWord: Bool { self.isLetter || self.isDigit || self == UInt8(ascii: "_") }
    var lowercased: UInt8 { (0x41...0x5a).contains(self) ? self + 0x20 : self }
}

/// Splits a file into lines; CRLF ends a line as LF does.
func ruleLines(of bytes: [UInt8]) -> [RuleLine] {
    var lines: [RuleLine] = []
    var start = 0
    while start < bytes.count {
        let end = bytes[start...].firstIndex(of: 0x0a) ?? bytes.count
        lines.append(RuleLine(bytes[start..<end], number: lines.count + 1))
        start = end + 1
    }
    return lines
}
