import MailTypes
import NIOCore

/// Takes message text out of the stream and watches it: line ends, NUL, line length, size.
///
/// `.stuffed` is the text behind DATA (RFC 5321 §4.5.2): only CRLF "." CRLF ends it, never a form with a bare CR or LF,
/// because a neighbour that reads those forms otherwise would see two messages where we see one. `.counted` is that of
/// BDAT (RFC 3030): whoever calls hands over exactly the chunk's octets.
///
/// The text is never repaired. Octets come out as they came in, without stuffed dots; where bare line ends are accepted
/// they are part of the text, and whoever sends the text on must stuff a dot behind each of them.
package struct ContentDecoder: Sendable {
    package enum Framing: Hashable, Sendable {
        case stuffed
        case counted
    }

    package enum Output: Equatable {
        /// Text, never empty.
        case text(ByteBuffer)
        case ended
        /// All octets are used up.
        case starved
    }

    /// Why the text cannot be accepted. It is read to its end all the same.
    package enum Refusal: Hashable, Sendable {
        case tooLarge
        case nul
        case bareLineEnds
        case lineTooLong
    }

    private enum Position: Hashable {
        case lineStart
        case inLine
        /// A CR was the last octet; it has been given out.
        case afterCR
        /// A dot began the line; it has been dropped.
        case afterDot
        /// CR behind such a dot; held back, because a LF behind it ends the text.
        case afterDotCR
    }

    private let framing: Framing
    private let maximumSize: Int
    private let maximumLine: Int
    private let bareLineEnds: BareLineEnds

    private var position = Position.lineStart
    /// Octets of the current line that came with earlier buffers.
    private var lineLength = 0
    private var octets = 0
    private var highBits: UInt8 = 0
    private var longestLine = 0
    private var hasNUL = false
    private var hasBareLineEnds = false

    /// - Parameters:
    ///   - maximumSize: octets of the text.
    ///   - maximumLine: octets of a line without its CRLF.
    package init(framing: Framing, maximumSize: Int, maximumLine: Int, bareLineEnds: BareLineEnds) {
        self.framing = framing
        self.maximumSize = maximumSize
        self.maximumLine = maximumLine
        self.bareLineEnds = bareLineEnds
    }

    package var facts: ContentFacts {
        ContentFacts(
            octets: self.octets,
            has8Bit: self.highBits >= 0x80,
            longestLine: self.longestLine,
            usedBDAT: self.framing == .counted,
            hasBareLineEnds: self.hasBareLineEnds
        )
    }

    /// What stands against the text as far as it is known. The order is fixed, so that the answer does not depend on how
    /// the network cut the text.
    package var refusal: Refusal? {
        if self.octets > self.maximumSize { return .tooLarge }
        if self.hasNUL { return .nul }
        if self.hasBareLineEnds, self.bareLineEnds == .refuse { return .bareLineEnds }
        if self.longestLine > self.maximumLine { return .lineTooLong }
        return nil
    }

    /// BDAT LAST: a CR at the very end has no LF any more.
    package mutating func finishCounted() {
        if self.position == .afterCR { self.hasBareLineEnds = true }
    }

    /// Takes octets from the front of `input` until there is something to say.
    package mutating func next(from input: inout ByteBuffer) -> Output {
        while input.readableBytes > 0 {
            switch self.position {
            case .afterDot:
                // A stuffed dot, or the first half of the end.
                if input.getInteger(at: input.readerIndex, as: UInt8.self) == 0x0d {
                    input.moveReaderIndex(forwardBy: 1)
                    self.position = .afterDotCR
                } else {
                    self.position = .inLine
                }
            case .afterDotCR:
                if input.getInteger(at: input.readerIndex, as: UInt8.self) == 0x0a {
                    input.moveReaderIndex(forwardBy: 1)
                    return .ended
                }
                return self.heldBackCR()
            case .lineStart, .inLine, .afterCR:
                if let text = self.scan(&input) { return .text(text) }
            }
        }
        return .starved
    }

    /// The CR of `CRLF "." CR` was no end: it is a bare one and part of the text.
    private mutating func heldBackCR() -> Output {
        self.hasBareLineEnds = true
        self.position = .inLine
        self.lineLength = 1
        self.octets += 1
        self.longestLine = max(self.longestLine, 1)
        return .text(ByteBuffer(integer: 0x0d, as: UInt8.self))
    }

    /// Text up to the next dot at the start of a line, or all of it.
    private mutating func scan(_ input: inout ByteBuffer) -> ByteBuffer? {
        let length = self.measure(input.readableBytesUInt8Span)
        let text = length > 0 ? input.readSlice(length: length) : nil
        if self.position == .afterDot { input.moveReaderIndex(forwardBy: 1) }
        return text
    }

    /// Looks at every octet once; only those below 14 (line ends, NUL, a few controls) leave the loop's short path.
    /// - Returns: how many octets are text.
    private mutating func measure(_ span: Span<UInt8>) -> Int {
        let count = span.count
        let isStuffed = self.framing == .stuffed
        var position = self.position
        var highBits = self.highBits
        var longest = self.longestLine
        var lineStart = -self.lineLength
        var index = 0
        scanning: while index < count {
            if position == .lineStart, isStuffed, span[index] == UInt8(ascii: ".") {
                position = .afterDot
                break scanning
            }
            if position == .afterCR {
                if span[index] == 0x0a {
                    longest = max(longest, index - 1 - lineStart)
                    index += 1
                    lineStart = index
                    position = .lineStart
                    continue scanning
                }
                self.hasBareLineEnds = true
            }
            position = .inLine
            while index < count {
                let byte = span[index]
                index += 1
                if byte > 0x0d {
                    highBits |= byte
                } else if byte == 0x0d {
                    position = .afterCR
                    continue scanning
                } else if byte == 0x0a {
                    self.hasBareLineEnds = true
                } else if byte == 0 {
                    self.hasNUL = true
                }
            }
        }
        self.lineLength = index - lineStart
        self.longestLine = max(longest, position == .afterCR ? self.lineLength - 1 : self.lineLength)
        self.highBits = highBits
        self.position = position
        self.octets += index
        return index
    }
}
