/// A part of a notice: its fields and its content, written with the encoding that it needs.
struct BodyPart {
    enum Encoding: String {
        case sevenBit = "7bit"
        case eightBit = "8bit"
        case quotedPrintable = "quoted-printable"
    }

    var type: String
    var description: String
    var encoding: Encoding
    /// As it stands in the message, without the line end that belongs to the delimiter.
    var content: [UInt8]

    init(_ type: String, _ description: String, _ content: [UInt8], allows8Bit: Bool) {
        self.type = type
        self.description = description
        switch LineForm(content) {
        case .sevenBit:
            self.encoding = .sevenBit
            self.content = content
        case .eightBit where allows8Bit:
            self.encoding = .eightBit
            self.content = content
        case .eightBit, .binary:
            self.encoding = .quotedPrintable
            self.content = QuotedPrintable.encode(content)
        }
    }

    var header: [UInt8] {
        var writer = FieldWriter()
        writer.exact("Content-Type", self.type)
        writer.exact("Content-Description", self.description)
        writer.exact("Content-Transfer-Encoding", self.encoding.rawValue)
        return writer.bytes
    }
}

/// What content needs to be sent as it is (RFC 2045 §2.7, §2.8, §2.9).
enum LineForm: Hashable {
    case sevenBit
    case eightBit
    /// It has a NUL, a CR or LF that is no CRLF, or a line that is too long.
    case binary

    /// Octets of a line without its end (RFC 5322 §2.1.1).
    static let longestLine = 998

    init(_ bytes: some Collection<UInt8>) {
        var has8Bit = false
        var length = 0
        var previous: UInt8 = 0
        for byte in bytes {
            // A CR is followed by LF, and an LF follows a CR.
            if byte == 0 || (previous == 0x0d) != (byte == 0x0a) {
                self = .binary
                return
            }
            if byte == 0x0a {
                length = 0
            } else if byte != 0x0d {
                length += 1
            }
            if length > Self.longestLine {
                self = .binary
                return
            }
            has8Bit = has8Bit || byte >= 0x80
            previous = byte
        }
        self = previous == 0x0d ? .binary : has8Bit ? .eightBit : .sevenBit
    }
}

/// The encoding of RFC 2045 §6.7 for text whose lines end with CRLF; any octet survives it.
enum QuotedPrintable {
    /// Octets of a line, the `=` of a soft line end included.
    private static let longestLine = 76
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 4)
        var column = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            let endsLine = Self.isLineEnd(bytes, at: index)
            if endsLine {
                result += [0x0d, 0x0a]
                column = 0
                index += 2
                continue
            }
            // White space before a line end does not survive transport.
            let isLast = index + 1 == bytes.count || Self.isLineEnd(bytes, at: index + 1)
            let isLiteral = byte == 0x20 || byte == 0x09 ? !isLast : (0x21...0x7e).contains(byte) && byte != 0x3d
            let size = isLiteral ? 1 : 3
            if column + size > Self.longestLine - 1 {
                result += [0x3d, 0x0d, 0x0a]
                column = 0
            }
            if isLiteral {
                result.append(byte)
            } else {
                result += [0x3d, Self.digits[Int(byte >> 4)], Self.digits[Int(byte & 15)]]
            }
            column += size
            index += 1
        }
        return result
    }

    private static func isLineEnd(_ bytes: [UInt8], at index: Int) -> Bool {
        index + 1 < bytes.count && bytes[index] == 0x0d && bytes[index + 1] == 0x0a
    }
}

/// Makes a delimiter that stands nowhere in the parts (RFC 2046 §5.1.1).
enum Boundary {
    /// Digits behind the prefix. All candidates are equally long, so none is the beginning of another.
    private static let digits = 6

    /// One look at the parts, however many candidates stand in them.
    static func make(seed: UInt64, parts: [[UInt8]]) -> String {
        // `=_` stands in no line of quoted-printable text (RFC 2045 §6.7).
        let prefix = Array("=_outpost-\(Hexadecimal.text(seed))-".utf8)
        var taken: Set<Int> = []
        for part in parts {
            for number in self.numbers(behind: prefix, in: part) { taken.insert(number) }
        }
        var number = 0
        while taken.contains(number) { number += 1 }
        return String(decoding: prefix, as: UTF8.self) + self.padded(number)
    }

    private static func numbers(behind prefix: [UInt8], in bytes: [UInt8]) -> [Int] {
        var found: [Int] = []
        var index = 0
        let size = prefix.count + self.digits
        while index + size <= bytes.count {
            if bytes[index] == prefix[0], bytes[index..<(index + prefix.count)].elementsEqual(prefix),
                let number = Int(String(decoding: bytes[(index + prefix.count)..<(index + size)], as: UTF8.self))
            {
                found.append(number)
            }
            index += 1
        }
        return found
    }

    private static func padded(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, self.digits - text.count)) + text
    }
}

enum Hexadecimal {
    /// Sixteen digits.
    static func text(_ number: UInt64) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
