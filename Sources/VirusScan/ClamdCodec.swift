/// What a client asks of clamd (clamd(8)), in the form that ends with a zero octet, so that line feeds have no meaning.
package enum ClamdCommand: Hashable, Sendable {
    case ping
    case version
    /// More than one request on this connection; replies get numbers, from 1.
    case beginSession
    case endSession
    /// Chunks follow, each as `ClamdCodec.chunk`, then `ClamdCodec.endOfStream`.
    case scanStream
    /// One octet follows, with an open file beside it (SCM_RIGHTS).
    case scanDescriptor

    package var octets: [UInt8] {
        let name =
            switch self {
            case .ping: "zPING"
            case .version: "zVERSION"
            case .beginSession: "zIDSESSION"
            case .endSession: "zEND"
            case .scanStream: "zINSTREAM"
            case .scanDescriptor: "zFILDES"
            }
        return Array(name.utf8) + [0]
    }
}

/// One reply of clamd.
package enum ClamdReply: Hashable, Sendable {
    case clean
    /// Never empty. clamd names one; `outpost-scanner` names all.
    case found([String])
    /// No verdict: `INSTREAM size limit exceeded.`, `Time limit reached`.
    case failed(String)
    /// `PONG`, `ClamAV 1.4.6/27450/…`.
    case text(String)
}

package enum ClamdProtocolError: Error, Hashable, Sendable, CustomStringConvertible {
    case replyTooLong
    case emptyReply
    /// Number and reply do not belong together.
    case outOfStep(String)

    package var description: String {
        switch self {
        case .replyTooLong: "a reply is too long"
        case .emptyReply: "a reply is empty"
        case .outOfStep(let reply): "an unexpected reply: \(reply)"
        }
    }
}

/// clamd's protocol between values and octets.
package enum ClamdCodec {
    /// The mark after the last chunk: a chunk without octets.
    package static let endOfStream: [UInt8] = [0, 0, 0, 0]

    /// The four octets before a chunk.
    package static func chunkLength(_ count: Int) -> [UInt8] {
        precondition(count > 0 && count <= UInt32.max, "a chunk has 1 to 2^32-1 octets")
        let count = UInt32(count)
        return [UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    }

    /// A reply without its end and without its number.
    package static func reply(_ text: String) -> ClamdReply {
        if let names = text.removingSuffix(" FOUND") {
            let words = afterName(names).split(separator: " ").map { withoutDetails($0) }
            return words.isEmpty ? .failed(text) : .found(words)
        }
        if let reason = text.removingSuffix("ERROR") {
            let words = afterName(reason).trimmed
            return .failed(words.isEmpty ? "unknown error" : words)
        }
        if text.hasSuffix(": OK") { return .clean }
        return .text(text)
    }

    /// `stream: `, `fd[10]: ` or a path stand before the result.
    private static func afterName(_ text: Substring) -> Substring {
        var rest = text
        while let colon = rest.firstIndex(of: ":") {
            let next = rest.index(after: colon)
            guard next < rest.endIndex, rest[next] == " " else { break }
            rest = rest[rest.index(after: next)...]
        }
        return rest
    }

    /// `ExtendedDetectionInfo` appends `(hash:size)` to a name.
    private static func withoutDetails(_ name: Substring) -> String {
        guard name.hasSuffix(")"), let open = name.lastIndex(of: "("), open > name.startIndex else { return String(name) }
        return String(name[..<open])
    }
}

/// Cuts replies out of the octets that arrive, in any pieces.
package struct ClamdReplyDecoder: Hashable, Sendable {
    /// A reply is a name and a few signatures.
    package static let maximumLength = 65_536

    private var buffer: [UInt8] = []

    package init() {}

    package mutating func append(_ octets: [UInt8]) {
        self.buffer += octets
    }

    /// The next complete reply; nil when more octets are needed.
    /// - Parameter isSession: a number stands before the reply.
    package mutating func next(isSession: Bool) throws(ClamdProtocolError) -> (number: Int, reply: ClamdReply)? {
        // clamd's complaints about commands end with a line feed, whatever form the command had.
        guard let end = self.buffer.firstIndex(where: { $0 == 0 || $0 == 0x0A }) else {
            if self.buffer.count > Self.maximumLength { throw .replyTooLong }
            return nil
        }
        guard end <= Self.maximumLength else { throw .replyTooLong }
        let text = String(decoding: self.buffer[..<end], as: UTF8.self)
        self.buffer.removeSubrange(...end)
        if text.isEmpty { throw .emptyReply }
        guard isSession else { return (0, ClamdCodec.reply(text)) }
        guard let colon = text.firstIndex(of: ":"), let number = Int(text[..<colon]) else {
            // Errors before the request was understood carry no number.
            if case .failed(let reason) = ClamdCodec.reply(text) { return (0, .failed(reason)) }
            throw .outOfStep(text)
        }
        return (number, ClamdCodec.reply(String(text[text.index(after: colon)...].trimmed)))
    }
}

extension StringProtocol {
    fileprivate func removingSuffix(_ suffix: String) -> Self.SubSequence? {
        self.hasSuffix(suffix) ? self.dropLast(suffix.count) : nil
    }

    fileprivate var trimmed: String {
        String(self.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
