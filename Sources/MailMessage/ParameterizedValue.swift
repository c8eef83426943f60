/// A value with parameters, `value; name=value` (RFC 2045 §5.1, RFC 2183 §2), with the extensions of RFC 2231, read
/// leniently: encoded words within quotes, missing quotes and stray semicolons are taken as mail readers take them.
struct ParameterizedValue {
    /// Parameters beyond this are not read; honest fields have a handful, continued ones some dozens.
    static let maximumParameters = 256

    /// Lower case, comments and white space removed.
    private(set) var value: [UInt8] = []
    /// Names in lower case; the first of a name counts.
    private(set) var parameters: [String: String] = [:]
    /// The `boundary` parameter, octet for octet.
    private(set) var boundary: [UInt8]?
    private(set) var hasDuplicates = false

    private var scanner: TokenScanner

    private struct Piece {
        var index: Int
        var isEncoded: Bool
        var bytes: [UInt8]
    }

    /// - Parameter bytes: unfolded.
    init(_ bytes: [UInt8]) {
        self.scanner = TokenScanner(bytes)
        self.value = self.scanner.readValue().lowercasedASCII()
        var pieces: [String: [Piece]] = [:]
        var order: [String] = []
        var count = 0
        while count < Self.maximumParameters, let (name, text) = self.scanner.readParameter() {
            count += 1
            guard !name.isEmpty else { continue }
            self.add(name, text, to: &pieces, order: &order)
        }
        for name in order {
            let joined = Self.join(pieces[name] ?? [])
            if self.parameters[name] == nil { self.parameters[name] = joined.text }
        }
    }

    /// `name`, or `name*section`, `name*` and `name*section*` (RFC 2231 §3, §4).
    private mutating func add(_ name: [UInt8], _ text: [UInt8], to pieces: inout [String: [Piece]], order: inout [String]) {
        let name = name.lowercasedASCII()
        let parts = name.split(separator: 0x2a, omittingEmptySubsequences: false)
        let base = [UInt8](parts[0]).text
        if parts.count == 1 {
            if base == "boundary", self.boundary == nil { self.boundary = text }
            if self.parameters[base] != nil {
                self.hasDuplicates = true
            } else {
                self.parameters[base] = Self.plain(text).text
            }
            return
        }
        let isEncoded = parts.last?.isEmpty == true
        let index = Int(String(decoding: parts[1], as: UTF8.self)) ?? 0
        if pieces[base] == nil { order.append(base) }
        if pieces[base]?.contains(where: { $0.index == index }) == true {
            self.hasDuplicates = true
            return
        }
        pieces[base, default: []].append(Piece(index: index, isEncoded: isEncoded, bytes: text))
        if base == "boundary", self.boundary == nil || index > 0 {
            self.boundary = Self.joinedBytes(pieces[base] ?? []).bytes
        }
    }

    /// Encoded words in parameters are not allowed (RFC 2047 §5) and common.
    private static func plain(_ text: [UInt8]) -> [UInt8] {
        let decoded = EncodedWord.decode(text)
        return Charset.toUTF8(decoded, named: nil)
    }

    private static func join(_ pieces: [Piece]) -> [UInt8] {
        let (bytes, charset) = joinedBytes(pieces)
        if charset == nil { return plain(bytes) }
        return Charset.toUTF8(bytes, named: charset)
    }

    /// In order of their section numbers; the charset is the one that the first encoded section names.
    private static func joinedBytes(_ pieces: [Piece]) -> (bytes: [UInt8], charset: String?) {
        var result: [UInt8] = []
        var charset: String?
        for (position, piece) in pieces.sorted(by: { $0.index < $1.index }).enumerated() {
            guard piece.isEncoded else {
                result.append(contentsOf: piece.bytes)
                continue
            }
            var text = piece.bytes[...]
            if position == 0, let end = text.firstIndex(of: 0x27), let second = text[(end + 1)...].firstIndex(of: 0x27) {
                charset = String(decoding: text[..<end], as: UTF8.self)
                text = text[(second + 1)...]
            }
            result.append(contentsOf: PercentCoding.decode([UInt8](text)))
        }
        return (result, charset)
    }
}

/// Octets written as `%` and two hexadecimal digits.
enum PercentCoding {
    static func decode(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(0x25) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count,
                let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue
            {
                result.append(high << 4 | low)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}

/// Reads the tokens of a structured field (RFC 2045 §5.1), leniently and forwards only.
struct TokenScanner {
    private let bytes: [UInt8]
    private var position = 0
    /// Known once a quote was seen to have no partner: no later one has.
    private var hasNoMoreQuotes = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// All up to the first semicolon, without comments and white space. A parameter ends it, too: senders leave the semicolon
    /// out, and readers do not mind.
    mutating func readValue() -> [UInt8] {
        var result: [UInt8] = []
        while self.position < self.bytes.count, self.bytes[self.position] != 0x3b {
            if !result.isEmpty, self.beginsParameterBehindSpace() { break }
            if self.bytes[self.position] == 0x28 {
                self.skipComment()
                continue
            }
            if !self.bytes[self.position].isSpace { result.append(self.bytes[self.position]) }
            self.position += 1
        }
        return result
    }

    /// The next `name=value`; nil at the end.
    mutating func readParameter() -> (name: [UInt8], value: [UInt8])? {
        while true {
            self.skipSeparators()
            guard self.position < self.bytes.count else { return nil }
            let name = self.readName()
            guard self.position < self.bytes.count, self.bytes[self.position] == 0x3d else {
                // A name without value: a stray word.
                if self.position < self.bytes.count, self.bytes[self.position] != 0x3b { self.position += 1 }
                continue
            }
            self.position += 1
            self.skipBlanksAndComments()
            return (name, self.readParameterValue())
        }
    }

    /// Whether white space stands here and behind it a name with `=`. Looks no further than the word behind, so that each
    /// word is looked at twice at most.
    private func beginsParameterBehindSpace() -> Bool {
        guard self.bytes[self.position].isSpace, self.position + 1 < self.bytes.count else { return false }
        var index = self.position + 1
        guard self.bytes[index].isLetter else { return false }
        while index < self.bytes.count {
            let octet = self.bytes[index]
            if octet == 0x3d { return true }
            guard octet.isAlphanumeric || octet == 0x2d || octet == 0x2a || octet == 0x5f else { return false }
            index += 1
        }
        return false
    }

    private mutating func skipSeparators() {
        while self.position < self.bytes.count {
            let octet = self.bytes[self.position]
            if octet == 0x28 {
                self.skipComment()
            } else if octet == 0x3b || octet.isSpace {
                self.position += 1
            } else {
                return
            }
        }
    }

    private mutating func skipBlanksAndComments() {
        while self.position < self.bytes.count {
            if self.bytes[self.position] == 0x28 {
                self.skipComment()
            } else if self.bytes[self.position].isSpace {
                self.position += 1
            } else {
                return
            }
        }
    }

    private mutating func readName() -> [UInt8] {
        var result: [UInt8] = []
        while self.position < self.bytes.count {
            let octet = self.bytes[self.position]
            if octet == 0x3d || octet == 0x3b { break }
            if octet == 0x28 {
                self.skipComment()
                continue
            }
            if !octet.isSpace { result.append(octet) }
            self.position += 1
        }
        return result
    }

    private mutating func readParameterValue() -> [UInt8] {
        guard self.position < self.bytes.count else { return [] }
        if self.bytes[self.position] == 0x22, let quoted = self.readQuoted() {
            return quoted
        }
        var result: [UInt8] = []
        while self.position < self.bytes.count, self.bytes[self.position] != 0x3b {
            if self.beginsParameterBehindSpace() { break }
            if self.bytes[self.position] == 0x28, result.last?.isSpace == true {
                self.skipComment()
                continue
            }
            result.append(self.bytes[self.position])
            self.position += 1
        }
        return result.trimmed()
    }

    /// `quoted-string` at the position (RFC 5322 §3.2.4); nil when the closing quote is missing.
    private mutating func readQuoted() -> [UInt8]? {
        guard !self.hasNoMoreQuotes else { return nil }
        var index = self.position + 1
        var result: [UInt8] = []
        while index < self.bytes.count {
            let octet = self.bytes[index]
            if octet == 0x22 {
                self.position = index + 1
                return result
            }
            // Windows programs send paths: a backslash counts as quoting only before a quote or another backslash.
            if octet == 0x5c, index + 1 < self.bytes.count, self.bytes[index + 1] == 0x22 || self.bytes[index + 1] == 0x5c {
                index += 1
            }
            result.append(self.bytes[index])
            index += 1
        }
        self.hasNoMoreQuotes = true
        self.position += 1
        return nil
    }

    /// A comment (RFC 5322 §3.2.2), nested ones included; one that never ends reaches to the end.
    private mutating func skipComment() {
        var depth = 0
        while self.position < self.bytes.count {
            switch self.bytes[self.position] {
            case 0x28: depth += 1
            case 0x29: depth -= 1
            case 0x5c: self.position += 1
            default: break
            }
            self.position += 1
            if depth == 0 { return }
        }
        self.position = self.bytes.count
    }
}
