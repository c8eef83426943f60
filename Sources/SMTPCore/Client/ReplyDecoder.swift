import MailTypes
import NIOCore

/// A server's reply could not be understood: nothing more can be believed on this connection.
package enum ReplyError: Error, Hashable, Sendable {
    /// Not `code [separator text] CRLF` (RFC 5321 §4.2).
    case malformed
    /// Lines of one reply have different codes.
    case codesDiffer
    case lineTooLong
    case tooManyLines
}

/// Cuts a server's bytes into replies (RFC 5321 §4.2).
///
/// Lines end in CRLF and nothing else. A line may consist of the code alone.
package struct ReplyDecoder: Sendable {
    /// Octets with CRLF: RFC 5321 §4.5.3.1.5 says 512; servers that quote an address or a link in the text go beyond.
    package static let maximumLine = 4_096
    /// Lines of one reply: an answer to EHLO has some twenty; a server that never stops is not one to listen to.
    package static let maximumLines = 200

    private var code = 0
    private var lines: [String] = []

    package init() {}

    /// Some, but not all lines of a reply were seen.
    package var isInsideReply: Bool { !self.lines.isEmpty }

    /// Takes the next reply off the buffer; nil when it is not complete. An incomplete line stays in the buffer.
    package mutating func next(_ buffer: inout ByteBuffer) throws(ReplyError) -> SMTPReply? {
        while true {
            let view = buffer.readableBytesView
            guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
                if view.count >= Self.maximumLine { throw .lineTooLong }
                return nil
            }
            let length = end - view.startIndex + 1
            guard length <= Self.maximumLine else { throw .lineTooLong }
            guard let line = buffer.readBytes(length: length) else { return nil }
            if try self.take(line) {
                guard let reply = SMTPReply.received(code: self.code, lines: self.lines) else { throw .malformed }
                self.lines = []
                return reply
            }
        }
    }

    /// - Returns: whether this was the reply's last line.
    private mutating func take(_ line: [UInt8]) throws(ReplyError) -> Bool {
        // The shortest line is "250\r\n".
        guard line.count >= 5, line[line.count - 2] == UInt8(ascii: "\r") else { throw .malformed }
        var code = 0
        for byte in line[0..<3] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { throw .malformed }
            code = code * 10 + Int(byte - UInt8(ascii: "0"))
        }
        if self.lines.isEmpty {
            guard (200...599).contains(code) else { throw .malformed }
            self.code = code
        } else if code != self.code {
            throw .codesDiffer
        }
        let isLast: Bool
        switch line[3] {
        case UInt8(ascii: " "): isLast = true
        case UInt8(ascii: "-"): isLast = false
        case UInt8(ascii: "\r") where line.count == 5: isLast = true
        default: throw .malformed
        }
        guard self.lines.count < Self.maximumLines else { throw .tooManyLines }
        self.lines.append(String(decoding: line[min(4, line.count - 2)..<(line.count - 2)], as: UTF8.self))
        return isLast
    }
}
