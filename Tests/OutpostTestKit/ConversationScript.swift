import Foundation

/// A conversation between a client, the gateway and its downstream servers, as text. `Fixtures/conversations/README.md`
/// describes the language.
public struct ConversationScript: Sendable, CustomStringConvertible {
    public enum Actor: Hashable, Sendable {
        /// Counted from 0: the client of most conversations, and others that connect when they first do something.
        case client(Int)
        /// Counted from 0: the first downstream server of the configuration, the second.
        case downstream(Int)
    }

    public enum Expectation: Hashable, Sendable {
        /// One line, whole.
        case line(ConversationPattern)
        /// One line that starts so.
        case prefix(ConversationPattern)
        /// All lines of a reply, each starting so.
        case reply(ConversationPattern)
        /// The other side closes, and says nothing before.
        case close
    }

    public enum Action: Hashable, Sendable {
        case send([UInt8])
        /// What was sent so far goes out in a piece of its own.
        case flush
        case expect(Expectation)
        case close
        case closeOutput
        case startTLS
        /// The downstream server takes the gateway's next connection.
        case accept(isGreeted: Bool)
        /// The downstream server reads a message up to its end mark.
        case readMessage
    }

    public struct Step: Hashable, Sendable {
        public var line: Int
        public var actor: Actor
        public var action: Action
    }

    /// What a downstream server must have got when all is over.
    public enum Claim: Hashable, Sendable {
        case messages(Int)
        case connections(Int)
        /// The last message behind the gateway's own fields, as it was on the wire, without the end mark.
        case body([UInt8])
        /// One line of the gateway's own fields in the last message.
        case field(ConversationPattern)
        case command(ConversationPattern)
        case noCommand(ConversationPattern)
    }

    public struct Assertion: Hashable, Sendable {
        public var line: Int
        public var downstream: Int
        public var claim: Claim
    }

    public struct Malformed: Error, CustomStringConvertible {
        public let file: String
        public let line: Int
        public let reason: String
        public var description: String { "\(self.file):\(self.line): \(self.reason)" }
    }

    /// What a downstream server lists at EHLO when a conversation says nothing else.
    public static let usualOffers = [
        "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8", "CHUNKING",
    ]

    public let file: URL
    /// Below `Fixtures/conversations`.
    public let name: String
    public internal(set) var about = ""
    public internal(set) var configuration = "standard"
    public internal(set) var listener = "plain"
    public internal(set) var offers = ConversationScript.usualOffers
    /// It needs the whole program, and why.
    public internal(set) var programOnly: String?
    public internal(set) var steps: [Step] = []
    public internal(set) var assertions: [Assertion] = []

    public var description: String { self.name }

    /// Whether these lines play the part of that downstream server; otherwise it answers by itself and takes everything.
    public func plays(downstream: Int) -> Bool { self.steps.contains { $0.actor == .downstream(downstream) } }

    init(file: URL, name: String) {
        self.file = file
        self.name = name
    }

    public static let directory = Fixture.directory.appending(path: "conversations")

    /// One that stands in a test.
    public static func parse(_ text: String, name: String) throws -> ConversationScript {
        var parser = ConversationParser(file: URL(filePath: name), name: name)
        return try parser.parse(text)
    }

    /// All conversations of the repository, by name.
    public static func all() throws -> [ConversationScript] {
        let base = self.directory.path + "/"
        return try Fixture.files("conversations", suffix: ".smtp").map { file in
            let name = file.path.hasPrefix(base) ? String(file.path.dropFirst(base.count)) : file.lastPathComponent
            var parser = ConversationParser(file: file, name: name)
            return try parser.parse(String(decoding: try Fixture.bytes(file), as: UTF8.self))
        }
    }
}

/// Bytes with wildcards: `<id>` is a transaction id, `<time>` a date (RFC 5322 §3.3), `<port>` a number, `<any>` anything.
public struct ConversationPattern: Hashable, Sendable, CustomStringConvertible {
    private enum Piece: Hashable {
        case bytes([UInt8])
        case id
        case time
        case number
        case anything
    }

    public let description: String
    private let pieces: [Piece]

    init(_ text: String) throws(ConversationEscapes.Unknown) {
        self.description = text
        let words: [(String, Piece)] = [("<id>", .id), ("<time>", .time), ("<port>", .number), ("<any>", .anything)]
        var pieces: [Piece] = []
        var plain = ""
        var rest = text[...]
        scan: while let first = rest.first {
            for (word, piece) in words where rest.hasPrefix(word) {
                pieces += [.bytes(try ConversationEscapes.bytes(plain)), piece]
                plain = ""
                rest = rest.dropFirst(word.count)
                continue scan
            }
            plain.append(first)
            rest = rest.dropFirst()
        }
        self.pieces = pieces + [.bytes(try ConversationEscapes.bytes(plain))]
    }

    public func matches(_ bytes: [UInt8]) -> Bool { Self.match(self.pieces[...], bytes[...], isWhole: true) }

    public func matchesPrefix(of bytes: [UInt8]) -> Bool { Self.match(self.pieces[...], bytes[...], isWhole: false) }

    private static func match(_ pieces: ArraySlice<Piece>, _ bytes: ArraySlice<UInt8>, isWhole: Bool) -> Bool {
        guard let piece = pieces.first else { return !isWhole || bytes.isEmpty }
        let rest = pieces.dropFirst()
        switch piece {
        case .bytes(let wanted):
            return bytes.starts(with: wanted) && self.match(rest, bytes.dropFirst(wanted.count), isWhole: isWhole)
        case .id:
            let isID = bytes.count >= 12 && bytes.prefix(12).allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
            return isID && self.match(rest, bytes.dropFirst(12), isWhole: isWhole)
        case .time:
            // "Mon, 23 Nov 2026 10:00:00 +0000"
            let text = bytes.prefix(31)
            let isTime =
                text.count == 31 && text.prefix(5).suffix(2).elementsEqual(", ".utf8)
                && text.suffix(5).elementsEqual("+0000".utf8)
            return isTime && self.match(rest, bytes.dropFirst(31), isWhole: isWhole)
        case .number:
            let digits = bytes.prefix { (48...57).contains($0) }
            return !digits.isEmpty && self.match(rest, bytes.dropFirst(digits.count), isWhole: isWhole)
        case .anything:
            return (0...bytes.count).contains { self.match(rest, bytes.dropFirst($0), isWhole: isWhole) }
        }
    }
}

/// `\r \n \t \0 \\ \xNN` in the text of a conversation.
enum ConversationEscapes {
    struct Unknown: Error {
        let text: String
    }

    static func bytes(_ text: some StringProtocol) throws(Unknown) -> [UInt8] {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "0"): result.append(0)
            case UInt8(ascii: "\\"): result.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                    throw Unknown(text: String(text))
                }
                result.append(value)
                rest = rest.dropFirst(2)
            default: throw Unknown(text: String(text))
            }
        }
        return result
    }

    /// For messages about failures.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var result = ""
        for byte in bytes {
            switch byte {
            case 0x0d: result += "\\r"
            case 0x0a: result += "\\n"
            case 0x20...0x7e: result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return result
    }
}
