/// What other readers may make of a message that can be read in several ways.
///
/// Where the scan finds nothing ambiguous there are no other readings, and nothing is made. Else the message is cut wherever
/// some reader may see a boundary, whatever the header says; each piece is decoded in every way that its text allows. That
/// covers all combinations of headers and boundaries at once, and costs no more than a few passes over the message.
package struct AlternativeReadings: Sendable {
    /// What was found ambiguous, besides `ParsedMessage.anomalies`.
    package private(set) var anomalies: [StructureAnomaly] = []
    /// Contents that the ordinary reading does not have, each once.
    package private(set) var contents: [[UInt8]] = []
    /// Names of files that the ordinary reading does not have, or has for another part.
    package private(set) var names: [String] = []

    init(_ message: ParsedMessage, limits: ReadingLimits) {
        let scan = AmbiguityScan(message)
        self.anomalies = scan.anomalies.found
        guard (self.anomalies + message.anomalies).contains(where: { $0.kind.hasOtherReadings }) else { return }
        var sweep = Sweep(message, limits: limits)
        sweep.run()
        self.contents = sweep.contents
        self.names = sweep.names
        if sweep.isCut { self.anomalies.append(StructureAnomaly(kind: .readingsCut, part: 0, offset: 0)) }
        if let kind = sweep.hiddenKind {
            self.anomalies.append(StructureAnomaly(kind: .hiddenContent, part: 0, offset: 0, detail: kind))
        }
    }
}

/// Cuts and decodes.
private struct Sweep {
    private let message: ParsedMessage
    private let limits: ReadingLimits
    private(set) var contents: [[UInt8]] = []
    private(set) var names: [String] = []
    private(set) var isCut = false
    /// A kind of file that no part has in the ordinary reading, found in another.
    private(set) var hiddenKind: String?

    private var seen: Set<Content> = []
    private var kinds: Set<String> = []
    /// Texts of the bytes at hand that were decoded.
    private var done: Set<Text> = []

    private struct Text: Hashable {
        var range: Range<Int>
        var words: UInt8
        var isStretch: Bool
    }

    /// Octets that are hashed eight at a time; an array hashes them one by one.
    private struct Content: Hashable {
        let octets: [UInt8]

        func hash(into hasher: inout Hasher) {
            let whole = self.octets.count & ~7
            for start in stride(from: 0, to: whole, by: 8) {
                var word: UInt64 = 0
                for index in start..<(start + 8) { word = word << 8 | UInt64(self.octets[index]) }
                hasher.combine(word)
            }
            for octet in self.octets[whole...] { hasher.combine(octet) }
            hasher.combine(self.octets.count)
        }
    }
    private var octets = 0
    private var work = 0
    private let maximumWork: Int
    private var pieces = 0

    init(_ message: ParsedMessage, limits: ReadingLimits) {
        self.message = message
        self.maximumWork = min(limits.work, limits.smallWork + limits.workForOctet * message.bytes.count)
        self.limits = limits
    }

    mutating func run() {
        for part in self.message.parts where !part.isContainer {
            let content = self.message.content(of: part)
            if let kind = ContentKind.detect(content[...]) { self.kinds.insert(kind) }
            self.seen.insert(Content(octets: content))
            for file in self.message.uuencodedFiles(in: part) {
                if let kind = ContentKind.detect(file.content[...]) { self.kinds.insert(kind) }
                self.seen.insert(Content(octets: file.content))
            }
        }
        self.sweep(self.message.bytes, depth: 1)
        // Some readers take a CR alone for a line end.
        if let normalized = Self.withBareReturnsAsLineEnds(self.message.bytes) { self.sweep(normalized, depth: 1) }
    }

    private static func withBareReturnsAsLineEnds(_ bytes: [UInt8]) -> [UInt8]? {
        var result: [UInt8]?
        for index in bytes.indices where bytes[index] == .carriageReturn {
            guard index + 1 < bytes.count, bytes[index + 1] != .lineFeed else { continue }
            if result == nil { result = bytes }
            result?[index] = .lineFeed
        }
        return result
    }

    // MARK: - Cutting

    private mutating func sweep(_ bytes: [UInt8], depth: Int) {
        // Cuts at different lines have most of their pieces in common.
        let outer = self.done
        self.done = []
        defer { self.done = outer }
        let lines = Self.dashLines(bytes)
        // At every line that any reader may take for a delimiter.
        self.cut(bytes, at: lines.map { ($0.start, $0.next) }, depth)
        // At the lines of one boundary alone: what looks like another is part of the text then.
        var tokens: [ArraySlice<UInt8>] = []
        for line in lines where tokens.count < self.limits.boundaries {
            let token = bytes[line.token]
            // A rule drawn with hyphens has no header behind it.
            guard bytes.hasPrefix(Self.contentMark, at: line.next) else { continue }
            if !token.isEmpty, !tokens.contains(where: { token.starts(with: $0) }) { tokens.append(token) }
        }
        if tokens.count > 1 {
            for token in tokens {
                let own = lines.filter { bytes[$0.token].starts(with: token) }
                self.cut(bytes, at: own.map { ($0.start, $0.next) }, depth)
            }
        }
        if !lines.isEmpty { self.read(bytes, 0..<bytes.count, depth, isWhole: true) }
    }

    /// Lines that begin with two hyphens, indented or not; the token is what stands behind them without white space and final hyphens.
    private static func dashLines(_ bytes: [UInt8]) -> [(start: Int, next: Int, token: Range<Int>)] {
        var found: [(Int, Int, Range<Int>)] = []
        var start = 0
        while start < bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != .lineFeed { end += 1 }
            var dashes = start
            while dashes < end, bytes[dashes].isBlank { dashes += 1 }
            if end - dashes >= 2, bytes[dashes] == 0x2d, bytes[dashes + 1] == 0x2d {
                var last = end
                while last > dashes + 2, bytes[last - 1].isSpace { last -= 1 }
                while last > dashes + 2, bytes[last - 1] == 0x2d { last -= 1 }
                found.append((start, min(end + 1, bytes.count), (dashes + 2)..<last))
            }
            start = end + 1
        }
        return found
    }

    private mutating func cut(_ bytes: [UInt8], at delimiters: [(start: Int, next: Int)], _ depth: Int) {
        var start = 0
        for delimiter in delimiters {
            self.read(bytes, start..<max(start, delimiter.start), depth)
            start = delimiter.next
        }
        self.read(bytes, start..<bytes.count, depth)
    }

    // MARK: - One piece

    /// The text may begin with a header, which may end in several ways.
    /// - Parameter isWhole: nothing was cut, so that several parts may stand in it: it is data only if its header says so.
    private mutating func read(_ bytes: [UInt8], _ range: Range<Int>, _ depth: Int, isWhole: Bool = false) {
        guard range.count > 0 else { return }
        guard self.pieces < self.limits.pieces else {
            self.isCut = true
            return
        }
        self.pieces += 1
        let header = Self.header(bytes, range)
        if isWhole, header.words.isEmpty { return }
        self.collectNames(bytes, range.lowerBound..<header.end)
        var bodies = [header.body..<range.upperBound]
        let paragraphs = Self.paragraphs(bytes, header.body..<range.upperBound)
        // What stands first may be the rest of a header, or junk.
        var laterWords = header.words
        if paragraphs.count > 1 {
            bodies.append(paragraphs[1].lowerBound..<range.upperBound)
            laterWords.formUnion(Self.fieldWords(bytes, paragraphs[0]))
        }
        for (index, body) in bodies.enumerated() { self.decode(bytes, body, index == 0 ? header.words : laterWords, depth) }
        // Text before or behind an empty line that is no data for one reader and data for another.
        if paragraphs.count > 1, paragraphs.count <= Self.maximumParagraphs {
            var words = header.words
            for paragraph in paragraphs {
                self.decode(bytes, paragraph, words, depth, isStretch: true)
                self.decode(bytes, paragraph.lowerBound..<range.upperBound, words, depth, isStretch: true)
                // It may be the header of a message within the piece, or more of one that has an empty line in it.
                words.formUnion(Self.fieldWords(bytes, paragraph))
            }
        }
    }

    /// Text of more paragraphs than this is text; encoded data has none, and what hides it a few.
    private static let maximumParagraphs = 8

    /// What a header says about the encoding, wherever it says it.
    private struct Words: OptionSet {
        let rawValue: UInt8
        static let base64 = Words(rawValue: 1)
        static let quoted = Words(rawValue: 2)
        static let uuencode = Words(rawValue: 4)
    }

    /// Lines that are fields or continue one; the body begins behind an empty line, or at the first that is neither.
    private static func header(_ bytes: [UInt8], _ range: Range<Int>) -> (end: Int, body: Int, words: Words) {
        let parser = HeaderLineParser(bytes: bytes)
        var words: Words = []
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != .lineFeed { end += 1 }
            var last = end
            if last > start, bytes[last - 1] == .carriageReturn { last -= 1 }
            let next = min(end + 1, range.upperBound)
            if last == start { return (start, next, words) }
            guard bytes[start].isBlank || parser.field(start..<last) != nil else { return (start, start, words) }
            words.formUnion(self.words(bytes, start..<last))
            start = next
        }
        return (start, start, words)
    }

    /// What fields of MIME in a text say, wherever in it they stand: other lines end a header for one reader and not for another.
    private static func fieldWords(_ bytes: [UInt8], _ range: Range<Int>) -> Words {
        var found: Words = []
        var isField = false
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != .lineFeed { end += 1 }
            isField = bytes.hasPrefix(self.contentMark, at: start) || isField && bytes[start].isBlank
            if isField { found.formUnion(self.words(bytes, start..<end)) }
            start = end + 1
        }
        return found
    }

    private static let marks: [([UInt8], Words)] = [
        ([UInt8](ascii: "base64"), .base64), ([UInt8](ascii: "quoted"), .quoted), ([UInt8](ascii: "uu"), .uuencode),
    ]

    private static func words(_ bytes: [UInt8], _ line: Range<Int>) -> Words {
        var found: Words = []
        for index in line {
            let octet = bytes[index] | 0x20
            guard octet == 0x62 || octet == 0x71 || octet == 0x75 else { continue }
            for (mark, word) in self.marks where bytes.hasPrefix(mark, at: index) { found.insert(word) }
        }
        return found
    }

    /// Stretches between empty lines.
    private static func paragraphs(_ bytes: [UInt8], _ range: Range<Int>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var open: Int?
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != .lineFeed { end += 1 }
            let isEmpty = bytes.trimmed(start..<end).isEmpty
            if isEmpty, let begin = open {
                found.append(begin..<start)
                open = nil
                if found.count > self.maximumParagraphs { return found }
            } else if !isEmpty, open == nil {
                open = start
            }
            start = end + 1
        }
        if let open { found.append(open..<range.upperBound) }
        return found
    }

    // MARK: - Names

    private static let nameMark = [UInt8](ascii: "name")

    private mutating func collectNames(_ bytes: [UInt8], _ header: Range<Int>) {
        guard !header.isEmpty, header.count <= self.message.limits.headerSize else { return }
        var index = header.lowerBound
        var hasName = false
        while index < header.upperBound, !hasName {
            hasName = (bytes[index] | 0x20) == 0x6e && bytes.hasPrefix(Self.nameMark, at: index)
            index += 1
        }
        guard hasName else { return }
        let values = Self.fieldValues(bytes, header)
        for name in NameReadings(values, limit: self.limits.names).names where !self.names.contains(name) {
            guard self.names.count < self.limits.contents else {
                self.isCut = true
                return
            }
            self.names.append(name)
        }
    }

    private static let contentMark = [UInt8](ascii: "content-")

    private static func fieldValues(_ bytes: [UInt8], _ header: Range<Int>) -> [[UInt8]] {
        let parser = HeaderLineParser(bytes: bytes)
        var ranges: [Range<Int>] = []
        var isOpen = false
        var start = header.lowerBound
        while start < header.upperBound {
            var end = start
            while end < header.upperBound, bytes[end] != .lineFeed { end += 1 }
            var last = end
            if last > start, bytes[last - 1] == .carriageReturn { last -= 1 }
            if bytes[start].isBlank {
                if isOpen { ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<last }
            } else if let field = parser.field(start..<last), bytes.hasPrefix(self.contentMark, at: start) {
                ranges.append(field.value)
                isOpen = true
            } else {
                isOpen = false
            }
            start = end + 1
        }
        return ranges.map { Unfolding.unfold(bytes, $0) }
    }

    // MARK: - Decoding

    /// - Parameter isStretch: the text is a stretch between empty lines, tried in the usual ways only.
    private mutating func decode(_ bytes: [UInt8], _ body: Range<Int>, _ words: Words, _ depth: Int, isStretch: Bool = false) {
        let body = bytes.trimmed(body)
        guard body.count >= Self.smallest else { return }
        if isStretch, self.done.contains(Text(range: body, words: words.rawValue, isStretch: false)) { return }
        guard self.done.insert(Text(range: body, words: words.rawValue, isStretch: isStretch)).inserted else { return }
        let shape = Shape(bytes, body)
        if words.contains(.base64) || shape.isDense {
            let oddities = Base64Dialect.oddities(bytes, body)
            for dialect in Base64Dialect.plausible(for: oddities) where !isStretch || dialect.isUsual {
                guard self.mayWork(body.count) else { break }
                let content = dialect.decode(bytes, body)
                self.add(content, depth)
                // Encoded twice, for a reader that goes by both of two fields.
                if dialect == .lenient, Self.isBase64(content), self.mayWork(content.count) {
                    self.add(TransferDecoding.base64(content, 0..<content.count).bytes, depth)
                }
            }
        }
        if words.contains(.quoted) || shape.hasEscapes {
            let oddities = QuotedDialect.oddities(bytes, body)
            let isOdd = oddities.isBroken || oddities.hasSmallLetters
            for dialect in QuotedDialect.allCases where dialect == .lenient || dialect == .keepingBlanks || isOdd {
                guard self.mayWork(body.count) else { break }
                let content = dialect.decode(bytes, body)
                if words.contains(.base64), content.count >= Self.smallest, self.mayWork(content.count) {
                    self.add(TransferDecoding.base64(content, 0..<content.count).bytes, depth)
                }
                // Escapes that nobody speaks of are those of links, unless a file comes out.
                if words.contains(.quoted) || ContentKind.detect(content[...]) != nil { self.add(content, depth) }
                // Line ends that stand for themselves: readers keep what the system stores, which may be LF.
                guard let kind = ContentKind.detect(content[...]), Self.isFile(kind), self.mayWork(body.count) else { continue }
                let stored = Self.withLineFeeds(bytes, body)
                self.add(dialect.decode(stored, 0..<stored.count), depth)
            }
        }
        if shape.hasUuencode || words.contains(.uuencode), self.mayWork(body.count) {
            self.add(TransferDecoding.uuencode(bytes, body).bytes, depth)
        }
        if shape.hasYEnc, self.mayWork(body.count) {
            for file in InlineFile.yEnc(bytes, body) { self.add(file, depth) }
        }
        if let start = shape.binHex, self.mayWork(body.count),
            let file = InlineFile.binHex(bytes, start..<body.upperBound, limit: max(0, self.limits.octets - self.octets))
        {
            self.add(file, depth)
        }
        if shape.isBinary, self.mayWork(body.count) { self.add([UInt8](bytes[body]), depth) }
    }

    private static func withLineFeeds(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        for index in range {
            let isPair = bytes[index] == .carriageReturn && index + 1 < range.upperBound && bytes[index + 1] == .lineFeed
            if !isPair { result.append(bytes[index]) }
        }
        return result
    }

    /// Octets of a content that tell whether it is base64 again.
    private static let head = 256

    private static func isBase64(_ content: [UInt8]) -> Bool {
        content.count >= self.smallest
            && content.prefix(self.head).allSatisfy { $0.isAlphanumeric || $0.isSpace || $0 == 0x2b || $0 == 0x2f || $0 == 0x3d }
    }

    /// Octets of text that can hold anything worth hiding.
    private static let smallest = 16

    private mutating func mayWork(_ count: Int) -> Bool {
        guard self.work + count <= self.maximumWork else {
            self.isCut = true
            return false
        }
        self.work += count
        return true
    }

    private mutating func add(_ content: [UInt8], _ depth: Int) {
        guard content.count >= Self.smallest, !self.seen.contains(Content(octets: content)) else { return }
        guard self.contents.count < self.limits.contents, self.octets + content.count <= self.limits.octets else {
            self.isCut = true
            return
        }
        self.octets += content.count
        self.seen.insert(Content(octets: content))
        self.contents.append(content)
        if self.hiddenKind == nil, let kind = ContentKind.detect(content[...]), !self.kinds.contains(kind), Self.isFile(kind) {
            self.hiddenKind = kind
        }
        guard depth < self.limits.depth, Self.isMessage(content) else { return }
        self.sweep(content, depth: depth + 1)
    }

    /// Kinds that are told by marks which do not stand there by accident, and that are no text.
    private static func isFile(_ kind: String) -> Bool {
        !kind.hasPrefix("text/") && !kind.hasPrefix("audio/") && kind != "application/pgp-encrypted"
            && kind != "application/x-pem-file"
    }

    /// Octets at the start of a content in which a field of MIME makes it a message.
    private static let messageHead = 4_096

    private static func isMessage(_ content: [UInt8]) -> Bool {
        guard let first = content.firstIndex(of: .lineFeed),
            HeaderLineParser(bytes: content).field(content.trimmed(0..<first)) != nil
        else { return false }
        let end = min(content.count, self.messageHead)
        var isLineStart = true
        for index in 0..<end {
            if isLineStart, content.hasPrefix(self.contentMark, at: index) { return true }
            isLineStart = content[index] == .lineFeed
        }
        return false
    }
}

/// What a text looks like, in one pass.
private struct Shape {
    /// Lines without white space within: data, no sentences.
    private(set) var isDense = false
    /// `=` and two hexadecimal digits.
    private(set) var hasEscapes = false
    private(set) var hasUuencode = false
    private(set) var hasYEnc = false
    /// Where BinHex says that it begins.
    private(set) var binHex: Int?
    /// Octets that no text has.
    private(set) var isBinary = false

    private static let uuBegin = [UInt8](ascii: "begin ")
    /// Of a hundred lines, this many may have white space within.
    private static let spacedLines = 25

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        var lines = 0
        var spaced = 0
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            var lastInk = -1
            var hasSpace = false
            while end < range.upperBound, bytes[end] != .lineFeed {
                let octet = bytes[end]
                if octet.isSpace {
                    // Nothing.
                } else {
                    if lastInk >= 0, lastInk + 1 < end { hasSpace = true }
                    lastInk = end
                    if octet == 0 || octet == 0x7f || (octet < 0x20 && octet != 0x1b) { self.isBinary = true }
                    if octet == 0x3d, end + 2 < range.upperBound, bytes[end + 1].hexValue != nil, bytes[end + 2].hexValue != nil {
                        self.hasEscapes = true
                    }
                }
                end += 1
            }
            if lastInk >= 0 {
                lines += 1
                if hasSpace { spaced += 1 }
            }
            switch bytes[start] {
            case 0x62, 0x42: if bytes.hasPrefix(Self.uuBegin, at: start) { self.hasUuencode = true }
            case 0x3d: if bytes.hasPrefix(InlineFile.yEncBegin, at: start) { self.hasYEnc = true }
            case 0x28: if bytes.hasPrefix(InlineFile.binHexBegin, at: start) { self.binHex = end }
            default: break
            }
            start = end + 1
        }
        self.isDense = spaced * 100 <= lines * Self.spacedLines
    }
}
