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
    package enum Source: Hashable, Sendable {
        /// In text, with its scheme.
        case text
        /// In text, the scheme is ours: `example.org`, `joe@example.org`.
        case schemeless
        case html(HTMLFacts.Origin)
    }

    /// As written with a scheme, or a canonical form of it: escapes undone, odd spellings made plain, a redirector's target.
    package var bytes: [UInt8]
    /// The part it stands in; the message itself (0) for one in the subject.
    package var part: Int
    /// Octets from the start of that part's text; 0 for one from HTML.
    package var offset: Int
    package var source: Source
    /// Not as written: made from another of the same part and offset.
    package var isCanonical: Bool

    package init(bytes: [UInt8], part: Int, offset: Int, source: Source = .text, isCanonical: Bool = false) {
        self.bytes = bytes
        self.part = part
        self.offset = offset
        self.source = source
        self.isCanonical = isCanonical
    }
}

/// How much text the views hold; what lies beyond is not seen by text rules (the whole message is seen by `full` rules and the
/// virus scan). The defaults are SpamAssassin's, whose rules are tuned to them.
package struct TextLimits: Hashable, Sendable {
    /// Octets of each part's rendered text in `body`.
    package var bodyPart = 50_000
    /// Octets of each part's decoded text in `rawBody`.
    package var rawBodyPart = 500_000
    /// URIs in all forms.
    package var uris = 1_000

    package init() {}
}

/// The views of a message that rules match against, each made once, when first asked for. For one thread at a time.
package final class MessageText {
    package let message: ParsedMessage
    package let limits: TextLimits

    package init(_ message: ParsedMessage, limits: TextLimits = TextLimits()) {
        self.message = message
        self.limits = limits
    }

    /// Decoded text, in UTF-8: the subject first, then the text of all text/plain and text/html parts (HTML rendered) in
    /// paragraphs, white space run together. Each segment ends with the line feed that SpamAssassin's rules may match, except
    /// the last one where the text does not. As in SpamAssassin, text of HTML that nobody sees is part of it: a rule that
    /// must not see it looks at `visibleBody`.
    package lazy var body: [TextSegment] = self.paragraphs(
        of: self.renderedParts.map { ($0.part, $0.rendered) },
        withSubject: true
    )

    /// `body` as a person sees it: without the text of HTML that is hidden, tiny or in the colour of its background.
    package lazy var visibleBody: [TextSegment] = self.paragraphs(
        of: self.renderedParts.map { ($0.part, $0.visible) },
        withSubject: true
    )

    /// The text in HTML that nobody sees, in paragraphs like `body`.
    package lazy var invisible: [TextSegment] = self.paragraphs(
        of: self.renderedParts.filter { !$0.invisible.isEmpty }.map { ($0.part, $0.invisible) },
        withSubject: false
    )

    /// Text parts with transfer encoding undone and line ends as line feeds, nothing else, in chunks of 2 to 4 KiB.
    package lazy var rawBody: [TextSegment] = self.makeRawBody()

    /// The links in `body` and in HTML: each as written, and its canonical forms where they differ, none twice.
    package lazy var uris: [MessageURI] = self.makeURIs()

    /// Facts of each HTML part, by the index of the part.
    package lazy var html: [(part: Int, facts: HTMLFacts)] = self.renderedParts.compactMap { part in
        part.facts.map { (part.part, $0) }
    }

    /// Broken transfer encodings of the text parts.
    package lazy var anomalies: [StructureAnomaly] = self.textParts.compactMap(\.anomaly)

    private struct TextPart {
        var part: Int
        var isHTML: Bool
        var isRendered: Bool
        var charset: String?
        /// Line ends are line feeds.
        var content: [UInt8]
        var anomaly: StructureAnomaly?
    }

    private struct RenderedPart {
        var part: Int
        var rendered: [UInt8]
        var visible: [UInt8]
        var invisible: [UInt8]
        var facts: HTMLFacts?
    }

    private lazy var textParts: [TextPart] = self.collectTextParts()
    private lazy var renderedParts: [RenderedPart] = self.textParts.filter(\.isRendered).map(self.render)
}

// MARK: - Parts

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

    private func render(_ part: TextPart) -> RenderedPart {
        let text = Charset.toUTF8(part.content, named: part.charset)
        guard part.isHTML else {
            return RenderedPart(part: part.part, rendered: text, visible: text, invisible: [], facts: nil)
        }
        let html = HTMLText(text)
        return RenderedPart(
            part: part.part,
            rendered: html.rendered,
            visible: html.visible,
            invisible: html.invisible,
            facts: html.facts
        )
    }
}

enum LineEnds {
    /// CRLF becomes LF; a CR alone stays.
    static func lineFeeds(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(.carriageReturn) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var copied = 0
        for index in bytes.indices where bytes[index] == .lineFeed && index > 0 && bytes[index - 1] == .carriageReturn {
            result.append(contentsOf: bytes[copied..<(index - 1)])
            copied = index
        }
        result.append(contentsOf: bytes[copied...])
        return result
    }
}

// MARK: - body

extension MessageText {
    private func paragraphs(of parts: [(part: Int, text: [UInt8])], withSubject: Bool) -> [TextSegment] {
        var splitter = ParagraphSplitter(limit: self.limits.bodyPart)
        if withSubject {
            let subject = self.message.fields(named: "subject").first.map { self.message.decodedValue(of: $0) } ?? []
            splitter.addSubject(Charset.toUTF8(subject, named: nil))
        }
        for (part, text) in parts { splitter.add(text, part: part) }
        return splitter.finish()
    }
}

/// Makes paragraphs of the texts of a message's parts: white space with two or more line feeds in it ends a paragraph, other
/// white space becomes one space (SpamAssassin's `body`).
struct ParagraphSplitter {
    /// Octets of a segment; longer lines are cut at a space.
    static let maximumLength = 2_048
    /// How far behind the limit a line end or space is looked for to cut at.
    private static let cutWindow = 1_024

    private let limit: Int
    private var segments: [TextSegment] = []
    private var current: [UInt8] = []
    private var origin: (part: Int, offset: Int) = (0, 0)
    /// White space seen and not yet written.
    private var space = PendingSpace()
    private var hasText = false

    private struct PendingSpace {
        var isPending = false
        var hasBefore = false
        var lineFeeds = 0
        var hasAfter = false

        mutating func add(isLineFeed: Bool) {
            self.isPending = true
            if isLineFeed {
                self.lineFeeds += 1
                self.hasAfter = false
            } else if self.lineFeeds == 0 {
                self.hasBefore = true
            } else {
                self.hasAfter = true
            }
        }
    }

    init(limit: Int) {
        self.limit = limit
    }

    mutating func addSubject(_ subject: [UInt8]) {
        self.current = subject.map { $0 == 0 ? .lineFeed : $0 } + [.lineFeed]
        self.cutLines(part: nil, offset: 0)
        self.current = []
    }

    mutating func add(_ text: [UInt8], part: Int) {
        // An empty line's worth between parts, as far as the part before has text.
        if self.hasText { self.space.add(isLineFeed: true) }
        let end = self.cut(text)
        if end > 0 { self.hasText = true }
        var index = 0
        while index < end {
            let octet = text[index]
            if octet == 0 {
                self.flush(part: part, offset: index)
                self.write(.lineFeed, part: part, offset: index)
                self.endLine()
                index += 1
            } else if let length = Self.spaceLength(text, at: index) {
                self.space.add(isLineFeed: octet == .lineFeed)
                index += length
            } else {
                if self.space.isPending { self.flush(part: part, offset: index) }
                var wordEnd = index + 1
                while wordEnd < end, Self.isPlain(text[wordEnd]) { wordEnd += 1 }
                self.write(text[index..<wordEnd], part: part, offset: index)
                index = wordEnd
            }
        }
    }

    mutating func finish() -> [TextSegment] {
        self.flush(part: self.origin.part, offset: self.origin.offset)
        if !self.current.isEmpty { self.endLine() }
        return self.segments
    }

    /// Where the text is cut: behind the limit, at the next line end or space when there is one close by.
    private func cut(_ text: [UInt8]) -> Int {
        guard self.limit > 0, text.count > self.limit else { return text.count }
        let window = self.limit..<min(text.count, self.limit + Self.cutWindow + 1)
        let place = text[window].firstIndex(of: .lineFeed) ?? text[window].firstIndex(of: .space)
        return place.map { $0 + 1 } ?? self.limit
    }

    /// Octets of the white space at `index`, that of Unicode included; nil when there is none.
    @inline(__always)
    private static func spaceLength(_ text: [UInt8], at index: Int) -> Int? {
        let octet = text[index]
        if octet.isSpace { return 1 }
        if octet < 0xc2 { return nil }
        if octet == 0xc2, index + 1 < text.count, text[index + 1] == 0xa0 || text[index + 1] == 0x85 { return 2 }
        guard octet == 0xe2 || octet == 0xe3 || octet == 0xe1, index + 2 < text.count else { return nil }
        switch (octet, text[index + 1], text[index + 2]) {
        case (0xe2, 0x80, 0x80...0x8a), (0xe2, 0x80, 0xa8...0xa9), (0xe2, 0x80, 0xaf), (0xe2, 0x81, 0x9f), (0xe3, 0x80, 0x80),
            (0xe1, 0x9a, 0x80):
            return 3
        default:
            return nil
        }
    }

    /// Neither white space nor the start of any.
    @inline(__always)
    private static func isPlain(_ octet: UInt8) -> Bool { octet > 0x20 && octet < 0xc2 }

    private mutating func flush(part: Int, offset: Int) {
        guard self.space.isPending else { return }
        let space = self.space
        self.space = PendingSpace()
        guard space.lineFeeds >= 2 else {
            self.write(.space, part: part, offset: offset)
            return
        }
        if space.hasBefore { self.write(.space, part: part, offset: offset) }
        self.write(.lineFeed, part: part, offset: offset)
        self.endLine()
        if space.hasAfter { self.write(.space, part: part, offset: offset) }
    }

    private mutating func write(_ octet: UInt8, part: Int, offset: Int) {
        if self.current.isEmpty { self.origin = (part, offset) }
        self.current.append(octet)
    }

    private mutating func write(_ octets: ArraySlice<UInt8>, part: Int, offset: Int) {
        if self.current.isEmpty { self.origin = (part, offset) }
        self.current.append(contentsOf: octets)
    }

    private mutating func endLine() {
        self.cutLines(part: self.origin.part, offset: self.origin.offset)
        self.current = []
    }

    /// Makes segments of the line at hand.
    private mutating func cutLines(part: Int?, offset: Int) {
        var start = 0
        while self.current.count - start > Self.maximumLength {
            let window = self.current[start...(start + Self.maximumLength)]
            let end = window.lastIndex(of: .space).map { $0 + 1 } ?? start + Self.maximumLength
            self.segments.append(TextSegment(bytes: [UInt8](self.current[start..<end]), part: part, offset: offset + start))
            start = end
        }
        let rest = start == 0 ? self.current : [UInt8](self.current[start...])
        if !rest.isEmpty { self.segments.append(TextSegment(bytes: rest, part: part, offset: offset + start)) }
    }
}

// MARK: - rawBody

extension MessageText {
    private func makeRawBody() -> [TextSegment] {
        var result: [TextSegment] = []
        for part in self.textParts {
            var content = part.content
            if content.count > self.limits.rawBodyPart { content.removeLast(content.count - self.limits.rawBodyPart) }
            RawChunks.split(content, part: part.part, into: &result)
        }
        return result
    }
}

/// Chunks of one to two lengths, cut at a line end, a `>` or a space in this order of preference.
package enum RawChunks {
    static let length = 2_048

    package static func split(_ text: [UInt8], part: Int) -> [TextSegment] {
        var result: [TextSegment] = []
        self.split(text, part: part, into: &result)
        return result
    }

    static func split(_ text: [UInt8], part: Int, into result: inout [TextSegment]) {
        var start = 0
        while text.count - start > 2 * self.length {
            let window = (start + self.length)..<(start + 2 * self.length)
            let place = [UInt8.lineFeed, 0x3e, .space].lazy.compactMap { text[window].firstIndex(of: $0) }.first
            let end = (place ?? start + self.length) + 1
            result.append(TextSegment(bytes: [UInt8](text[start..<end]), part: part, offset: start))
            start = end
        }
        if start == 0, !text.isEmpty {
            result.append(TextSegment(bytes: text, part: part, offset: 0))
        } else if start < text.count {
            result.append(TextSegment(bytes: [UInt8](text[start...]), part: part, offset: start))
        }
    }
}

// MARK: - uris

extension MessageText {
    private func makeURIs() -> [MessageURI] {
        var collector = URICollector(limit: self.limits.uris)
        for segment in self.body { collector.add(text: segment) }
        for (part, facts) in self.html { collector.add(facts, part: part) }
        return collector.uris
    }
}

/// Gathers links in all their forms, each form once.
struct URICollector {
    private let limit: Int
    private(set) var uris: [MessageURI] = []
    private var seen: Set<OctetKey> = []
    private var seenForms: Set<OctetKey> = []

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(text segment: TextSegment) {
        let room = self.limit - self.uris.count
        guard room > 0 else { return }
        for found in URIExtractor(segment.bytes, maximum: self.limit).found where self.seen.insert(OctetKey(found.uri)).inserted {
            let forms = URICanonical.forms(of: found.uri)
            // In text only what leads somewhere is a link.
            guard forms.contains(where: Self.hasValidHost) else { continue }
            self.append(
                forms,
                part: segment.part ?? 0,
                offset: segment.offset + found.offset,
                source: found.isSchemeless ? .schemeless : .text
            )
        }
    }

    mutating func add(_ facts: HTMLFacts, part: Int) {
        var base: [UInt8]?
        for link in facts.links {
            guard self.uris.count < self.limit else { return }
            let reference = [UInt8](link.reference.prefix(URICanonical.maximumLength))
            if link.origin == .base { base = URIReference.base(reference) }
            let target = URIReference.resolve(reference, against: base)
            guard !target.isEmpty, self.seen.insert(OctetKey(target)).inserted else { continue }
            self.append(URICanonical.forms(of: target), part: part, offset: 0, source: .html(link.origin))
        }
    }

    private mutating func append(_ forms: [[UInt8]], part: Int, offset: Int, source: MessageURI.Source) {
        for (index, form) in forms.enumerated()
        where self.uris.count < self.limit && self.seenForms.insert(OctetKey(form)).inserted {
            self.uris.append(MessageURI(bytes: form, part: part, offset: offset, source: source, isCanonical: index > 0))
        }
    }

    /// A domain name below a known top-level domain, or an IPv4 address.
    private static func hasValidHost(_ uri: [UInt8]) -> Bool {
        if uri.hasPrefix([UInt8](ascii: "mailto:"), at: 0) {
            guard let at = uri.lastIndex(of: 0x40) else { return false }
            return HostName.isDomain(uri[(at + 1)...].prefix { $0 != 0x3f && $0 != 0x26 && $0 != 0x3e })
        }
        guard let colon = uri.firstIndex(of: 0x3a) else { return false }
        let behind = uri[(colon + 1)...].drop { $0 == 0x2f }
        var authority = behind.prefix { $0 != 0x2f && $0 != 0x3f && $0 != 0x23 }
        if let at = authority.lastIndex(of: 0x40) { authority = authority[(at + 1)...] }
        let host = authority.prefix { $0 != 0x3a }
        return HostName.isDomain(host) || HostName.isIPv4(host)
    }
}

/// Octets as a key of a set: hashed eight at a time, where an array's own hash takes each by itself.
private struct OctetKey: Hashable {
    private let octets: [UInt8]

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        for (index, octet) in self.octets.enumerated() {
            word = word << 8 | UInt64(octet)
            if index & 7 == 7 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(self.octets.count)
    }
}

/// References of HTML made whole (RFC 3986 §5), as far as mail has them.
enum URIReference {
    /// The base up to its last slash, when it is one of http or ftp.
    static func base(_ uri: [UInt8]) -> [UInt8]? {
        guard ["http:", "https:", "ftp:"].contains(where: { uri.hasPrefix([UInt8](ascii: $0), at: 0) }) else { return nil }
        guard let slashes = uri.firstIndex(of: 0x3a) else { return nil }
        let authority = uri[(slashes + 1)...].drop { $0 == 0x2f }.startIndex
        guard let lastSlash = uri.lastIndex(of: 0x2f), lastSlash >= authority else { return uri + [0x2f] }
        return [UInt8](uri[...lastSlash])
    }

    static func resolve(_ reference: [UInt8], against base: [UInt8]?) -> [UInt8] {
        guard let base, !reference.isEmpty, !self.hasScheme(reference) else { return reference }
        guard let colon = base.firstIndex(of: 0x3a) else { return reference }
        if reference.hasPrefix([0x2f, 0x2f], at: 0) { return base[...colon] + reference }
        if reference[0] == 0x2f {
            let authority = base[(colon + 1)...].drop { $0 == 0x2f }.startIndex
            let end = base[authority...].firstIndex(of: 0x2f) ?? base.count
            return base[..<end] + reference
        }
        return base + reference
    }

    private static func hasScheme(_ reference: [UInt8]) -> Bool {
        for (index, octet) in reference.enumerated() {
            if octet == 0x3a { return index > 0 }
            guard octet.isAlphanumeric || octet == 0x2d || octet == 0x2b || octet == 0x2e else { return false }
        }
        return false
    }
}
