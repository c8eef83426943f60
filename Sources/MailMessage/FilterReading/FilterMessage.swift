/// A message taken apart exactly as SpamAssassin 4.0.1 does it: where the parts end, which types and names they have, what
/// their text is, and what was wrong on the way. `ParsedMessage` is what mail readers see; the numbers and flags that
/// SpamAssassin's functions compare with are those of this reading.
///
/// Bounded in depth as there and in parts as a whole; the work is a few times the message's size for each level.
package final class FilterMessage {
    /// Mistakes that the reading meets, by the names that rules ask for them.
    package enum Flag: String, Hashable, Sendable, CaseIterable {
        case missingHeadBodySeparator = "missing_head_body_separator"
        case truncatedHeader = "truncated_header"
        case missingMIMEHeaders = "missing_mime_headers"
        case missingMIMEHeadBodySeparator = "missing_mime_head_body_separator"
        case partLimitExceeded = "mimepart_limit_exceeded"
        case epilogueExists = "mime_epilogue_exists"
    }

    /// Of the message itself; mistakes of messages within it do not count, except those of MIME.
    package internal(set) var flags: Set<Flag> = []
    /// The first is the message itself; the others in the order in which they were met. `depthFirst` has the tree's order.
    package internal(set) var parts: [FilterPart] = []
    /// Octets of the body, lines ended by LF.
    package internal(set) var bodyLength = 0
    /// A boundary that was opened and not closed, or closed more often than opened.
    package internal(set) var hasUnbalancedBoundary = false
    /// A part was left whole that is made of parts, because it stands too deep or there are too many.
    package internal(set) var hasUnreadParts = false

    /// - Parameter bytes: with CRLF or LF.
    package convenience init(_ bytes: [UInt8]) {
        self.init(lineFeeds: LineEnds.lineFeeds(bytes))
    }

    /// - Parameter text: with LF; a CR before one is text.
    init(lineFeeds text: [UInt8]) {
        var reader = FilterReader()
        reader.read(text)
        self.parts = reader.parts
        self.flags = reader.flags
        self.bodyLength = reader.bodyLength
        self.hasUnreadParts = reader.hasUnreadParts
        self.hasUnbalancedBoundary = reader.boundaryStates.values.contains { $0 != 0 }
    }

    /// All parts, each before its children.
    package lazy var depthFirst: [FilterPart] = self.subtree(of: self.parts[0])

    /// Parts that have no parts.
    package lazy var leaves: [FilterPart] = self.depthFirst.filter(\.isLeaf)

    /// A part and all within it, each before its children.
    package func subtree(of part: FilterPart) -> [FilterPart] {
        var result: [FilterPart] = []
        var open = [part.index]
        while let index = open.popLast() {
            result.append(self.parts[index])
            open.append(contentsOf: self.parts[index].children.reversed())
        }
        return result
    }
}

/// A part as SpamAssassin has it.
package struct FilterPart: Sendable {
    /// In `FilterMessage.parts`.
    package var index: Int
    package var depth: Int
    package var children: [Int] = []
    package var isLeaf = true
    /// `text/plain`, lower case.
    package var type: [UInt8]
    package var charset: [UInt8]?
    /// From Content-Disposition, else from Content-Type; as the decoded field has it.
    package var name: [UInt8]?
    /// The header, in order.
    package var fields: [FilterField] = []
    /// The last fields of the name, unfolded and decoded; nil where there is none.
    package var contentType: [UInt8]?
    package var contentDisposition: [UInt8]?
    package var contentTransferEncoding: [UInt8]?
    /// The body as it stands in the message, lines ended by LF; empty for a part that has parts.
    package var raw: [UInt8] = []

    /// Transfer encoding in lower case; empty without a field.
    package var encoding: [UInt8] { self.contentTransferEncoding?.lowercasedASCII() ?? [] }

    /// The type when the name does not say that it is HTML.
    package var effectiveType: [UInt8] {
        guard let name = self.name?.lowercasedASCII() else { return self.type }
        let endings = [".htm", ".html", ".shtm", ".shtml"].map { [UInt8](ascii: $0) }
        let isHTML = endings.contains { name.count >= $0.count && name[(name.count - $0.count)...].elementsEqual($0) }
        return isHTML ? [UInt8](ascii: "text/html") : self.type
    }

    /// With the transfer encoding undone.
    package func decoded() -> [UInt8] {
        switch self.encoding {
        case Self.quotedPrintable: return FilterDecoding.quotedPrintable(self.raw)
        case Self.base64:
            let content = FilterDecoding.base64(self.raw)
            return self.isText ? LineEnds.lineFeeds(content) : content
        default: return self.raw
        }
    }

    private var isText: Bool {
        self.type.hasPrefix([UInt8](ascii: "text/"), at: 0) || self.type.hasPrefix([UInt8](ascii: "message/"), at: 0)
    }

    private static let quotedPrintable = [UInt8](ascii: "quoted-printable")
    private static let base64 = [UInt8](ascii: "base64")
}
