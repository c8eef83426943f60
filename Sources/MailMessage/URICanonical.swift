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
    private static let ftpHost = [UInt8](ascii: "ftp.")
    private static let twoSlashes = [UInt8](ascii: "//")
    private static let www = [UInt8](ascii: "www.")

    /// All forms, the one as written first, none twice.
    static func forms(of uri: [UInt8]) -> [[UInt8]] {
        var forms = FormList()
        var pending: [[UInt8]] = [uri]
        var next = 0
        while next < pending.count, next <= self.maximumRedirections {
            let raw = self.withoutLineEnds(pending[next]).trimmed()
            next += 1
            forms.add(raw)
            if let target = self.cook(raw, into: &forms) { pending.append(target) }
        }
        return forms.all
    }

    private static func withoutLineEnds(_ uri: [UInt8]) -> [UInt8] {
        guard uri.contains(where: { $0 == .lineFeed || $0 == .carriageReturn }) else { return uri }
        return uri.filter { $0 != .lineFeed && $0 != .carriageReturn }
    }

    private struct FormList {
        private(set) var all: [[UInt8]] = []

        mutating func add(_ form: [UInt8]) {
            guard self.all.count < URICanonical.maximumForms, !form.isEmpty else { return }
            let form = form.count > URICanonical.maximumLength ? [UInt8](form.prefix(URICanonical.maximumLength)) : form
            if !self.all.contains(form) { self.all.append(form) }
        }
    }

    /// Adds the cooked forms and returns what a redirector in it points to.
    private static func cook(_ raw: [UInt8], into forms: inout FormList) -> [UInt8]? {
        guard raw.count > 1, !self.isWithinPage(raw) else { return nil }
        if raw.hasPrefix(self.mailto, at: 0) || self.isBareAddress(raw) {
            self.addMailForms(raw, into: &forms)
            return nil
        }
        // Some mail programs take back slashes for slashes.
        var cooked = self.withTwoSlashes(raw.contains(0x5c) ? raw.map { $0 == 0x5c ? 0x2f : $0 } : raw)
        cooked = PercentCoding.decode(cooked)
        if !self.hasScheme(cooked) {
            cooked = [UInt8](ascii: cooked.hasPrefix(self.ftpHost, at: 0) ? "ftp://" : "http://") + cooked
        }
        cooked = self.resolveReferences(self.withSlashAfterHost(cooked))
        forms.add(cooked)
        return self.addHostForms(cooked, into: &forms)
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

    /// `mailto:` without what follows `?` and `&`.
    private static func addMailForms(_ uri: [UInt8], into forms: inout FormList) {
        guard let at = uri.firstIndex(of: 0x40), at > 0, at + 1 < uri.count else { return }
        if let mark = uri[(at + 1)...].firstIndex(of: 0x3f), mark > at + 1 { forms.add([UInt8](uri[..<mark])) }
        if let mark = uri[(at + 1)...].firstIndex(where: { $0 == 0x26 || $0 == 0x3f }), uri[mark] == 0x26, mark > at + 1 {
            forms.add([UInt8](uri[..<mark]))
        }
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
    private static func addHostForms(_ uri: [UInt8], into forms: inout FormList) -> [UInt8]? {
        guard let parts = Parts(uri, hostStart: self.hostStart(uri)) else { return nil }
        let rest = [UInt8](parts.rest)
        if let port = parts.defaultPortLength { forms.add(parts.scheme + parts.host + [UInt8](rest[port...])) }
        var host = [UInt8](parts.host)
        if host.contains(where: { $0 <= 0x20 }) {
            host.removeAll { $0 <= 0x20 }
            forms.add(parts.scheme + host + rest)
        }
        let target = self.redirection(rest)
        if let at = host.firstIndex(of: 0x40) {
            host = [UInt8](host[(at + 1)...])
            forms.add(parts.scheme + host + rest)
        }
        if let last = host.last, !last.isAlphanumeric, last < 0x80 {
            while let last = host.last, !last.isAlphanumeric, last < 0x80 { host.removeLast() }
            forms.add(parts.scheme + host + rest)
        }
        if let address = IPv4Spelling.plain(host) {
            forms.add(parts.scheme + address + rest)
        } else if self.mayBeCompleted(parts, host) {
            // Browsers complete a single word.
            let word = host.hasPrefix(self.www, at: 0) ? host[4...] : host[...]
            forms.add(parts.scheme + [UInt8](ascii: "www.") + word + [UInt8](ascii: ".com") + rest)
        }
        return target
    }

    private static func mayBeCompleted(_ parts: Parts, _ host: [UInt8]) -> Bool {
        guard parts.scheme.count == 7, !parts.hasUser, parts.isDefaultPort, !host.isEmpty else { return false }
        let word = host.hasPrefix(self.www, at: 0) ? host[4...] : host[...]
        guard !word.isEmpty, !word.contains(0x2e), !HostName.isDomain(host[...]) else { return false }
        return host.lowercasedASCII().text != "localhost"
    }

    /// A second `http:` behind the host, up to `&` or `#`.
    private static func redirection(_ rest: [UInt8]) -> [UInt8]? {
        var index = 0
        while index + 5 < rest.count {
            if rest[index].lowercased == 0x68, rest.hasPrefix(self.http, at: index) || rest.hasPrefix(self.https, at: index) {
                let end = rest[index...].firstIndex { $0 == 0x26 || $0 == 0x23 } ?? rest.count
                let target = rest[index..<end]
                return target.contains(0x2e) ? [UInt8](target) : nil
            }
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
    private static let maximumPartLength = 64

    /// The address in four decimal numbers; nil when the host is none, or is written so already.
    static func plain(_ host: [UInt8]) -> [UInt8]? {
        guard host.allSatisfy({ $0.hexValue != nil || $0 == 0x2e || $0.lowercased == 0x78 }) else { return nil }
        let parts = host.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard parts.count == 4 || parts.count == 1 else { return nil }
        var numbers: [UInt64] = []
        for part in parts {
            guard let number = self.number(part) else { return nil }
            numbers.append(number)
        }
        if numbers.count == 1 {
            let value = UInt32(truncatingIfNeeded: numbers[0])
            numbers = [24, 16, 8, 0].map { UInt64(value >> UInt32($0) & 0xff) }
        }
        let text = [UInt8](ascii: numbers.map { String($0) }.joined(separator: "."))
        return text == host ? nil : text
    }

    private static func number(_ part: ArraySlice<UInt8>) -> UInt64? {
        guard !part.isEmpty, part.count <= self.maximumPartLength else { return nil }
        let text = [UInt8](part)
        if text.count > 2, text[0] == 0x30, text[1].lowercased == 0x78 {
            var value: UInt64 = 0
            for octet in text[2...] {
                guard let digit = octet.hexValue else { return nil }
                // Browsers take the last 32 bits.
                value = (value << 4 | UInt64(digit)) & 0xffff_ffff
            }
            return value
        }
        guard text.allSatisfy(\.isDigit) else { return nil }
        let isOctal = text.count > 1 && text[0] == 0x30 && text.allSatisfy { $0 < 0x38 }
        var value: UInt64 = 0
        for octet in text {
            value = value &* (isOctal ? 8 : 10) &+ UInt64(octet - 0x30)
            if value > 0xffff_ffff { return nil }
        }
        return value
    }
}
