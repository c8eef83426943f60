import MailMessage

/// One entry of an address field, as `:addr` and `:name` see it: what a mail program would show, not what RFC 5322 allows.
///
/// Rules were written against SpamAssassin's reading, so its tolerance and its lapses are kept: an entry that runs into the
/// next one without a space has no address, white space in a local part is let pass, the last closing bracket counts.
struct HeaderAddress: Hashable {
    /// The display name, or the comment that stands for one; nil when there is none.
    var name: [UInt8]?
    var address: [UInt8]?

    /// Reads a whole field (RFC 5322 §3.4): entries apart by commas; a group's name in front dissolved. It never fails.
    static func list(_ bytes: [UInt8]) -> [HeaderAddress] {
        var reader = AddressListReader(bytes)
        return reader.read()
    }
}

private struct AddressListReader {
    private var bytes: [UInt8]
    private var index = 0
    private var steps = 0

    /// Tries to find the end of an entry: a bound on what a field of nothing but brackets costs.
    private static let maximumSteps = 1_000

    /// What of an entry was told apart.
    private struct Entry {
        var phrase: Range<Int>?
        /// Within angle brackets.
        var enclosed: Range<Int>?
        /// An address that stands for itself.
        var plain: Range<Int>?
        var comment: Range<Int>?
    }

    init(_ bytes: [UInt8]) {
        self.bytes = AddressListReader.withoutGroup(AddressListReader.withoutEscapedBackslashes(bytes))
        while self.bytes.last?.isBlank == true { self.bytes.removeLast() }
    }

    mutating func read() -> [HeaderAddress] {
        var entries: [HeaderAddress] = []
        while self.index < self.bytes.count {
            self.skipSpace()
            let start = self.index
            guard let (entry, end) = self.entry(at: start) else { break }
            entries.append(self.address(entry))
            self.index = end
        }
        return entries + self.leftovers()
    }

    // MARK: - Before

    private static func withoutEscapedBackslashes(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(.backslash) else { return bytes }
        var result: [UInt8] = []
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == .backslash, index + 1 < bytes.endIndex, bytes[index + 1] == .backslash {
                index += 2
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    /// `name: a@example.org, b@example.org;`: what stands before the last colon, if nothing there is quoted or bracketed.
    private static func withoutGroup(_ bytes: [UInt8]) -> [UInt8] {
        let end = bytes.firstIndex(where: self.encloses) ?? bytes.count
        guard let colon = bytes[..<end].lastIndex(of: UInt8(ascii: ":")), colon > 0 else { return bytes }
        let rest = bytes[(colon + 1)...].drop(while: \.isBlank)
        return rest.first == UInt8(ascii: ";") ? [] : Array(rest)
    }

    private static func encloses(_ octet: UInt8) -> Bool {
        octet == .quote || octet == .open || octet == .close || octet == .less || octet == .greater
    }

    // MARK: - An entry

    private mutating func entry(at start: Int) -> (Entry, Int)? {
        var entry = Entry()
        let phraseEnd = self.phraseEnd(start)
        if self.octet(at: phraseEnd) == .less {
            entry.phrase = phraseEnd > start ? start..<phraseEnd : nil
            if let end = self.enclosed(at: phraseEnd, &entry) { return (entry, end) }
            entry = Entry()
        }
        if let end = self.addressEnd(start), let (comment, next) = self.entryEnd(end) {
            entry.plain = start..<end
            entry.comment = comment
            return (entry, next)
        }
        guard phraseEnd > start, let (comment, next) = self.entryEnd(phraseEnd) else { return nil }
        entry.phrase = start..<phraseEnd
        entry.comment = comment
        return (entry, next)
    }

    /// Quoted strings and anything but separators.
    private func phraseEnd(_ start: Int) -> Int {
        var index = start
        while index < self.bytes.count {
            switch self.bytes[index] {
            case .quote:
                guard let end = self.quotedEnd(index) else { return index }
                index = end
            case .less, UInt8(ascii: ","), UInt8(ascii: ";"): return index
            default: index += 1
            }
        }
        return index
    }

    /// `<…>`, maybe several times, and what may follow.
    private mutating func enclosed(at start: Int, _ entry: inout Entry) -> Int? {
        for (range, end) in self.enclosures(at: start) {
            guard self.mayTry() else { return nil }
            guard let (comment, next) = self.entryEnd(end) ?? self.repeated(at: end) else { continue }
            entry.enclosed = range
            entry.comment = comment
            return next
        }
        return nil
    }

    private mutating func repeated(at start: Int) -> (Range<Int>?, Int)? {
        let start = self.spaceEnd(start)
        guard self.octet(at: start) == .less, self.mayTry() else { return nil }
        for (_, end) in self.enclosures(at: start) {
            if let result = self.entryEnd(end) ?? self.repeated(at: end) { return result }
            guard self.mayTry() else { return nil }
        }
        return nil
    }

    /// Where brackets that open at `start` can close, the likeliest first: at the end of the word with the `@`, so that a
    /// `>` within an address is part of it.
    private func enclosures(at start: Int) -> [(Range<Int>, Int)] {
        let first = self.spaceEnd(start + 1)
        var stop = first
        while stop < self.bytes.count, self.bytes[stop] != .greater, self.bytes[stop] != .at { stop += 1 }
        var wordEnd = stop
        while wordEnd < self.bytes.count, !self.bytes[wordEnd].isBlank { wordEnd += 1 }
        var found: [(Range<Int>, Int)] = []
        if wordEnd > stop {
            let close = self.spaceEnd(wordEnd)
            if close > wordEnd, self.octet(at: close) == .greater { found.append((first..<wordEnd, close + 1)) }
            for end in stride(from: wordEnd - 1, to: stop, by: -1) where self.bytes[end] == .greater {
                found.append((first..<end, end + 1))
            }
        }
        if self.octet(at: stop) == .greater {
            var end = stop
            while end > first, self.bytes[end - 1].isBlank { end -= 1 }
            found.append((first..<end, stop + 1))
        }
        return found
    }

    /// A comment may follow an entry, a comma or semicolon or the end of the field must.
    private func entryEnd(_ start: Int) -> (comment: Range<Int>?, end: Int)? {
        let space = self.spaceEnd(start)
        if self.octet(at: space) == .open, let close = self.commentEnd(space), let end = self.separatorEnd(close) {
            return ((space + 1)..<(close - 1), end)
        }
        return self.separatorEnd(space).map { (nil, $0) }
    }

    private func separatorEnd(_ start: Int) -> Int? {
        let index = self.spaceEnd(start)
        guard index < self.bytes.count else { return index }
        return self.bytes[index] == UInt8(ascii: ",") || self.bytes[index] == UInt8(ascii: ";") ? index + 1 : nil
    }

    // MARK: - Pieces

    private func octet(at index: Int) -> UInt8? { index < self.bytes.count ? self.bytes[index] : nil }

    private func spaceEnd(_ start: Int) -> Int {
        var index = start
        while index < self.bytes.count, self.bytes[index].isBlank { index += 1 }
        return index
    }

    private mutating func skipSpace() { self.index = self.spaceEnd(self.index) }

    private mutating func mayTry() -> Bool {
        self.steps += 1
        return self.steps < Self.maximumSteps
    }

    /// Behind the closing quote.
    private func quotedEnd(_ start: Int) -> Int? { AddressSyntax.end(self.bytes[...], start, .quote, .quote) }

    private func commentEnd(_ start: Int) -> Int? { AddressSyntax.end(self.bytes[...], start, .open, .close) }

    private func addressEnd(_ start: Int) -> Int? { AddressSyntax.addressEnd(self.bytes[...], start) }

    // MARK: - Meaning

    private func address(_ entry: Entry) -> HeaderAddress {
        var address = (entry.enclosed ?? entry.plain).map { Array(self.bytes[$0]) }
        if entry.enclosed != nil, let given = address {
            let bare = AddressSyntax.withoutComments(given)
            address = AddressSyntax.isAddress(bare) ? bare : nil
        }
        if let given = address, !AddressSyntax.hasSoundQuotes(given) { address = nil }
        var name: [UInt8]?
        if let phrase = entry.phrase {
            let text = AddressSyntax.text(ofPhrase: Array(self.bytes[phrase]))
            if address == nil, AddressSyntax.isAddress(text), AddressSyntax.hasSoundQuotes(text), AddressSyntax.hasHost(text) {
                address = text
            } else if !text.isEmpty, text != address {
                name = text
            }
        }
        if name == nil, let comment = entry.comment { name = Array(self.bytes[comment]) }
        return HeaderAddress(name: name, address: address.map(AddressSyntax.withoutSecondHost))
    }

    /// Addresses in brackets in text that is no list.
    private func leftovers() -> [HeaderAddress] {
        guard self.index < self.bytes.count, self.bytes[self.index...].contains(.at) else { return [] }
        var found: [HeaderAddress] = []
        var index = self.index
        while let start = self.bytes[index...].firstIndex(of: .less) {
            index = start + 1
            guard let end = self.addressEnd(index), self.octet(at: end) == .greater else { continue }
            let address = Array(self.bytes[index..<end])
            index = end + 1
            guard AddressSyntax.hasSoundQuotes(address) else { continue }
            found.append(HeaderAddress(address: AddressSyntax.withoutSecondHost(address)))
        }
        return found
    }
}
