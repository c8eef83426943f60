import NIOCore

/// Makes message text fit for DATA (RFC 5321 §4.5.2): a dot is put before each line that starts with one, and the end is
/// marked.
///
/// A line starts behind CRLF, nowhere else, so the message stays octet for octet what it was. Bare CR and LF, which only
/// an administrator's setting lets in, are the one exception: a reader that takes them for line ends would see the end of
/// the message in a "." that stands alone between such ends. There, and only there, a dot is added, too: a lenient reader
/// takes it off again, a strict one delivers one dot more. That is the lesser harm beside a smuggled message.
package struct ContentEncoder: Sendable {
    private static let dot = UInt8(ascii: ".")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let lineFeed = UInt8(ascii: "\n")

    /// The last two octets; a message starts like a line.
    private var beforeLast = ContentEncoder.carriageReturn
    private var last = ContentEncoder.lineFeed
    /// The text so far ends in a dot behind a bare line end: the next octet says whether it must be stuffed.
    private var holdsDot = false

    package init() {}

    /// Appends the encoded text to `output`. Any division of the message into pieces gives the same result.
    package mutating func encode(_ bytes: [UInt8], into output: inout ByteBuffer) {
        guard let first = bytes.first else { return }
        if self.holdsDot {
            self.releaseDot(stuffed: Self.isLineEnd(first), into: &output)
        }
        var copied = 0
        for index in bytes.indices where bytes[index] == Self.dot {
            let previous = index > 0 ? bytes[index - 1] : self.last
            guard Self.isLineEnd(previous) else { continue }
            let earlier = index > 1 ? bytes[index - 2] : index == 1 ? self.last : self.beforeLast
            if previous != Self.lineFeed || earlier != Self.carriageReturn {
                guard index + 1 < bytes.count else {
                    output.writeBytes(bytes[copied..<index])
                    copied = bytes.count
                    self.holdsDot = true
                    break
                }
                guard Self.isLineEnd(bytes[index + 1]) else { continue }
            }
            output.writeBytes(bytes[copied..<index])
            output.writeInteger(Self.dot)
            copied = index
        }
        output.writeBytes(bytes[copied...])
        self.beforeLast = bytes.count > 1 ? bytes[bytes.count - 2] : self.last
        self.last = bytes[bytes.count - 1]
    }

    /// Appends the end mark. Text that does not end in CRLF (it came by BDAT) gets one first: DATA has no other form.
    package mutating func finish(into output: inout ByteBuffer) {
        if self.holdsDot {
            self.releaseDot(stuffed: true, into: &output)
        }
        if self.beforeLast != Self.carriageReturn || self.last != Self.lineFeed {
            output.writeBytes([Self.carriageReturn, Self.lineFeed])
        }
        output.writeBytes([Self.dot, Self.carriageReturn, Self.lineFeed])
        self = ContentEncoder()
    }

    private mutating func releaseDot(stuffed: Bool, into output: inout ByteBuffer) {
        if stuffed { output.writeInteger(Self.dot) }
        output.writeInteger(Self.dot)
        self.holdsDot = false
    }

    @inline(__always)
    private static func isLineEnd(_ byte: UInt8) -> Bool {
        byte == Self.lineFeed || byte == Self.carriageReturn
    }
}
