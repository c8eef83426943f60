/// Finds links in text as mail programs make them clickable, and a little further: bare domain names count, too.
///
/// A run of octets without delimiters is looked at once from left to right; at each place where a link may begin, a scheme
/// or `www.`, an e-mail address and a bare domain name are tried in this order.
struct URIExtractor {
    struct Found {
        /// With a scheme put before it where it had none.
        var uri: [UInt8]
        var offset: Int
        /// The scheme is ours.
        var isSchemeless: Bool
    }

    /// Octets behind a scheme, of the local part and domain of an address, of a bare host name.
    private static let maximumLinkLength = 2_048
    private static let maximumAddressPartLength = 251
    private static let maximumHostLength = 253

    private static let schemes = ["http://", "https://", "ftp://"].map { [UInt8](ascii: $0) }
    private static let knownSchemes = ["http:", "https:", "ftp:", "mailto:"].map { [UInt8](ascii: $0) }
    private static let mailto = [UInt8](ascii: "mailto:")
    private static let www = [UInt8](ascii: "www")
    private static let ftpHost = [UInt8](ascii: "ftp.")
    private static let contentSchemes = ["cid:", "mid:"].map { [UInt8](ascii: $0) }

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
    private var addressStop = -1

    private enum Kind { case scheme, mail, bare }

    init(_ bytes: [UInt8], maximum: Int) {
        self.bytes = bytes
        self.maximum = maximum
        let delimiters = Self.delimiters
        var start = 0
        while start < bytes.count, self.found.count < maximum {
            if delimiters.contains(bytes[start]) {
                start += 1
                continue
            }
            var end = start
            // No link is without a colon, an at sign or a dot with something behind it: most words are done here.
            var lastDot: Int?
            var mayHaveLink = false
            while end < bytes.count, !delimiters.contains(bytes[end]) {
                let octet = bytes[end]
                if octet == 0x3a || octet == 0x40 { mayHaveLink = true }
                if octet == 0x2e { lastDot = lastDot ?? end }
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

    private static func isWord(_ octet: UInt8) -> Bool { octet.isAlphanumeric || octet == 0x5f || octet >= 0x80 }

    /// At a word's edge, behind a starting delimiter, or behind an escape sequence of ISO 2022.
    private func mayBegin(at index: Int) -> Bool {
        guard index > 0 else { return Self.isWord(self.bytes[index]) }
        let before = self.bytes[index - 1]
        if Self.starters.contains(before) || Self.isWord(before) != Self.isWord(self.bytes[index]) { return true }
        return index >= 3 && self.bytes[index - 3] == 0x1b && self.bytes[index - 2] == 0x28
    }

    private func schemeEnd(at start: Int, _ run: Range<Int>) -> Int? {
        let end = min(run.upperBound, start + Self.maximumLinkLength)
        for scheme in Self.schemes where self.bytes.hasPrefix(scheme, at: start) {
            return start + scheme.count < end ? end : nil
        }
        if self.bytes.hasPrefix(Self.ftpHost, at: start) { return start + Self.ftpHost.count < end ? end : nil }
        guard let dot = self.wwwEnd(at: start, run.upperBound) else { return nil }
        return dot < end ? end : nil
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
            let end = self.addressPartEnd(from: start + Self.mailto.count, run, limit: Self.maximumLinkLength)
            return end > start + Self.mailto.count ? end : nil
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
        let end = self.addressPartEnd(from: at + 1, run, limit: Self.maximumAddressPartLength)
        return end > at + 1 ? end : nil
    }

    private func endsLocalPart(_ octet: UInt8) -> Bool {
        octet == 0x40 || octet >= 0x80 || Self.addressDelimiters.contains(octet)
    }

    private func addressPartEnd(from start: Int, _ run: Range<Int>, limit: Int) -> Int {
        var end = start
        while end < min(run.upperBound, start + limit), self.bytes[end] < 0x80, !Self.addressDelimiters.contains(self.bytes[end])
        {
            end += 1
        }
        return end
    }

    /// `host.tld`, then at most a dot, a port and a path, up to the end of the run.
    private func bareEnd(at start: Int, _ run: Range<Int>) -> Int? {
        guard self.bytes[start].isAlphanumeric, start == 0 || Self.bareStarters.contains(self.bytes[start - 1]) else {
            return nil
        }
        var hostEnd = start
        while hostEnd < run.upperBound, Self.isHostOctet(self.bytes[hostEnd]) { hostEnd += 1 }
        var nameEnd = hostEnd
        if self.bytes[nameEnd - 1] == 0x2e { nameEnd -= 1 }
        guard nameEnd - start <= Self.maximumHostLength + 1,
            let dot = self.bytes[start..<nameEnd].lastIndex(of: 0x2e), dot > start,
            TopLevelDomains.contains(self.bytes[(dot + 1)..<nameEnd])
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

    private static func isHostOctet(_ octet: UInt8) -> Bool {
        octet.isAlphanumeric || octet == 0x2e || octet == 0x2d || octet == 0x5f
    }

    // MARK: What was found

    private mutating func add(_ range: Range<Int>, _ kind: Kind) {
        var end = range.upperBound
        // A closing parenthesis ends it when none was opened within.
        for index in range {
            if self.bytes[index] == 0x28 { break }
            if self.bytes[index] == 0x29 {
                end = index
                break
            }
        }
        while end > range.lowerBound, Self.trailing.contains(self.bytes[end - 1]) { end -= 1 }
        let raw = [UInt8](self.bytes[range.lowerBound..<end])
        guard !raw.isEmpty else { return }
        if kind == .mail, !raw.contains(0x40) { return }
        if kind == .bare, !HostName.isDomain(raw[..<(raw.firstIndex { $0 == 0x2f || $0 == 0x3a } ?? raw.count)]) { return }
        guard !Self.contentSchemes.contains(where: { raw.hasPrefix($0, at: 0) }) else { return }
        let isSchemeless = !Self.knownSchemes.contains { raw.hasPrefix($0, at: 0) }
        guard let uri = isSchemeless ? self.withScheme(raw) : raw, let checked = self.checkedMail(uri) else { return }
        self.found.append(Found(uri: checked, offset: range.lowerBound, isSchemeless: isSchemeless))
    }

    private func withScheme(_ raw: [UInt8]) -> [UInt8]? {
        if raw.hasPrefix(Self.ftpHost, at: 0) { return [UInt8](ascii: "ftp://") + raw }
        let isWWW = raw.hasPrefix(Self.www, at: 0) && raw.dropFirst(3).drop(while: \.isDigit).first == 0x2e
        let at = raw.firstIndex(of: 0x40)
        let slash = raw.firstIndex(of: 0x2f)
        if isWWW || (at != nil && slash.map { $0 + 1 < at! } == true) { return [UInt8](ascii: "http://") + raw }
        guard let at else { return raw.contains(0x2e) ? [UInt8](ascii: "http://") + raw : nil }
        guard raw[(at + 1)...].dropFirst().contains(0x2e) else { return nil }
        let colons = ["skype:", "email:", "e-mail:", "mail:", ":"].map { [UInt8](ascii: $0) }.first { raw.hasPrefix($0, at: 0) }
        return Self.mailto + raw.dropFirst(colons?.count ?? 0)
    }

    /// Addresses have their escapes undone, and count below known top-level domains only.
    private func checkedMail(_ uri: [UInt8]) -> [UInt8]? {
        guard uri.hasPrefix(Self.mailto, at: 0) else { return uri }
        let decoded = PercentCoding.decode(uri)
        guard let at = decoded.firstIndex(of: 0x40) else { return nil }
        let host = decoded[(at + 1)...].prefix { $0 != 0x3f && $0 != 0x26 && $0 != 0x3e }
        return HostName.isDomain(host) ? decoded : nil
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
