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

/// How much text the views hold; what lies beyond is not seen by text rules (the whole message is seen by `full` rules and the
/// virus scan). The defaults are SpamAssassin's, whose rules are tuned to them.
package struct TextLimits: Hashable, Sendable {
    /// Characters of each part's rendered text in `body`.
    package var bodyPart = 50_000
    /// Octets of each part's decoded text in `rawBody`.
    package var rawBodyPart = 500_000
    /// URIs in all forms.
    package var uris = 1_000

    package init() {}
}

/// The views of a message that rules match against, each made once, when first asked for. For one thread at a time.
///
/// `body`, `rawBody`, `uris`, `links` and `renderedHTML` are those of SpamAssassin, whose rules are written against them.
/// `visibleBody`, `invisible` and `html` are what a person sees in a mail reader.
package final class MessageText {
    package let message: ParsedMessage
    package let limits: TextLimits
    /// How links are told; to be set before they are first asked for.
    package var linkReading = LinkReading()

    package init(_ message: ParsedMessage, limits: TextLimits = TextLimits()) {
        self.message = message
        self.limits = limits
    }

    /// A field's value as rules see it; `ParsedMessage.decodedValue` is what people read.
    package func decodedValue(of field: HeaderField) -> [UInt8] {
        FilterField.decode(self.message.bytes, field.value, named: self.message.bytes[field.name])
    }

    /// The whole message with line feeds as line ends.
    package lazy var full: [UInt8] = LineEnds.lineFeeds(self.message.bytes)

    /// The message as SpamAssassin takes it apart.
    package lazy var reading = FilterMessage(lineFeeds: self.full)

    /// Decoded text: the subject first, then the text of all text/plain and text/html parts (HTML rendered) in paragraphs,
    /// white space run together. Each segment ends with the line feed that SpamAssassin's rules may match, except the last
    /// one where the text does not. Text of HTML that nobody sees is part of it: a rule that must not see it looks at
    /// `visibleBody`. In UTF-8, but for ASCII text with character references to U+0080 to U+00FF, which are octets then.
    package lazy var body: [TextSegment] = self.makeBody()

    /// Text parts with transfer encoding undone and line ends as line feeds, nothing else, in chunks of 2 to 4 KiB.
    package lazy var rawBody: [TextSegment] = self.makeRawBody()

    /// The links in `body` and in HTML, each with all its forms and where it stands, and the domains of signatures.
    package lazy var links: [MessageLink] = self.makeLinks()

    /// `links` in all their forms: each as written, and its canonical forms where they differ, none twice.
    package lazy var uris: [MessageURI] = MessageURI.all(of: self.links, limit: self.limits.uris)

    /// HTML parts as they were rendered for `body`, in order.
    package lazy var renderedHTML: [FilterHTML] = self.filterParts.compactMap(\.html)

    /// `body` as a person sees it: without the text of HTML that is hidden, tiny or in the colour of its background.
    package lazy var visibleBody: [TextSegment] = self.paragraphs(
        of: self.seenParts.map { ($0.part, $0.visible) },
        withSubject: true
    )

    /// The text in HTML that nobody sees, in paragraphs like `body`.
    package lazy var invisible: [TextSegment] = self.paragraphs(
        of: self.seenParts.filter { !$0.invisible.isEmpty }.map { ($0.part, $0.invisible) },
        withSubject: false
    )

    /// Facts of each HTML part, by the index of the part.
    package lazy var html: [(part: Int, facts: HTMLFacts)] = self.seenParts.compactMap { part in
        part.facts.map { (part.part, $0) }
    }

    /// Broken transfer encodings of the text parts.
    package lazy var anomalies: [StructureAnomaly] = self.textParts.compactMap(\.anomaly)

    /// What the views made so far left out, in plain words; empty for nearly all mail.
    package private(set) var cuts: Set<Cut> = []

    package enum Cut: String, Hashable, Sendable, CaseIterable {
        case bodyText = "body text"
        case rawText = "raw text"
        case links
        case htmlLinks = "links of HTML"
        case htmlElements = "elements of HTML"
        case parts
        case headers
    }

    private struct TextPart {
        var part: Int
        var isHTML: Bool
        var isRendered: Bool
        var charset: String?
        /// Line ends are line feeds.
        var content: [UInt8]
        var anomaly: StructureAnomaly?
    }

    private struct SeenPart {
        var part: Int
        var visible: [UInt8]
        var invisible: [UInt8]
        var facts: HTMLFacts?
    }

    private lazy var textParts: [TextPart] = self.collectTextParts()
    private lazy var seenParts: [SeenPart] = self.textParts.filter(\.isRendered).map(self.render)
    private lazy var filterParts: [FilterTextPart] = self.collectFilterParts()
    /// Where the leaves are in `filterParts`, by their indices in `reading.parts`.
    private lazy var leafPlaces: [Int?] = {
        var places = [Int?](repeating: nil, count: self.reading.parts.count)
        for (place, leaf) in self.reading.leaves.enumerated() { places[leaf.index] = place }
        return places
    }()
}

// MARK: - SpamAssassin's views

extension MessageText {
    private func collectFilterParts() -> [FilterTextPart] {
        let reading = self.reading
        if reading.flags.contains(.partLimitExceeded) || reading.hasUnreadParts { self.cuts.insert(.parts) }
        if reading.flags.contains(.truncatedHeader) { self.cuts.insert(.headers) }
        var places = PartPlaces(self.message)
        return reading.leaves.map { FilterTextPart($0, part: places.next($0.type)) }
    }

    private func makeBody() -> [TextSegment] {
        let parts = self.filterParts
        if parts.contains(where: { $0.html?.areElementsCut == true }) { self.cuts.insert(.htmlElements) }
        // One part in Unicode makes it that of all.
        let isUnicode = parts.contains { $0.rendered?.isDecoded == true }
        var splitter = ParagraphSplitter(limit: self.limits.bodyPart, isUnicode: isUnicode)
        splitter.addSubject(self.subject)
        for part in parts {
            splitter.separate()
            guard let rendered = part.rendered else { continue }
            splitter.add(isUnicode ? rendered.bytes : Self.octets(rendered.bytes), part: part.part)
        }
        let segments = splitter.finish()
        if splitter.hasCut { self.cuts.insert(.bodyText) }
        return segments
    }

    /// A part of `reading` as it was rendered for `body`; nil for what is neither plain text nor HTML.
    package func rendering(of part: FilterPart) -> FilterRendering? {
        guard let place = self.leafPlaces[part.index], let text = self.filterParts[place].rendered else { return nil }
        let html = self.filterParts[place].html
        return FilterRendering(isHTML: html != nil, text: text.bytes, hasImages: html?.openTags("img") != nil)
    }

    /// The last subject counts.
    private var subject: [UInt8] {
        self.message.fields(named: "subject").last.map(self.decodedValue) ?? []
    }

    /// Characters up to U+00FF as one octet each.
    private static func octets(_ text: [UInt8]) -> [UInt8] {
        guard !text.isASCII else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        for (index, octet) in text.enumerated() {
            if octet < 0x80 {
                result.append(octet)
            } else if octet & 0xc0 == 0x80 {
                result.append(text[index - 1] << 6 | octet & 0x3f)
            }
        }
        return result
    }

    private func makeRawBody() -> [TextSegment] {
        var result: [TextSegment] = []
        for part in self.filterParts where part.isRawText {
            let end = RawChunks.end(of: part.content, limit: self.limits.rawBodyPart)
            if end < part.content.count { self.cuts.insert(.rawText) }
            RawChunks.split(
                end < part.content.count ? [UInt8](part.content[..<end]) : part.content,
                part: part.part,
                into: &result
            )
        }
        return result
    }

    private func makeLinks() -> [MessageLink] {
        var collector = LinkCollector(self.linkReading, limit: self.limits.uris)
        for segment in self.body { collector.add(text: segment) }
        for part in self.filterParts {
            guard let html = part.html else { continue }
            if html.areLinksCut { self.cuts.insert(.htmlLinks) }
            for link in html.links { collector.add(link, part: part.part) }
        }
        for name in SignerLinks.fields where self.linkReading.includesSigners {
            for field in self.message.fields(named: name) {
                for link in SignerLinks.links(in: self.decodedValue(of: field)) { collector.add(signer: link) }
            }
        }
        if collector.hasCut { self.cuts.insert(.links) }
        return collector.links
    }
}

/// A part without parts, as SpamAssassin's text views need it.
private struct FilterTextPart {
    /// In `ParsedMessage.parts`.
    var part: Int
    /// It is part of `rawBody`.
    var isRawText: Bool
    var content: [UInt8]
    /// For `body`; nil for what is no text that is shown.
    var rendered: FilterCharset.Text?
    var html: FilterHTML?

    private static let html = [UInt8](ascii: "text/html")
    private static let plain = [UInt8](ascii: "text/plain")
    private static let calendar = [UInt8](ascii: "text/calendar")
    private static let text = [UInt8](ascii: "text")
    private static let message = [UInt8](ascii: "message")

    init(_ part: FilterPart, part index: Int) {
        self.part = index
        let type = part.effectiveType
        let isText = Self.begins(type, with: Self.text) || Self.begins(type, with: Self.message)
        self.isRawText = isText && part.type != Self.calendar
        guard isText else {
            self.content = []
            return
        }
        self.content = part.decoded()
        guard type == Self.plain || type == Self.html else { return }
        let text = FilterCharset.decode(self.content, charset: part.charset)
        if type == Self.html, !self.content.isEmpty {
            let html = FilterHTML(text, octets: self.content.count)
            self.rendered = FilterCharset.Text(bytes: html.rendered, isDecoded: html.isDecoded)
            self.html = html
        } else {
            self.rendered = text
        }
    }

    /// The word, and none longer.
    private static func begins(_ type: [UInt8], with word: [UInt8]) -> Bool {
        type.starts(with: word) && (type.count == word.count || !type[word.count].isWord)
    }
}

/// Finds for the leaves of one reading the parts of the other that they most likely are: both go through the message from
/// its start to its end.
private struct PartPlaces {
    private let leaves: [MIMEPart]
    private var position = 0

    init(_ message: ParsedMessage) {
        let leaves = message.parts.filter { !$0.isContainer }
        self.leaves = leaves.isEmpty ? message.parts : leaves
    }

    mutating func next(_ type: [UInt8]) -> Int {
        guard self.position < self.leaves.count else { return self.leaves[self.leaves.count - 1].index }
        let type = type.text
        var found = self.position
        if self.leaves[found].mediaType != type, found + 1 < self.leaves.count, self.leaves[found + 1].mediaType == type {
            found += 1
        }
        self.position = found + 1
        return self.leaves[found].index
    }
}

// MARK: - What a person sees

extension MessageText {
    private func collectTextParts() -> [TextPart] {
        var result: [TextPart] = []
        self.collect(from: self.message, as: nil, into: &result)
        return result
    }

    /// - Parameter container: the part of the outer message that an encoded message stands in.
    private func collect(from message: ParsedMessage, as container: Int?, into result: inout [TextPart]) {
        for part in message.parts where !part.isContainer {
            if let inner = message.encodedMessage(in: part) {
                self.collect(from: inner, as: container ?? part.index, into: &result)
                continue
            }
            guard part.type == "text" || part.type == "message" || part.isMultipart || Self.isNamedHTML(part) else { continue }
            // Readers do not show a calendar as text.
            guard part.subtype != "calendar" else { continue }
            let decoded = message.decodedContent(of: part)
            let isHTML = (part.type == "text" && part.subtype == "html") || Self.isNamedHTML(part)
            result.append(
                TextPart(
                    part: container ?? part.index,
                    isHTML: isHTML,
                    isRendered: isHTML || (part.type == "text" && part.subtype == "plain") || part.isMultipart,
                    charset: part.parameters["charset"],
                    content: LineEnds.lineFeeds(decoded.bytes),
                    anomaly: container == nil ? decoded.anomaly : nil
                )
            )
        }
    }

    /// Whatever its type: a file name in `.html` makes readers open it in a browser.
    private static func isNamedHTML(_ part: MIMEPart) -> Bool {
        guard let name = part.fileName?.lowercased() else { return false }
        return [".htm", ".html", ".shtm", ".shtml"].contains { name.hasSuffix($0) }
    }

    private func render(_ part: TextPart) -> SeenPart {
        let text = Charset.toUTF8(part.content, named: part.charset)
        guard part.isHTML else {
            return SeenPart(part: part.part, visible: text, invisible: [], facts: nil)
        }
        let html = HTMLText(text)
        return SeenPart(
            part: part.part,
            visible: html.visible,
            invisible: html.invisible,
            facts: html.facts
        )
    }

    private func paragraphs(of parts: [(part: Int, text: [UInt8])], withSubject: Bool) -> [TextSegment] {
        var splitter = ParagraphSplitter(limit: self.limits.bodyPart)
        if withSubject { splitter.addSubject(self.subject) }
        for (part, text) in parts {
            splitter.separate()
            splitter.add(text, part: part)
        }
        return splitter.finish()
    }
}

package enum LineEnds {
    /// CRLF becomes LF; a CR alone stays.
    static func lineFeeds(_ bytes: [UInt8]) -> [UInt8] {
        bytes.contains(.carriageReturn) ? self.lineFeeds(bytes[...]) : bytes
    }

    /// The same of a piece of text.
    package static func lineFeeds(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var copied = bytes.startIndex
        for index in bytes.indices.dropFirst() where bytes[index] == .lineFeed && bytes[index - 1] == .carriageReturn {
            result.append(contentsOf: bytes[copied..<(index - 1)])
            copied = index
        }
        result.append(contentsOf: bytes[copied...])
        return result
    }
}
