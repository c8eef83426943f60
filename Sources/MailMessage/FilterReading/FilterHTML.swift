/// HTML as SpamAssassin renders and measures it. What a person sees of it is `HTMLText`.
package struct FilterHTML: Sendable {
    /// A link as an element names it, with its target made whole against `<base>`.
    package struct Link: Hashable, Sendable {
        package var uri: [UInt8]
        /// Of the elements that name it: `a`, `img`, `form`; empty for an anchor whose target is another.
        package var types: Set<String> = []
        /// The text of each anchor that has it, as written.
        package var anchorTexts: [[UInt8]] = []
    }

    /// All text, seen or not, in UTF-8.
    package internal(set) var rendered: [UInt8] = []
    /// The text holds more than octets: it was decoded, or has a character reference beyond U+00FF. Otherwise what is above
    /// U+007F in it stands for one octet each.
    package internal(set) var isDecoded = false
    package internal(set) var links: [Link] = []
    /// A link was cut, or there were too many of them.
    package internal(set) var areLinksCut = false
    /// There were more names of tags, comments or nested elements than are kept.
    package internal(set) var areElementsCut = false

    // MARK: Counts

    /// Tags within which the text ends, by name in lower case; 0 for those that are closed.
    package internal(set) var open: [[UInt8]: Int] = [:]
    /// Start and end tags, and declarations of the document type; nil when there was none.
    package internal(set) var tags: Int?
    /// Of these, tags of elements that HTML 4 has.
    package internal(set) var elements: Int?
    /// The same, each name once.
    package internal(set) var tagsSeen: Int?
    package internal(set) var elementsSeen: Int?
    /// End tags without a start.
    package internal(set) var extraEnds = 0
    /// Tags within words.
    package internal(set) var obfuscations: Int?
    /// Kinds of tags within words, by the lengths of the letters on both sides.
    package internal(set) var wordSplits: Set<Int> = []
    /// Characters of the HTML.
    package internal(set) var length = 0
    /// Characters of the rendered text, and those of them that are no white space.
    package internal(set) var renderedLength = 0
    package internal(set) var solidLength = 0
    /// Octets of the HTML that the rendered text does not account for, against all; nil without any.
    package internal(set) var ratio: Double?
    /// Square pixels of all images that say how large they are.
    package internal(set) var imageArea = 0
    package internal(set) var smallestFont = 3
    package internal(set) var largestFont = 3

    // MARK: Findings

    package internal(set) var hasLowContrast = false
    package internal(set) var hasInvalidColor = false
    package internal(set) var hasBadFontFace = false
    package internal(set) var hasMailtoForm = false
    package internal(set) var hasEmbedded = false
    /// Character sets of `<meta http-equiv=content-type>`, apart by spaces.
    package internal(set) var charsets: [UInt8]?

    // MARK: Texts

    package internal(set) var comments: [[UInt8]] = []
    package internal(set) var titles: [[UInt8]] = []
    package internal(set) var anchors: [[UInt8]] = []
    package internal(set) var scripts: [[UInt8]] = []

    /// - Parameters:
    ///   - text: decoded.
    ///   - octets: of the part before its character set was decoded.
    init(_ text: FilterCharset.Text, octets: Int) {
        var renderer = FilterHTMLRenderer(text)
        renderer.render()
        self = renderer.result
        let (characters, spaces) = Self.count(self.rendered, isDecoded: self.isDecoded)
        self.renderedLength = characters
        self.solidLength = characters - spaces
        if octets > 0 { self.ratio = Double(octets - characters) / Double(octets) }
    }

    init() {}

    /// Start tags less end tags of a name in lower case; nil when there was none.
    package func openTags(_ name: String) -> Int? { self.open[[UInt8](ascii: name)] }

    /// Characters, and those of them that are white space.
    private static func count(_ text: [UInt8], isDecoded: Bool) -> (Int, Int) {
        var characters = 0
        var spaces = 0
        for index in text.indices {
            let octet = text[index]
            if octet & 0xc0 == 0x80 { continue }
            characters += 1
            if octet < 0x80 {
                if octet.isSpace, isDecoded || octet != 0x0c { spaces += 1 }
            } else if isDecoded, UnicodeSpace.length(text, at: index) != nil {
                spaces += 1
            }
        }
        return (characters, spaces)
    }
}

/// White space of Unicode beyond ASCII.
enum UnicodeSpace {
    /// Octets of the white space at `index`; nil when there is none.
    @inline(__always)
    static func length(_ text: [UInt8], at index: Int) -> Int? {
        let octet = text[index]
        guard octet == 0xc2 || (0xe1...0xe3).contains(octet) else { return nil }
        if octet == 0xc2 {
            guard index + 1 < text.count else { return nil }
            return text[index + 1] == 0xa0 || text[index + 1] == 0x85 ? 2 : nil
        }
        guard index + 2 < text.count else { return nil }
        switch (octet, text[index + 1], text[index + 2]) {
        case (0xe2, 0x80, 0x80...0x8a), (0xe2, 0x80, 0xa8...0xa9), (0xe2, 0x80, 0xaf), (0xe2, 0x81, 0x9f), (0xe3, 0x80, 0x80),
            (0xe1, 0x9a, 0x80):
            return 3
        default:
            return nil
        }
    }
}
