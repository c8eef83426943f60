/// One entry of an address field, as `:addr` and `:name` see it: what a mail program would show, not what RFC 5322 allows.
struct HeaderAddress: Hashable {
    var name: [UInt8] = []
    var address: [UInt8] = []

    /// Reads a whole field (RFC 5322 §3.4): entries apart by commas; groups dissolved. It never fails.
    static func list(_ bytes: [UInt8]) -> [HeaderAddress] {
        var reader = AddressListReader(bytes)
        return reader.read()
    }
}

private struct AddressListReader {
    let bytes: [UInt8]
    var index = 0
    var entries: [HeaderAddress] = []
    /// Words outside of angle brackets and comments, as written but for quotes.
    var phrase: [UInt8] = []
    /// The same with the quotes, for `"a b"@example.org`.
    var spelling: [UInt8] = []
    var comment: [UInt8] = []
    var angle: [UInt8]?
    /// No quote without an end was met so far.
    var hasClosedQuotes = true

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func read() -> [HeaderAddress] {
        while self.index < self.bytes.count {
            let byte = self.bytes[self.index]
            switch byte {
            case UInt8(ascii: "\""): self.quotedString()
            case UInt8(ascii: "("): self.comment += self.readComment()
            case UInt8(ascii: "<"): self.angleAddress()
            case UInt8(ascii: ","), UInt8(ascii: ";"):
                self.finish()
                self.index += 1
            case UInt8(ascii: ":") where !self.phrase.contains(UInt8(ascii: "@")) && self.angle == nil:
                // A group's name.
                self.phrase = []
                self.spelling = []
                self.comment = []
                self.index += 1
            default:
                let plain = byte.isBlank ? 0x20 : byte
                self.phrase.append(plain)
                self.spelling.append(plain)
                self.index += 1
            }
        }
        self.finish()
        return self.entries
    }

    private mutating func quotedString() {
        let start = self.index
        self.index += 1
        // A quote that is never closed must not hide the address behind it; it is looked for once, or a field full of
        // quotes would cost the square of its length.
        guard self.hasClosedQuotes, self.isClosed(from: self.index) else {
            self.hasClosedQuotes = false
            return
        }
        while self.index < self.bytes.count, self.bytes[self.index] != UInt8(ascii: "\"") {
            if self.bytes[self.index] == UInt8(ascii: "\\"), self.index + 1 < self.bytes.count { self.index += 1 }
            self.phrase.append(self.bytes[self.index])
            self.index += 1
        }
        self.index = min(self.index + 1, self.bytes.count)
        self.spelling += self.bytes[start..<self.index]
    }

    /// There is a quote from `start` on that no backslash escapes.
    private func isClosed(from start: Int) -> Bool {
        var index = start
        while index < self.bytes.count {
            if self.bytes[index] == UInt8(ascii: "\"") { return true }
            index += self.bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return false
    }

    /// The text between parentheses, inner ones included.
    private mutating func readComment() -> [UInt8] {
        var text: [UInt8] = []
        var depth = 0
        while self.index < self.bytes.count {
            var byte = self.bytes[self.index]
            self.index += 1
            if byte == UInt8(ascii: "\\"), self.index < self.bytes.count {
                byte = self.bytes[self.index]
                self.index += 1
            } else if byte == UInt8(ascii: "(") {
                depth += 1
                if depth == 1 { continue }
            } else if byte == UInt8(ascii: ")") {
                depth -= 1
                if depth == 0 { break }
            }
            text.append(byte)
        }
        return text
    }

    private mutating func angleAddress() {
        self.index += 1
        var address: [UInt8] = []
        while self.index < self.bytes.count, self.bytes[self.index] != UInt8(ascii: ">") {
            switch self.bytes[self.index] {
            case UInt8(ascii: "("): _ = self.readComment()
            case UInt8(ascii: "\""):
                let saved = (self.phrase, self.spelling)
                self.spelling = []
                self.quotedString()
                address += self.spelling
                (self.phrase, self.spelling) = saved
            case let byte:
                if !byte.isBlank { address.append(byte) }
                self.index += 1
            }
        }
        self.index = min(self.index + 1, self.bytes.count)
        // The last one counts: mail programs show the text before it as the name.
        self.angle = address
    }

    private mutating func finish() {
        defer {
            self.phrase = []
            self.spelling = []
            self.comment = []
            self.angle = nil
        }
        let phrase = self.phrase.trimmingBlanks
        if let angle = self.angle {
            self.entries.append(HeaderAddress(name: phrase.isEmpty ? self.comment.trimmingBlanks : phrase, address: angle))
            return
        }
        let spelling = self.spelling.trimmingBlanks
        if spelling.contains(UInt8(ascii: "@")) {
            // The whole address in quotes, "joe@example.org", is one as well.
            let isQuoted = spelling.first == UInt8(ascii: "\"") && spelling.last == UInt8(ascii: "\"")
            self.entries.append(HeaderAddress(name: self.comment.trimmingBlanks, address: isQuoted ? phrase : spelling))
        } else if !phrase.isEmpty || !self.comment.isEmpty {
            self.entries.append(HeaderAddress(name: phrase.isEmpty ? self.comment.trimmingBlanks : phrase))
        }
    }
}

extension [UInt8] {
    var trimmingBlanks: [UInt8] {
        guard let first = self.firstIndex(where: { !$0.isBlank }), let last = self.lastIndex(where: { !$0.isBlank }) else {
            return []
        }
        return Array(self[first...last])
    }
}
