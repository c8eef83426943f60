/// The forms of one URI that rules are matched against, as SpamAssassin's `uri` rules have them: as written, and cooked where
/// that differs (escapes undone, scheme added, odd spellings of IPv4 addresses made plain, the target of a redirector).
enum URICanonical {
    /// Octets of a URI that are kept.
    static let maximumLength = 8_192
    /// Redirections within redirections that are followed.
    private static let maximumRedirections = 10
    private static let maximumForms = 32

    private static let mailto = [UInt8](ascii: "mailto:")
    private static let http = [UInt8](ascii: "http:")
    private static let https = [UInt8](ascii: "https:")
    private static let schemes = [https, http]
    private static let ftpHost = [UInt8](ascii: "ftp.")
    private static let twoSlashes = [UInt8](ascii: "//")
    private static let www = [UInt8](ascii: "www.")

    /// All forms, the one as written first, none twice.
    /// - Parameter isOctets: what is above U+007F counts as octets, as in text; else as characters, as in HTML.
    static func forms(of uri: [UInt8], isOctets: Bool = true, _ reading: LinkReading = LinkReading()) -> [[UInt8]] {
        var forms = FormList()
        var pending: [[UInt8]] = [uri]
        var next = 0
        while next < pending.count, next <= self.maximumRedirections {
            let raw = self.trimmed(self.without(.lineFeed, pending[next])).filter { $0 != .carriageReturn }
            next += 1
            forms.add(raw, mayBeEmpty: next == 1)
            if let target = self.cook(raw, isOctets: isOctets, reading, into: &forms) { pending.append(target) }
        }
        return forms.all
    }

    private static func without(_ octet: UInt8, _ uri: [UInt8]) -> [UInt8] {
        uri.contains(octet) ? uri.filter { $0 != octet } : uri
    }

    private static func trimmed(_ uri: [UInt8]) -> [UInt8] { uri.trimmed() }

    private struct FormList {
        private(set) var all: [[UInt8]] = []

        mutating func add(_ form: [UInt8], mayBeEmpty: Bool = false) {
            guard self.all.count < URICanonical.maximumForms, mayBeEmpty || !form.isEmpty else { return }
            let form = form.count > URICanonical.maximumLength ? [UInt8](form.prefix(URICanonical.maximumLength)) : form
            if !self.all.contains(form) { self.all.append(form) }
        }
    }

    /// Adds the cooked forms and returns what a redirector in it points to.
    private static func cook(_ raw: [UInt8], isOctets: Bool, _ reading: LinkReading, into forms: inout FormList) -> [UInt8]? {
        guard raw.count > 1, !self.isWithinPage(raw) else { return nil }
        if raw.hasPrefix(self.mailto, at: 0) || self.isBareAddress(raw) {
            self.addMailForms(raw, into: &forms)
            return nil
        }
        // Some mail programs take back slashes for slashes.
        var cooked = self.withTwoSlashes(raw.contains(0x5c) ? raw.map { $0 == 0x5c ? 0x2f : $0 } : raw)
        cooked = PercentCoding.undoNeedless(cooked, isOctets: isOctets)
        if !self.hasScheme(cooked) {
            cooked = [UInt8](ascii: cooked.starts(with: self.ftpHost) ? "ftp://" : "http://") + cooked
        }
        cooked = self.resolveReferences(self.withSlashAfterHost(cooked))
        forms.add(cooked)
        return self.addHostForms(cooked, reading, into: &forms)
    }

    /// `#name`, `?query`, `/path`.
    private static func isWithinPage(_ uri: [UInt8]) -> Bool {
        switch uri[0] {
        case 0x23, 0x3f, 0x26: true
        case 0x2f: uri[1] != 0x2f
        default: false
        }
    }

    private static func isBareAddress(_ uri: [UInt8]) -> Bool {
        for octet in uri {
            if octet == 0x40 { return true }
            if octet == 0x3a { return false }
        }
        return false
    }

    private static let escapedSpace = [UInt8](ascii: "%20")

    /// Without what follows `?` and `&`, without spaces around the address, without a name before it.
    private static func addMailForms(_ uri: [UInt8], into forms: inout FormList) {
        if let at = uri.firstIndex(of: 0x40), at > 0, at + 1 < uri.count {
            if let mark = uri[(at + 1)...].firstIndex(of: 0x3f), mark > at + 1 { forms.add([UInt8](uri[..<mark])) }
            if let mark = uri[(at + 1)...].firstIndex(where: { $0 == 0x26 || $0 == 0x3f }), uri[mark] == 0x26, mark > at + 1 {
                forms.add([UInt8](uri[..<mark]))
            }
        }
        if uri.indices.contains(where: { uri.hasPrefix(self.escapedSpace, at: $0) }) {
            var start = uri.hasPrefix(self.mailto, at: 0) ? self.mailto.count : 0
            while uri.hasPrefix(self.escapedSpace, at: start) { start += self.escapedSpace.count }
            if let at = uri[start...].firstIndex(of: 0x40), at > start {
                let host = uri[(at + 1)...].prefix { $0 != 0x3f && $0 != 0x26 && $0 != 0x25 }
                if !host.isEmpty { forms.add(self.mailto + uri[start..<(at + 1)] + host) }
            }
        }
        let head = uri.prefix { $0 != 0x3f && $0 != 0x26 && $0 != 0x3c }
        guard head.count < uri.count, uri[head.count] == 0x3c else { return }
        let address = uri[(head.count + 1)...].prefix { $0 != 0x3e }
        guard address.endIndex < uri.count, let at = address.firstIndex(of: 0x40), at > address.startIndex,
            at + 1 < address.endIndex
        else { return }
        forms.add(self.mailto + address)
    }

    private static func hasScheme(_ uri: [UInt8]) -> Bool {
        for (index, octet) in uri.enumerated() {
            if octet == 0x3a { return index > 0 }
            guard octet.isAlphanumeric || octet == 0x2d || octet == 0x5f else { return false }
        }
        return false
    }

    /// `http:host` and `http:/host` mean `http://host`.
    private static func withTwoSlashes(_ uri: [UInt8]) -> [UInt8] {
        for scheme in [self.http, self.https] where uri.hasPrefix(scheme, at: 0) {
            if uri.hasPrefix(self.twoSlashes, at: scheme.count) { return uri }
            var index = scheme.count
            while index < min(uri.count, scheme.count + 2), uri[index] == 0x2f { index += 1 }
            return uri[..<scheme.count] + [0x2f, 0x2f] + uri[index...]
        }
        return uri
    }

    /// Behind `http://` or `https://`, when that begins it.
    private static func hostStart(_ uri: [UInt8]) -> Int? {
        for scheme in [self.http, self.https]
        where uri.hasPrefix(scheme, at: 0) && uri.hasPrefix(self.twoSlashes, at: scheme.count) {
            return scheme.count + 2
        }
        return nil
    }

    private static func withSlashAfterHost(_ uri: [UInt8]) -> [UInt8] {
        guard let start = self.hostStart(uri),
            let end = uri[start...].firstIndex(where: { $0 == 0x2f || $0 == 0x3f || $0 == 0x23 }), end > start, uri[end] != 0x2f
        else { return uri }
        return uri[..<end] + [0x2f] + uri[end...]
    }

    /// Numeric character references of printable characters, and the full stops of other scripts.
    private static func resolveReferences(_ uri: [UInt8]) -> [UInt8] {
        guard uri.contains(0x26) else { return uri }
        var result: [UInt8] = []
        var index = 0
        while index < uri.count {
            if uri[index] == 0x26, index + 1 < uri.count, uri[index + 1] == 0x23,
                let (octet, next) = self.reference(uri, index + 2)
            {
                result.append(octet)
                index = next
            } else {
                result.append(uri[index])
                index += 1
            }
        }
        return result
    }

    private static func reference(_ uri: [UInt8], _ start: Int) -> (UInt8, Int)? {
        guard start < uri.count else { return nil }
        let isHexadecimal = uri[start].lowercased == 0x78
        var index = isHexadecimal ? start + 1 : start
        var value = 0
        while index < uri.count, let digit = uri[index].hexValue, isHexadecimal || digit < 10 {
            value = min(value * (isHexadecimal ? 16 : 10) + Int(digit), 0x11_0000)
            index += 1
        }
        guard index < uri.count, uri[index] == 0x3b else { return nil }
        switch value {
        case 0x21...0x7e: return (UInt8(value), index + 1)
        case 0x3002, 0xff0e, 0xff61: return (0x2e, index + 1)
        default: return nil
        }
    }

    /// Forms with a plain host; returns the target of a redirector.
    private static func addHostForms(_ uri: [UInt8], _ reading: LinkReading, into forms: inout FormList) -> [UInt8]? {
        guard let parts = Parts(uri, hostStart: self.hostStart(uri)) else { return nil }
        let rest = [UInt8](parts.rest)
        if let port = parts.defaultPortLength { forms.add(parts.scheme + parts.host + [UInt8](rest[port...])) }
        var host = [UInt8](parts.host)
        if host.contains(where: { $0 <= 0x20 }) {
            host.removeAll { $0 <= 0x20 }
            forms.add(parts.scheme + host + rest)
        }
        let lowercaseHost = [UInt8](parts.host).lowercasedASCII()
        let whole = parts.scheme + host + rest
        let configured = reading.redirection?([UInt8](whole)).flatMap { $0.contains(0x2e) ? $0 : nil }
        let target = configured ?? self.redirection(rest)
        if let at = host.lastIndex(of: 0x40), at > 0 {
            host = [UInt8](host[(at + 1)...])
            forms.add(parts.scheme + host + rest)
        }
        if let last = host.last, !last.isAlphanumeric {
            while let last = host.last, !last.isAlphanumeric { host.removeLast() }
            forms.add(parts.scheme + host + rest)
        }
        if let address = IPv4Spelling.plain(host) {
            forms.add(parts.scheme + address + rest)
        } else if self.mayBeCompleted(parts, lowercaseHost, reading.boundaries) {
            // Browsers complete a single word.
            let word = lowercaseHost.starts(with: self.www) && lowercaseHost.count > 4 ? lowercaseHost[4...] : lowercaseHost[...]
            forms.add(parts.scheme + [UInt8](ascii: "www.") + word + [UInt8](ascii: ".com") + rest)
        }
        return target
    }

    private static func mayBeCompleted(_ parts: Parts, _ host: [UInt8], _ boundaries: RegistrarBoundaries) -> Bool {
        guard parts.scheme.count == 7, !parts.hasUser, parts.isDefaultPort, !host.isEmpty else { return false }
        let word = host.starts(with: self.www) ? host[4...] : host[...]
        guard !word.isEmpty, !word.contains(0x2e) else { return false }
        return host != self.localhost && !boundaries.isDomainValid(host)
    }

    private static let localhost = [UInt8](ascii: "localhost")

    /// A second `http:` behind the host, up to `&` or `#`; the first one that has something behind it.
    private static func redirection(_ rest: [UInt8]) -> [UInt8]? {
        var index = 0
        while index + 5 < rest.count {
            guard rest[index].lowercased == 0x68, let scheme = self.schemes.first(where: { rest.hasPrefix($0, at: index) }) else {
                index += 1
                continue
            }
            let end = rest[index...].firstIndex { $0 == 0x26 || $0 == 0x23 } ?? rest.count
            if end > index + scheme.count { return rest[index..<end].contains(0x2e) ? [UInt8](rest[index..<end]) : nil }
            index += 1
        }
        return nil
    }

    /// `scheme://user@host:port/path` taken apart.
    struct Parts {
        var scheme: ArraySlice<UInt8>
        var hasUser = false
        var host: ArraySlice<UInt8>
        /// Port, path and all that follows.
        var rest: ArraySlice<UInt8>
        /// Octets of `:80` or `:443` where that is the scheme's.
        var defaultPortLength: Int?
        var isDefaultPort: Bool

        init?(_ uri: [UInt8], hostStart: Int?) {
            guard let start = hostStart else { return nil }
            let authorityEnd = uri[start...].firstIndex { $0 == 0x2f || $0 == 0x3f || $0 == 0x23 } ?? uri.count
            var hostStart = start
            if let at = uri[start..<authorityEnd].firstIndex(of: 0x40) {
                hostStart = at + 1
                self.hasUser = true
            }
            let hostEnd = uri[hostStart..<authorityEnd].firstIndex(of: 0x3a) ?? authorityEnd
            guard hostEnd > hostStart else { return nil }
            self.scheme = uri[..<start]
            self.host = uri[hostStart..<hostEnd]
            self.rest = uri[hostEnd...]
            var digits = hostEnd
            if digits < authorityEnd {
                digits += 1
                while digits < authorityEnd, uri[digits].isDigit { digits += 1 }
            }
            let port = uri[hostEnd..<digits].dropFirst()
            let isDefault = start == 7 ? port.elementsEqual("80".utf8) : port.elementsEqual("443".utf8)
            self.defaultPortLength = isDefault ? digits - hostEnd : nil
            self.isDefaultPort = port.isEmpty || self.defaultPortLength != nil
        }
    }
}

/// IPv4 addresses as browsers still read them: parts in hexadecimal and octal, or one number.
enum IPv4Spelling {
    /// The address with each part in decimal digits without leading zeros; nil when the host is none of the kind. A part of
    /// nothing but zeros leaves nothing, which is SpamAssassin's way.
    static func plain(_ host: [UInt8]) -> [UInt8]? {
        guard let first = host.first, first.isDigit else { return nil }
        guard host.allSatisfy({ $0.hexValue != nil || $0 == 0x2e || $0.lowercased == 0x78 }) else { return nil }
        let parts = host.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.allSatisfy({ self.hexadecimal($0) != nil || (!$0.isEmpty && $0.allSatisfy(\.isDigit)) }) else { return nil }
        if parts.count == 4 { return [UInt8](parts.map { self.decimal($0) }.joined(separator: [0x2e])) }
        guard parts.count == 1 else { return nil }
        // Of a hexadecimal number the last 32 bits count.
        let number = self.hexadecimal(parts[0]).map { $0 & 0xffff_ffff } ?? self.number(parts[0])
        let text = [UInt8](ascii: String(number, radix: 16))
        let digits = (text.count < 8 ? Array(repeating: 0x30, count: 8 - text.count) : []) + text
        // The first 32 bits of what is written out.
        let value = digits.prefix(8).reduce(UInt32(0)) { $0 << 4 | UInt32($1.hexValue ?? 0) }
        return [UInt8](ascii: [24, 16, 8, 0].map { String(value >> UInt32($0) & 0xff) }.joined(separator: "."))
    }

    /// Octal with at least one leading zero where it fits an octet.
    private static func decimal(_ part: ArraySlice<UInt8>) -> [UInt8] {
        if let value = self.hexadecimal(part) { return value == 0 ? [] : [UInt8](ascii: String(value)) }
        let digits = part.drop { $0 == 0x30 }
        let isOctal = digits.count < part.count && digits.allSatisfy { $0 < 0x38 } && !digits.isEmpty
        if isOctal, digits.count <= ((0x31...0x33).contains(digits[digits.startIndex]) ? 3 : 2) {
            return [UInt8](ascii: String(digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }))
        }
        return [UInt8](digits)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64 {
        digits.reduce(0) { value, octet in
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            return overflow
                ? .max : product.addingReportingOverflow(UInt64(octet - 0x30)).overflow ? .max : product + UInt64(octet - 0x30)
        }
    }

    /// `0x` and digits; the last 64 bits of it.
    private static func hexadecimal(_ part: ArraySlice<UInt8>) -> UInt64? {
        let text = [UInt8](part)
        guard text.count > 2, text[0] == 0x30, text[1].lowercased == 0x78 else { return nil }
        var value: UInt64 = 0
        for octet in text[2...] {
            guard let digit = octet.hexValue else { return nil }
            value = value << 4 | UInt64(digit)
        }
        return value
    }
}

extension PercentCoding {
    /// Escapes of printable ASCII that need none are undone; octets that need one and have none get it. Nothing is done to a
    /// URI without escapes.
    /// - Parameter isOctets: octets above 0x7f are taken each by itself; else characters up to U+00FF are.
    static func undoNeedless(_ uri: [UInt8], isOctets: Bool) -> [UInt8] {
        guard uri.indices.contains(where: { self.escape(uri, at: $0) != nil }) else { return uri }
        var result: [UInt8] = []
        result.reserveCapacity(uri.count)
        var index = 0
        while index < uri.count {
            let octet = uri[index]
            if let value = self.escape(uri, at: index) {
                if value > 0x20, value < 0x7f {
                    result.append(value)
                } else {
                    result.append(contentsOf: uri[index..<(index + 3)])
                }
                index += 3
                continue
            }
            index += 1
            if !isOctets, octet >= 0xc2, octet <= 0xc3, index < uri.count {
                self.append(escapeOf: octet << 6 | uri[index] & 0x3f, to: &result)
                index += 1
            } else if octet <= 0x20 || octet == 0x7f || (isOctets && octet > 0x7f) || self.unsafe.contains(octet) {
                self.append(escapeOf: octet, to: &result)
            } else {
                result.append(octet)
            }
        }
        return result
    }

    private static let unsafe = OctetSet("\"%<>")
    private static let digits = [UInt8](ascii: "0123456789abcdef")

    private static func append(escapeOf octet: UInt8, to result: inout [UInt8]) {
        result.append(contentsOf: [0x25, self.digits[Int(octet >> 4)], self.digits[Int(octet & 15)]])
    }

    private static func escape(_ uri: [UInt8], at index: Int) -> UInt8? {
        guard uri[index] == 0x25, index + 2 < uri.count, let high = uri[index + 1].hexValue, let low = uri[index + 2].hexValue
        else {
            return nil
        }
        return high << 4 | low
    }
}
