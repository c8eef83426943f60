import MailMessage
import PatternKit

/// What the functions of `MIMEEval` compare with.
struct MIMEFacts {
    var base64Count = 0
    var hasBase64Text = false
    var htmlCount = 0
    var textCount = 0
    var attachmentCount = 0
    var hasFarawayCharset = false
    var hasBadISOCharset = false
    /// Of all parts that have one, in order.
    var charsets: [[UInt8]] = []
    var hasMissingBoundary = false
    var hasAlternative = false
    /// Octets of the last text/plain to those of the last text/html, where there is a multipart/alternative; else 1.
    var alternativeRatio = 1.0
    /// Parts in quoted-printable. SpamAssassin 4.0.1 overwrites this number with that of needless escapes, so that there
    /// a rule for such parts misses those that are encoded well.
    var quotedPrintableCount = 0
    var quotedPrintableOctets = 0
    var hasLongQuotedPrintableLine = false
    /// Needless escapes to octets.
    var quotedPrintableRatio = 0.0
    /// Lines with octets that US-ASCII has not, in text that says it is US-ASCII.
    var illegalASCIILines = 0
    /// References like `&#x0430;` to other octets of plain text.
    var unicodeRatio = 0.0
    /// Octets of the longest line of base64, its line end included.
    var longestBase64Line = 0

    private var isWithinAlternative = false
    private var escapes = 0
    private var plainOctets = 0
    private var references = 0
    private var sizes: [(type: [UInt8], octets: Int?)] = []

    init(_ context: EvalContext) {
        for part in context.filterMessage.depthFirst where !part.type.isEmpty { self.add(part, context) }
        if self.quotedPrintableOctets > 0 {
            self.quotedPrintableRatio = Double(self.escapes) / Double(self.quotedPrintableOctets)
        }
        if self.plainOctets > 0 { self.unicodeRatio = Double(self.references) / Double(self.plainOctets) }
        if self.hasAlternative { self.findRatio() }
        self.hasMissingBoundary = context.filterMessage.hasUnbalancedBoundary
    }

    private mutating func add(_ part: FilterPart, _ context: EvalContext) {
        let type = FilterContentType(part.contentType)
        let encoding = part.encoding
        let disposition = part.contentDisposition?.map(\.lowercased) ?? []
        let charset = type.charset?.map(\.lowercased)
        if type.type == Names.alternative { self.hasAlternative = true }
        self.count(type.type, encoding, disposition)
        self.check(charset ?? [], type.type, encoding, disposition, context)
        guard part.isLeaf else { return }

        let isAttachment = disposition.contains(Names.attachment)
        var octets: Int? = isAttachment ? nil : 0
        let isMeasured = self.hasAlternative && !isAttachment && (type.type == Names.plain || type.type == Names.html)
        let isQuotedPrintable = encoding == Names.quotedPrintable
        let isASCII = type.type == Names.plain && (charset == nil || charset == Names.usASCII)
        let isUnencoded =
            type.type == Names.plain && (encoding.isEmpty || encoding == Names.sevenBit || encoding == Names.eightBit)
        let isBase64 = encoding == Names.base64 && type.type != Names.calendarFile
        if isMeasured { octets = part.raw.count }
        guard isQuotedPrintable || isASCII || isUnencoded || isBase64 else {
            self.sizes.append((type.type, octets))
            return
        }
        var start = 0
        while start < part.raw.count {
            let end = part.raw[start...].firstIndex(of: Names.lineFeed).map { $0 + 1 } ?? part.raw.count
            let line = part.raw[start..<end]
            if isQuotedPrintable { self.addQuotedPrintable(line) }
            if isASCII, line.contains(where: { $0 == 0 || $0 == 0x0d || $0 >= 0x80 }) { self.illegalASCIILines += 1 }
            if isUnencoded { self.addUnencoded(line) }
            if isBase64 { self.longestBase64Line = max(self.longestBase64Line, line.count) }
            start = end
        }
        self.sizes.append((type.type, octets))
    }

    private mutating func count(_ type: [UInt8], _ encoding: [UInt8], _ disposition: [UInt8]) {
        if type == Names.html {
            self.htmlCount += 1
        } else if type.starts(with: Names.text) {
            self.textCount += 1
        }
        if encoding.contains(Names.base64) {
            self.base64Count += 1
        } else if encoding.contains(Names.quotedPrintable) {
            self.quotedPrintableCount += 1
        }
        if disposition.contains(Names.attachment) { self.attachmentCount += 1 }
    }

    private mutating func check(
        _ charset: [UInt8],
        _ type: [UInt8],
        _ encoding: [UInt8],
        _ disposition: [UInt8],
        _ context: EvalContext
    ) {
        if type.starts(with: Names.text), encoding.contains(Names.base64),
            charset.isEmpty || Names.asciiNames.contains(where: charset.contains),
            !disposition.starts(with: Names.attachment), !disposition.starts(with: Names.inline)
        {
            self.hasBase64Text = true
        }
        if Self.isBadISOName(charset, context.matcher) { self.hasBadISOCharset = true }
        guard charset.contains(where: { (0x61...0x7a).contains($0) }) else { return }
        self.charsets.append(charset)
        if !context.settings.locales.accepts(charset: charset) { self.hasFarawayCharset = true }
    }

    /// `iso-…-…` that is no ISO 8859 and no ISO 2022 set.
    private static func isBadISOName(_ charset: [UInt8], _ matcher: PatternMatcher) -> Bool {
        let iso = Array("iso-".utf8)
        guard charset.contains(iso) else { return false }
        guard let isISO = Patterns.isoName, let isKnown = Patterns.knownISOName else { return false }
        return matcher.matches(isISO, charset) && !matcher.matches(isKnown, charset)
    }

    /// Escapes of octets that need none; at the end of a line blanks need one.
    private mutating func addQuotedPrintable(_ line: ArraySlice<UInt8>) {
        // SpamAssassin's own reports do not count.
        guard !line.starts(with: Names.report) else { return }
        if line.count > Self.longestLine { self.hasLongQuotedPrintableLine = true }
        self.quotedPrintableOctets += line.count
        var found = 0
        var index = line.startIndex
        while index + 2 < line.endIndex {
            if line[index] == 0x3d, Self.isNeedless(line[index + 1], line[index + 2]) {
                found += 1
                index += 3
            } else {
                index += 1
            }
        }
        guard found > 0 else { return }
        self.escapes += found
        var end = line.endIndex
        while end > line.startIndex, line[end - 1].isSpaceOctet { end -= 1 }
        while end - 3 >= line.startIndex, Self.isBlankEscape(line[(end - 3)..<end]) {
            self.escapes -= 1
            end -= 3
        }
    }

    /// RFC 5322 §2.1.1: 78 octets, here with the line feed.
    private static let longestLine = 79

    private static func isNeedless(_ high: UInt8, _ low: UInt8) -> Bool {
        let isHex = (0x30...0x39).contains(low) || (0x41...0x46).contains(low)
        switch high {
        case 0x30: return low == 0x39
        case 0x33: return isHex && low != 0x44
        case 0x32, 0x34, 0x35, 0x36: return isHex
        case 0x37: return isHex && low != 0x46
        default: return false
        }
    }

    private static func isBlankEscape(_ octets: ArraySlice<UInt8>) -> Bool {
        octets.elementsEqual([0x3d, 0x30, 0x39]) || octets.elementsEqual([0x3d, 0x32, 0x30])
    }

    private mutating func addUnencoded(_ line: ArraySlice<UInt8>) {
        var found = 0
        var index = line.startIndex
        while let start = line[index...].firstIndex(of: 0x26) {
            index = start + 1
            guard start + 8 <= line.endIndex, line[start + 1] == 0x23, line[start + 2] == 0x78, line[start + 7] == 0x3b else {
                continue
            }
            let digits = line[(start + 3)..<(start + 7)]
            guard digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }) else { continue }
            found += 1
            index = start + 8
        }
        self.plainOctets += line.count - 8 * found
        self.references += found
    }

    private mutating func findRatio() {
        var html: Int?
        var text: Int?
        for (type, octets) in self.sizes.reversed() {
            guard let octets else { continue }
            if html == nil, type == Names.html {
                html = octets
            } else if text == nil, type == Names.plain {
                text = octets
            }
            if html != nil, text != nil { break }
        }
        if let html, let text, html > 0 { self.alternativeRatio = Double(text) / Double(html) }
    }

    private enum Patterns {
        static let isoName = try? Pattern(#"iso-\S+-\S+\b"#)
        static let knownISOName = try? Pattern(#"iso-(?:8859-\d{1,2}|2022-(?:jp|kr))\b"#)
    }

    private enum Names {
        static let alternative = Array("multipart/alternative".utf8)
        static let html = Array("text/html".utf8)
        static let plain = Array("text/plain".utf8)
        static let text = Array("text".utf8)
        static let calendarFile = Array("application/ics".utf8)
        static let attachment = Array("attachment".utf8)
        static let inline = Array("inline".utf8)
        static let base64 = Array("base64".utf8)
        static let quotedPrintable = Array("quoted-printable".utf8)
        static let sevenBit = Array("7bit".utf8)
        static let eightBit = Array("8bit".utf8)
        static let usASCII = Array("us-ascii".utf8)
        static let report = Array("SPAM: ".utf8)
        static let lineFeed: UInt8 = 0x0a
        /// Names of US-ASCII; found anywhere in a charset's name.
        static let asciiNames = [
            "us-ascii", "ansi_x3.4-1968", "iso-ir-6", "ansi_x3.4-1986", "iso_646.irv:1991", "ascii", "us", "ibm367", "cp367",
        ]
        .map { Array($0.utf8) }
    }
}

extension UInt8 {
    /// `\s` of ASCII.
    var isSpaceOctet: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0d) }
}

extension PatternMatcher {
    /// Whether the pattern is found; a search that was given up counts as not found.
    func matches(_ pattern: Pattern, _ text: [UInt8]) -> Bool {
        if case .match = self.search(pattern, in: text) { return true }
        return false
    }
}
