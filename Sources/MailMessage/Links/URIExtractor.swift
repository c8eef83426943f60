/// Finds links in text as mail programs make them clickable, and a little further: bare domain names count, too.
///
/// A run of octets without delimiters is looked at once from left to right; at each place where a link may begin, a scheme
/// or `www.`, an e-mail address and a bare domain name are tried in this order.
struct URIExtractor {
    struct Found {
        /// As written, without punctuation at its end.
        var raw: [UInt8]
        var offset: Int
        fileprivate var kind: Kind
        /// The name that a bare link begins with.
        fileprivate var host: [UInt8]
    }

    /// Octets behind a scheme, of the local part and domain of an address, of a bare host name.
    private static let maximumLinkLength = 2_048
    private static let maximumAddressPartLength = 251
    private static let maximumHostLength = 320

    fileprivate enum Kind { case scheme, mail, bare }

    private static let schemes = ["http://", "https://", "ftp://"].map { [UInt8](ascii: $0) }
    private static let mailto = [UInt8](ascii: "mailto:")
    private static let www = [UInt8](ascii: "www")
    private static let ftpHost = [UInt8](ascii: "ftp.")

    /// Ends a link; as a set of bits by octet below 0x80.
    private static let delimiters = OctetSet("><\"`}]{[| \t\n\u{0b}\u{0c}\r\u{1b}")
    /// A link may begin behind one of these.
    private static let starters = OctetSet("><\"'`,{[(| \t\n\u{0b}\u{0c}\r\u{1b}")
    /// A bare domain name may begin behind one of these.
    private static let bareStarters = OctetSet("!\"#$&'()*+,/:;<=>?@[\\]^`{|}~ \t\n\u{0b}\u{0c}\r\u{1b}")
    /// Ends an address, besides the delimiters and octets above 0x7f.
    private static let addressDelimiters = OctetSet("><\"`}]{[| \t\n\u{0b}\u{0c}\r\u{1b},('")
    private static let trailing = OctetSet("-~!@#^&*()_+=:;'?,.")

    private let bytes: [UInt8]
    private(set) var found: [Found] = []
    private let maximum: Int
    private let boundaries: RegistrarBoundaries
    private var addressStop = -1

    init(_ bytes: [UInt8], maximum: Int, boundaries: RegistrarBoundaries = .standard) {
        self.bytes = bytes
        self.maximum = maximum
        self.boundaries = boundaries
        var start = 0
        while start < bytes.count, self.found.count < maximum {
            if Self.isDelimiter(bytes[start]) {
                start += 1
                continue
            }
            var end = start
            // No link is without a colon, an at sign or a dot with something behind it: most words are done here.
            var lastDot: Int?
            var mayHaveLink = false
            while end < bytes.count {
                let octet = bytes[end]
                if !octet.isLetter {
                    if Self.isDelimiter(octet) { break }
                    if octet == 0x3a || octet == 0x40 { mayHaveLink = true }
                    if octet == 0x2e { lastDot = lastDot ?? end }
                }
                end += 1
            }
            if mayHaveLink || lastDot.map({ $0 < end - 1 }) == true { self.scanRun(start..<end) }
            start = end
        }
    }

    private mutating func scanRun(_ run: Range<Int>) {
        // The shortest link, `a.at`.
        guard run.count >= 4 else { return }
        self.addressStop = -1
        var index = run.lowerBound
        while index < run.upperBound, self.found.count < self.maximum {
            guard self.mayBegin(at: index) else {
                index += 1
                continue
            }
            if let end = self.schemeEnd(at: index, run) {
                self.add(index..<end, .scheme)
                index = end
            } else if let end = self.addressEnd(at: index, run) {
                self.add(index..<end, .mail)
                index = end
            } else if let end = self.bareEnd(at: index, run) {
                self.add(index..<end, .bare)
                index = end
            } else {
                index += 1
            }
        }
    }

    /// The octet of NBSP, in whatever character it stands, is one.
    @inline(__always)
    private static func isDelimiter(_ octet: UInt8) -> Bool { self.delimiters.contains(octet) || octet == 0xa0 }

    /// At a word's edge, behind a starting delimiter, or behind an escape sequence of ISO 2022.
    private func mayBegin(at index: Int) -> Bool {
        guard index > 0 else { return self.bytes[index].isWord }
        let before = self.bytes[index - 1]
        if Self.starters.contains(before) || before == 0xa0 || before.isWord != self.bytes[index].isWord { return true }
        return index >= 3 && self.bytes[index - 3] == 0x1b && self.bytes[index - 2] == 0x28
    }

    private func schemeEnd(at start: Int, _ run: Range<Int>) -> Int? {
        guard let rest = self.schemeLength(at: start, run.upperBound), rest < run.upperBound else { return nil }
        return run.upperBound - rest <= Self.maximumLinkLength ? run.upperBound : nil
    }

    /// Behind `http://`, `www.` and their like.
    private func schemeLength(at start: Int, _ end: Int) -> Int? {
        for scheme in Self.schemes where self.bytes.hasPrefix(scheme, at: start) { return start + scheme.count }
        if self.bytes.hasPrefix(Self.ftpHost, at: start) { return start + Self.ftpHost.count }
        return self.wwwEnd(at: start, end)
    }

    /// Behind the dot of `www.`, `www1.` or `www12.`.
    private func wwwEnd(at start: Int, _ end: Int) -> Int? {
        guard self.bytes.hasPrefix(Self.www, at: start) else { return nil }
        var index = start + Self.www.count
        while index < end, index < start + Self.www.count + 2, self.bytes[index].isDigit { index += 1 }
        return index < end && self.bytes[index] == 0x2e ? index + 1 : nil
    }

    private mutating func addressEnd(at start: Int, _ run: Range<Int>) -> Int? {
        if self.bytes.hasPrefix(Self.mailto, at: start) {
            let first = start + Self.mailto.count
            if let end = self.addressPartEnd(from: first, run, limit: Self.maximumLinkLength), end > first { return end }
        }
        // The next octet that no local part has; kept, so that each octet is looked at once.
        if self.addressStop < start {
            self.addressStop = start
            while self.addressStop < run.upperBound, !self.endsLocalPart(self.bytes[self.addressStop]) { self.addressStop += 1 }
        }
        let at = self.addressStop
        guard at < run.upperBound, self.bytes[at] == 0x40, at > start, at - start <= Self.maximumAddressPartLength else {
            return nil
        }
        guard let end = self.addressPartEnd(from: at + 1, run, limit: Self.maximumAddressPartLength) else { return nil }
        return end > at + 1 ? end : nil
    }

    private func endsLocalPart(_ octet: UInt8) -> Bool {
        octet == 0x40 || octet >= 0x80 || Self.addressDelimiters.contains(octet)
    }

    /// Where the delimiter stands that ends it; nil when that is too far away.
    private func addressPartEnd(from start: Int, _ run: Range<Int>, limit: Int) -> Int? {
        var end = start
        while end < run.upperBound, self.bytes[end] < 0x80, !Self.addressDelimiters.contains(self.bytes[end]) {
            if end - start == limit { return nil }
            end += 1
        }
        return end
    }

    /// `host.tld`, then at most a dot, a port and a path, up to the end of the run.
    private func bareEnd(at start: Int, _ run: Range<Int>) -> Int? {
        guard self.bytes[start].isAlphanumeric,
            start == 0 || Self.bareStarters.contains(self.bytes[start - 1]) || self.bytes[start - 1] == 0xa0
        else {
            return nil
        }
        var hostEnd = start
        while hostEnd < run.upperBound, Self.isHostOctet(self.bytes[hostEnd]) {
            hostEnd += 1
            guard hostEnd - start <= Self.maximumHostLength else { return nil }
        }
        let nameEnd = self.nameEnd(start, hostEnd)
        guard let dot = self.bytes[start..<nameEnd].lastIndex(of: 0x2e), dot > start,
            self.boundaries.isTopLevel(self.bytes[(dot + 1)..<nameEnd])
        else { return nil }
        var index = hostEnd
        if index < run.upperBound, self.bytes[index] == 0x3a {
            var digits = index + 1
            while digits < run.upperBound, digits - index <= 5, self.bytes[digits].isDigit { digits += 1 }
            guard digits > index + 1 else { return nil }
            index = digits
        }
        if index == run.upperBound { return index }
        guard self.bytes[index] == 0x2f, index + 1 < run.upperBound, run.upperBound - index <= Self.maximumLinkLength + 1 else {
            return nil
        }
        return run.upperBound
    }

    /// Without the one dot that may stand behind a host.
    private func nameEnd(_ start: Int, _ hostEnd: Int) -> Int {
        hostEnd > start && self.bytes[hostEnd - 1] == 0x2e ? hostEnd - 1 : hostEnd
    }

    private static func isHostOctet(_ octet: UInt8) -> Bool {
        octet.isAlphanumeric || octet == 0x2e || octet == 0x2d || octet == 0x5f
    }

    // MARK: What was found

    private mutating func add(_ range: Range<Int>, _ kind: Kind) {
        var end = range.upperBound
        // The last parenthesis closes what was not opened within.
        let opening = self.bytes[range].firstIndex(of: 0x28) ?? end
        if let closing = self.bytes[range.lowerBound..<opening].lastIndex(of: 0x29) { end = closing }
        while end > range.lowerBound, Self.trailing.contains(self.bytes[end - 1]) { end -= 1 }
        var host: [UInt8] = []
        if kind == .bare {
            let hostEnd = self.bytes[range].firstIndex { !Self.isHostOctet($0) } ?? range.upperBound
            host = [UInt8](self.bytes[range.lowerBound..<self.nameEnd(range.lowerBound, hostEnd)])
        }
        self.found.append(
            Found(raw: [UInt8](self.bytes[range.lowerBound..<end]), offset: range.lowerBound, kind: kind, host: host)
        )
    }
}

extension URIExtractor.Found {
    private static let contentSchemes = ["cid:", "mid:"].map { [UInt8](ascii: $0) }
    private static let knownSchemes = ["http:", "https:", "ftp:", "mailto:"].map { [UInt8](ascii: $0) }
    private static let mailto = [UInt8](ascii: "mailto:")
    private static let ftpHost = [UInt8](ascii: "ftp.")
    private static let www = [UInt8](ascii: "www")
    private static let nbsp = [UInt8](ascii: "&nbsp;")
    private static let mailWords = ["skype", "email", "e-mail", "mail", "-mail", ""].map { [UInt8](ascii: $0) }
    private static let escapedSpace = [UInt8](ascii: "%20")

    /// The URI with a scheme, and what kind of link it is; nil when it is none after all.
    func link(_ boundaries: RegistrarBoundaries) -> (uri: [UInt8], types: Set<String>)? {
        let raw = self.raw
        if self.kind == .mail, !raw.contains(0x40) { return nil }
        if self.kind == .bare, !RegistrarBoundaries.isHostNameValid(self.host) { return nil }
        guard !Self.contentSchemes.contains(where: { raw.hasPrefix($0, at: 0) }), !self.isSchemeAlone else { return nil }
        var types: Set<String> = ["parsed"]
        var uri = raw
        if !Self.knownSchemes.contains(where: { raw.hasPrefix($0, at: 0) }) {
            types.insert("schemeless")
            guard let (whole, isLinked) = self.withScheme else { return nil }
            uri = whole
            if !isLinked { types.insert("unlinked") }
        }
        guard uri.hasPrefix(Self.mailto, at: 0) else { return (uri, types) }
        uri = PercentCoding.undoNeedless(uri, isOctets: true)
        guard let at = uri.firstIndex(of: 0x40) else { return nil }
        var host = [UInt8](uri[(at + 1)...].prefix { $0 != 0x3f && $0 != 0x26 && $0 != 0x3e })
        while host.suffix(3).elementsEqual(Self.escapedSpace) { host.removeLast(3) }
        return boundaries.isDomainValid(host) ? (uri, types) : nil
    }

    /// `http://` and nothing behind it; nothing at all.
    private var isSchemeAlone: Bool {
        let word = self.raw.prefix { $0.isWord }
        guard !word.isEmpty, word.count < self.raw.count, self.raw[word.count] == 0x3a else { return false }
        let rest = self.raw[(word.count + 1)...]
        return rest.count <= 2 && rest.allSatisfy { $0 == 0x2f }
    }

    /// With the scheme that mail readers would give it, and whether they would.
    private var withScheme: (uri: [UInt8], isLinked: Bool)? {
        let raw = self.raw
        if raw.hasPrefix(Self.ftpHost, at: 0) { return ([UInt8](ascii: "ftp://") + raw, true) }
        let digits = raw.dropFirst(Self.www.count).prefix { $0.isDigit }
        let isWWW =
            raw.hasPrefix(Self.www, at: 0) && digits.count <= 2 && raw.dropFirst(Self.www.count + digits.count).first == 0x2e
        if isWWW { return ([UInt8](ascii: "http://") + raw, true) }
        let at = raw.firstIndex(of: 0x40)
        // A slash before the at sign is no part of an address.
        if let slash = raw.firstIndex(of: 0x2f), let last = raw.lastIndex(of: 0x40), last > slash + 1 {
            return ([UInt8](ascii: "http://") + raw, true)
        }
        guard let at else { return raw.contains(0x2e) ? ([UInt8](ascii: "http://") + raw, false) : nil }
        guard raw[(at + 1)...].dropFirst().contains(0x2e), !raw.indices.contains(where: { raw.hasPrefix(Self.nbsp, at: $0) })
        else { return nil }
        for word in Self.mailWords where raw.hasPrefix(word, at: 0) && raw.dropFirst(word.count).first == 0x3a {
            return (Self.mailto + raw.dropFirst(word.count).drop { $0 == 0x3a }, true)
        }
        return (Self.mailto + raw, true)
    }
}

/// A set of ASCII characters as bits.
struct OctetSet {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    init(_ characters: String) {
        for octet in characters.utf8 {
            if octet < 64 { self.low |= 1 << UInt64(octet) } else { self.high |= 1 << UInt64(octet & 63) }
        }
    }

    @inline(__always)
    func contains(_ octet: UInt8) -> Bool {
        if octet < 64 { return self.low >> UInt64(octet) & 1 == 1 }
        return octet < 128 && self.high >> UInt64(octet & 63) & 1 == 1
    }
}
