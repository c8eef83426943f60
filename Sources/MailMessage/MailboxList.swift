/// A mailbox in a header field.
package struct HeaderMailbox: Hashable, Sendable {
    /// Display name, or the comment that stands for one, decoded, without quotes; empty when there is none.
    package var name: String
    /// `local@domain` as written, without comments and white space around it; empty when there is only a name.
    package var address: String

    package init(name: String, address: String) {
        self.name = name
        self.address = address
    }

    /// What stands behind the last `@`, in lower case; nil without one.
    package var domain: String? {
        guard let at = self.address.lastIndex(of: "@") else { return nil }
        let domain = self.address[self.address.index(after: at)...].lowercased()
        return domain.isEmpty ? nil : domain
    }
}

/// Reads `address-list` (RFC 5322 §3.4) with the obsolete forms and common mistakes: names with bare commas, dots and
/// encoded words, addresses in quotes, comments in any place. One pass.
struct MailboxList {
    /// More than any message that is delivered has.
    static let maximumMailboxes = 10_000

    private(set) var mailboxes: [HeaderMailbox] = []

    private let bytes: [UInt8]
    private var position = 0
    private var entry = Entry()
    /// Known once a quote, an angle bracket or a comment was seen to have no end: no later one has.
    private var hasNoMoreQuotes = false
    private var hasNoMoreAngles = false

    private struct Entry {
        /// Words outside of quotes, brackets and comments, with quoted ones among them unquoted.
        var words: [UInt8] = []
        /// The words as they are written, for addresses without brackets.
        var source: [UInt8] = []
        var address: [UInt8]?
        var comment: [UInt8] = []
        var hasQuoted = false
    }

    /// - Parameter bytes: unfolded, encoded words not decoded.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        while self.position < bytes.count, self.mailboxes.count < Self.maximumMailboxes { self.step() }
        self.finishEntry()
    }

    private mutating func step() {
        let octet = self.bytes[self.position]
        switch octet {
        case 0x2c, 0x3b:
            self.position += 1
            self.finishEntry()
        case 0x22:
            self.readQuoted()
        case 0x28:
            self.readComment()
        case 0x3c:
            self.readAngle()
        case 0x3a where self.entry.address == nil && !self.entry.source.contains(0x40):
            // The name of a group ends here (RFC 5322 §3.4).
            self.position += 1
            self.entry = Entry()
        case 0x3d where self.copyEncodedWord():
            break
        default:
            self.position += 1
            self.entry.words.append(octet)
            self.entry.source.append(octet)
        }
    }

    /// Keeps separators within an encoded word from counting.
    private mutating func copyEncodedWord() -> Bool {
        guard self.position + 1 < self.bytes.count, self.bytes[self.position + 1] == 0x3f else { return false }
        var index = self.position + 2
        var marks = 1
        while index < self.bytes.count, marks < 4 {
            if self.bytes[index] == 0x3f { marks += 1 }
            index += 1
            // Charset and encoding hold no white space; what has some is no encoded word.
            if marks < 3, index < self.bytes.count, self.bytes[index].isSpace || self.bytes[index] == 0x2c { return false }
        }
        guard marks == 4, index < self.bytes.count, self.bytes[index] == 0x3d else { return false }
        let word = self.bytes[self.position...index]
        self.entry.words.append(contentsOf: word)
        self.entry.source.append(contentsOf: word)
        self.position = index + 1
        return true
    }

    private mutating func readQuoted() {
        var index = self.position + 1
        var text: [UInt8] = []
        while !self.hasNoMoreQuotes, index < self.bytes.count, self.bytes[index] != 0x22 {
            if self.bytes[index] == 0x5c, index + 1 < self.bytes.count { index += 1 }
            text.append(self.bytes[index])
            index += 1
        }
        guard !self.hasNoMoreQuotes, index < self.bytes.count else {
            self.hasNoMoreQuotes = true
            self.position += 1
            return
        }
        self.entry.hasQuoted = true
        self.entry.words.append(contentsOf: text)
        self.entry.source.append(contentsOf: self.bytes[self.position...index])
        self.position = index + 1
    }

    private mutating func readComment() {
        var depth = 0
        var text: [UInt8] = []
        while self.position < self.bytes.count {
            var octet = self.bytes[self.position]
            self.position += 1
            if octet == 0x28 {
                depth += 1
                if depth == 1 { continue }
            } else if octet == 0x29 {
                depth -= 1
                if depth == 0 { break }
            } else if octet == 0x5c, self.position < self.bytes.count {
                octet = self.bytes[self.position]
                self.position += 1
            }
            text.append(octet)
        }
        if self.entry.comment.isEmpty { self.entry.comment = text }
    }

    private mutating func readAngle() {
        guard !self.hasNoMoreAngles, let end = self.endOfAngle() else {
            self.hasNoMoreAngles = true
            self.position += 1
            return
        }
        let inner = MailboxList.withoutComments(self.bytes, (self.position + 1)..<end)
        self.position = end + 1
        if self.entry.address == nil { self.entry.address = MailboxList.withoutRoute(inner) }
    }

    /// The `>` of an angle address, quoted local parts passed over.
    private func endOfAngle() -> Int? {
        var index = self.position + 1
        var inQuotes = false
        var candidate: Int?
        while index < self.bytes.count {
            switch self.bytes[index] {
            case 0x22: inQuotes.toggle()
            case 0x5c where inQuotes: index += 1
            case 0x3e:
                if !inQuotes { return index }
                if candidate == nil { candidate = index }
            default: break
            }
            index += 1
        }
        return candidate
    }

    /// `@a,@b:local@domain` (RFC 5322 §4.4): the route goes.
    private static func withoutRoute(_ address: [UInt8]) -> [UInt8] {
        guard address.first == 0x40, let colon = address.firstIndex(of: 0x3a) else { return address }
        return [UInt8](address[(colon + 1)...])
    }

    private static func withoutComments(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        var depth = 0
        var inQuotes = false
        for index in range {
            let octet = bytes[index]
            if octet == 0x22 { inQuotes.toggle() }
            if !inQuotes, octet == 0x28 {
                depth += 1
            } else if !inQuotes, octet == 0x29, depth > 0 {
                depth -= 1
            } else if depth == 0 {
                result.append(octet)
            }
        }
        return result.trimmed()
    }

    private mutating func finishEntry() {
        defer { self.entry = Entry() }
        if let address = self.entry.address {
            let name = self.entry.words.trimmed().isEmpty ? self.entry.comment : self.entry.words
            self.add(name: name, address: address)
            return
        }
        let source = self.entry.source.trimmed()
        guard !source.isEmpty || !self.entry.comment.isEmpty else { return }
        if self.entry.words.contains(0x40), let address = Self.bareAddress(source, self.entry.words.trimmed()) {
            self.add(name: self.entry.comment, address: address)
            return
        }
        self.add(name: self.entry.words.trimmed().isEmpty ? self.entry.comment : self.entry.words, address: [])
    }

    /// An address without brackets, or one that is wholly in quotes; spaces around dots and `@` go (RFC 5322 §4.4).
    private static func bareAddress(_ source: [UInt8], _ unquoted: [UInt8]) -> [UInt8]? {
        if source.first == 0x22, source.last == 0x22 {
            return unquoted.contains(where: \.isSpace) ? nil : unquoted
        }
        if source.first == 0x22 { return source }
        let compact = source.filter { !$0.isSpace }
        if compact.count == source.count { return source }
        // Words and an address side by side: the word with the @ counts.
        let word = source.split(whereSeparator: \.isSpace).first { $0.contains(0x40) && $0.count > 1 }
        return word.map { [UInt8]($0) } ?? compact
    }

    private mutating func add(name: [UInt8], address: [UInt8]) {
        var name = EncodedWord.decode(name).trimmed()
        // Names in quotes of their own, within an encoded word or within quotes.
        if name.count >= 2, let first = name.first, first == name.last, first == 0x27 || first == 0x22 {
            name = [UInt8](name[1..<(name.count - 1)]).trimmed()
        }
        guard !name.isEmpty || !address.isEmpty else { return }
        self.mailboxes.append(HeaderMailbox(name: Charset.toUTF8(name, named: nil).text, address: address.text))
    }
}
