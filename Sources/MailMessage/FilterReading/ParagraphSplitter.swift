/// Makes paragraphs of the texts of a message's parts: white space with two or more line feeds in it ends a paragraph, other
/// white space becomes one space (SpamAssassin's `body`).
struct ParagraphSplitter {
    /// Octets of a segment; longer lines are cut at a space.
    static let maximumLength = 2_048
    /// How far behind the limit a line end or space is looked for to cut at.
    private static let cutWindow = 1_024

    private let limit: Int
    /// Text is UTF-8; otherwise octets of no known meaning, of which only ASCII has white space.
    private let isUnicode: Bool
    /// Some text was longer than the limit.
    private(set) var hasCut = false
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

    init(limit: Int, isUnicode: Bool = true) {
        self.limit = limit
        self.isUnicode = isUnicode
    }

    /// The subject as it is, in lines.
    mutating func addSubject(_ subject: [UInt8]) {
        var start = 0
        while start < subject.count {
            let end = subject.firstIndex(of: .lineFeed, from: start) ?? subject.count
            self.current = subject[start..<end] + [.lineFeed]
            self.cutLines(part: nil, offset: start)
            start = end + 1
        }
        if subject.isEmpty {
            self.current = [.lineFeed]
            self.cutLines(part: nil, offset: 0)
        }
        self.current = []
    }

    /// Of a part of any kind, text or not: a line end stands between it and the text before.
    mutating func separate() {
        if self.hasText { self.space.add(isLineFeed: true) }
    }

    mutating func add(_ text: [UInt8], part: Int) {
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
            } else if let length = octet.isSpace ? 1 : self.isUnicode ? UnicodeSpace.length(text, at: index) : nil {
                self.space.add(isLineFeed: octet == .lineFeed)
                index += length
            } else {
                if self.space.isPending { self.flush(part: part, offset: index) }
                let wordsEnd = Self.wordsEnd(text, from: index + 1, to: end)
                self.write(text[index..<wordsEnd], part: part, offset: index)
                index = wordsEnd
            }
        }
    }

    mutating func finish() -> [TextSegment] {
        self.flush(part: self.origin.part, offset: self.origin.offset)
        if !self.current.isEmpty { self.endLine() }
        return self.segments
    }

    /// Where the text is cut: behind the limit, at the next line end or space when there is one close by.
    private mutating func cut(_ text: [UInt8]) -> Int {
        guard self.limit > 0, text.count > self.limit else { return text.count }
        guard let limit = self.index(of: self.limit, text, from: 0) else { return text.count }
        self.hasCut = true
        let window = limit..<(self.index(of: Self.cutWindow + 1, text, from: limit) ?? text.count)
        let place = text[window].firstIndex(of: .lineFeed) ?? text[window].firstIndex(of: .space)
        return place.map { $0 + 1 } ?? limit
    }

    /// Where as many characters end, or octets where the text is nothing else; nil when there are no more.
    private func index(of count: Int, _ text: [UInt8], from start: Int) -> Int? {
        guard self.isUnicode else { return start + count < text.count ? start + count : nil }
        var left = count
        for index in start..<text.count where text[index] & 0xc0 != 0x80 {
            if left == 0 { return index }
            left -= 1
        }
        return nil
    }

    /// Neither white space nor the start of any.
    @inline(__always)
    private static func isPlain(_ octet: UInt8) -> Bool { octet > 0x20 && octet < 0xc2 }

    /// Where words end that have single spaces between them: they are in the paragraph as they are in the text.
    private static func wordsEnd(_ text: [UInt8], from start: Int, to end: Int) -> Int {
        var index = start
        while index < end {
            if self.isPlain(text[index]) {
                index += 1
            } else if text[index] == .space, index + 1 < end, self.isPlain(text[index + 1]) {
                index += 2
            } else {
                break
            }
        }
        return index
    }

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

/// Chunks of one to two lengths, cut at a line end, a `>` or a space in this order of preference.
package enum RawChunks {
    static let length = 2_048

    package static func split(_ text: [UInt8], part: Int) -> [TextSegment] {
        var result: [TextSegment] = []
        self.split(text, part: part, into: &result)
        return result
    }

    /// How far behind the limit a place to cut at is looked for.
    private static let cutWindow = 1_024

    /// Where a text is cut: behind the limit, at a line end, a `>` or a space when there is one close by.
    static func end(of text: [UInt8], limit: Int) -> Int {
        guard limit > 0, text.count > limit else { return text.count }
        let window = limit..<min(text.count, limit + self.cutWindow + 1)
        let place = [UInt8.lineFeed, 0x3e, .space].lazy.compactMap { text[window].firstIndex(of: $0) }.first
        return place.map { $0 + 1 } ?? limit
    }

    static func split(_ text: [UInt8], part: Int, into result: inout [TextSegment]) {
        guard text.count > self.length else {
            // An empty text is a chunk, too.
            result.append(TextSegment(bytes: text, part: part, offset: 0))
            return
        }
        var start = 0
        while text.count - start > 2 * self.length {
            let window = (start + self.length)..<(start + 2 * self.length)
            let place = [UInt8.lineFeed, 0x3e, .space].lazy.compactMap { text[window].firstIndex(of: $0) }.first
            let end = (place ?? start + self.length) + 1
            result.append(TextSegment(bytes: [UInt8](text[start..<end]), part: part, offset: start))
            start = end
        }
        if start == 0 {
            result.append(TextSegment(bytes: text, part: part, offset: 0))
        } else if start < text.count {
            result.append(TextSegment(bytes: [UInt8](text[start...]), part: part, offset: start))
        }
    }
}
