/// A piece of text that rules look at.
package struct TextSegment: Hashable, Sendable {
    package var bytes: [UInt8]
    /// Index of the part it comes from; nil for the subject.
    package var part: Int?
    /// Octets from the start of that part's text.
    package var offset: Int

    package init(bytes: [UInt8], part: Int?, offset: Int) {
        self.bytes = bytes
        self.part = part
        self.offset = offset
    }
}

/// A link found in the text or in HTML.
package struct MessageURI: Hashable, Sendable {
    /// Canonical: scheme added where it was left out, escapes of plain characters undone.
    package var bytes: [UInt8]
    package var part: Int
    package var offset: Int

    package init(bytes: [UInt8], part: Int, offset: Int) {
        self.bytes = bytes
        self.part = part
        self.offset = offset
    }
}

/// The views of a message that rules match against, each made once, when first asked for. For one thread at a time.
package final class MessageText {
    package let message: ParsedMessage

    package init(_ message: ParsedMessage) {
        self.message = message
    }

    /// Decoded text as a person reads it: the subject first, then paragraphs with white space run together, HTML rendered,
    /// in UTF-8.
    package lazy var body: [TextSegment] = []

    /// Text parts with transfer encoding undone, nothing else, in chunks.
    package lazy var rawBody: [TextSegment] = []

    package lazy var uris: [MessageURI] = []
}
