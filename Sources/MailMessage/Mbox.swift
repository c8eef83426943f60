/// Takes an mbox file apart (RFC 4155, and the quoting that is called mboxrd).
package enum Mbox {
    /// Whether a file starts like one: with `From ` and not with a field.
    package static func isMbox(_ bytes: some Sequence<UInt8>) -> Bool { Array(bytes.prefix(5)) == self.mark }

    private static let mark = Array("From ".utf8)

    /// The messages' ranges, without the `From ` lines.
    package static func ranges(in bytes: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start: Int?
        var line = 0
        var isBlankBefore = true
        while line < bytes.count {
            let end = bytes[line...].firstIndex(of: 0x0a).map { $0 + 1 } ?? bytes.count
            if isBlankBefore, self.isFromLine(bytes[line..<end]) {
                if let start { ranges.append(start..<line) }
                start = end
            }
            let content = bytes[line..<end]
            isBlankBefore = content.allSatisfy { $0 == 0x0a || $0 == 0x0d }
            line = end
        }
        if let start { ranges.append(start..<bytes.count) }
        return ranges
    }

    /// `From anna@example.org Mon Nov 23 18:30:35 2026`: a sentence that begins with From has no time of day in it.
    private static func isFromLine(_ line: ArraySlice<UInt8>) -> Bool {
        guard line.starts(with: self.mark) else { return false }
        func isDigit(_ index: Int) -> Bool { line.indices.contains(index) && (0x30...0x39).contains(line[index]) }
        return line.indices.contains { index in
            line[index] == UInt8(ascii: ":") && isDigit(index - 2) && isDigit(index - 1) && isDigit(index + 1)
                && isDigit(index + 2)
        }
    }

    /// A message as it was before it was put into an mbox: one `>` less in front of every `>From `.
    package static func unquoted(_ message: ArraySlice<UInt8>) -> [UInt8] {
        let quote = UInt8(ascii: ">")
        var result: [UInt8] = []
        result.reserveCapacity(message.count)
        var line = message.startIndex
        while line < message.endIndex {
            let end = message[line...].firstIndex(of: 0x0a).map { $0 + 1 } ?? message.endIndex
            let content = message[line..<end]
            let isQuoted = content.first == quote && content.drop { $0 == quote }.starts(with: self.mark)
            result += isQuoted ? content.dropFirst() : content
            line = end
        }
        return result
    }
}
