/// A list of `tag=value` (RFC 6376 §3.2): DKIM signatures and keys, DMARC records, ARC fields.
struct TagList: Hashable, Sendable {
    /// What is wrong with a list.
    struct Failure: Error, Hashable {
        var message: String
    }

    /// Tags of one list; more is no list that anybody publishes.
    static let maximumTags = 100

    /// Values by tag; names in the spelling of the list, which is case-sensitive. White space at the ends is off.
    private var values: [String: [UInt8]] = [:]
    /// The first tag: some records must start with a certain one.
    private(set) var first: String?

    init(_ text: some Collection<UInt8>) throws(Failure) {
        let pieces = Array(text).split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        for (number, piece) in pieces.enumerated() {
            let piece = Self.trimmed(piece)
            // One semicolon may stand at the end.
            if piece.isEmpty, number == pieces.count - 1 { continue }
            guard let equals = piece.firstIndex(of: UInt8(ascii: "=")) else { throw Failure(message: "a tag without '='") }
            let name = Self.trimmed(piece[..<equals])
            guard let start = name.first, start.isLetter, name.allSatisfy({ $0.isLetterOrDigit || $0 == 0x5f }) else {
                throw Failure(message: "a tag's name is wrong")
            }
            let tag = String(decoding: name, as: UTF8.self)
            guard self.values[tag] == nil else { throw Failure(message: "tag \(tag) stands twice") }
            guard self.values.count < Self.maximumTags else { throw Failure(message: "more than \(Self.maximumTags) tags") }
            if self.first == nil { self.first = tag }
            self.values[tag] = Array(Self.trimmed(piece[(equals + 1)...]))
        }
    }

    /// The value as it stands, with white space inside it.
    subscript(tag: String) -> [UInt8]? { self.values[tag] }

    func text(_ tag: String) -> String? {
        self.values[tag].map { String(decoding: $0, as: UTF8.self) }
    }

    /// A value in which white space means nothing (§3.2: FWS within tag values that allow it).
    func compact(_ tag: String) -> [UInt8]? {
        self.values[tag]?.filter { !$0.isTagSpace }
    }

    /// A value of names with colons between them, in lower case.
    func list(_ tag: String) -> [String]? {
        self.compact(tag).map { value in
            value.split(separator: UInt8(ascii: ":")).map { String(decoding: $0, as: UTF8.self).lowercased() }
        }
    }

    /// A whole number; nil if there is none, or if it is not one.
    func number(_ tag: String) -> UInt64? {
        guard let digits = self.compact(tag), !digits.isEmpty, digits.allSatisfy(\.isASCIIDigit) else { return nil }
        return UInt64(String(decoding: digits, as: UTF8.self))
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let first = text.firstIndex(where: { !$0.isTagSpace }), let last = text.lastIndex(where: { !$0.isTagSpace }) else {
            return text[text.startIndex..<text.startIndex]
        }
        return text[first...last]
    }
}

extension UInt8 {
    /// FWS and its parts (RFC 6376 §2.8).
    var isTagSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0d || self == 0x0a }
}

/// Base 64 (RFC 4648 §4) as signatures have it: no white space is left in it, padding may be missing.
enum Base64 {
    /// nil if an octet is none of the alphabet, or the length cannot be.
    static func decode(_ text: [UInt8]) -> [UInt8]? {
        var end = text.count
        while end > 0, text.count - end < 2, text[end - 1] == UInt8(ascii: "=") { end -= 1 }
        guard end % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(end * 3 / 4)
        var pending: UInt32 = 0
        var bits = 0
        for octet in text[..<end] {
            guard let value = self.value(octet) else { return nil }
            pending = pending << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
            }
        }
        return result
    }

    static func encode(_ octets: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        result.reserveCapacity((octets.count + 2) / 3 * 4)
        for start in stride(from: 0, to: octets.count, by: 3) {
            let group = octets[start..<min(start + 3, octets.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for index in 0..<4 {
                let isThere = index <= group.count
                result.append(isThere ? alphabet[Int(bits >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "="))
            }
        }
        return result
    }

    private static func value(_ octet: UInt8) -> UInt32? {
        switch octet {
        case 0x41...0x5a: UInt32(octet - 0x41)
        case 0x61...0x7a: UInt32(octet - 0x61 + 26)
        case 0x30...0x39: UInt32(octet - 0x30 + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
