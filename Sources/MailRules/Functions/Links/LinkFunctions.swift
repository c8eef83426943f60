import MailMessage

/// Where links lead, and where they say they lead (SpamAssassin's URIEval, HTTPSMismatch and the part of DecodeShortURLs
/// that asks nobody).
enum LinkFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("check_for_http_redirector", plugin: "URIEval") { _ in
            { context in EvalOutcome(context.text.uris.contains { context.leadsElsewhere($0.bytes) }) }
        },
        EvalFunction("check_https_ip_mismatch", plugin: "URIEval") { _ in
            { context in EvalOutcome(context.text.links.contains(where: \.showsNameForAddress)) }
        },
        EvalFunction("check_uri_truncated", plugin: "URIEval") { _ in
            { context in
                // Longer ones are cut to this when they are collected.
                EvalOutcome(
                    context.text.links.contains { link in
                        ([link.raw] + link.cleaned).contains { $0.count >= LinkFunctions.maximumLength }
                    }
                )
            }
        },
        EvalFunction("check_https_http_mismatch", plugin: "HTTPSMismatch") { arguments throws(EvalArguments.Failure) in
            let least = try arguments.number(0) ?? 0
            let most = try arguments.number(1) ?? .infinity
            return { context in
                let anchors = context.text.links.compactMap { $0.shownDomains(context.settings.registrars) }
                let count = Double(anchors.count)
                return EvalOutcome(count >= max(least, 1) && count < most && anchors.contains(true))
            }
        },
        EvalFunction("short_url", plugin: "DecodeShortURLs") { _ in
            { context in
                let shorteners = context.settings.shorteners
                return EvalOutcome(!shorteners.isEmpty && context.text.links.contains { shorteners.hasShortened($0) })
            }
        },
    ]

    /// Octets of a URI that are kept.
    private static let maximumLength = 8_192
}

extension EvalContext {
    /// Whether a URI has another in it that belongs to another domain.
    fileprivate func leadsElsewhere(_ uri: [UInt8]) -> Bool {
        var rest = uri[...]
        while let host = LinkText.httpHost(rest, isDelimiter: { "/:?".utf8.contains($0) }) {
            // Something stands between the host and the next URI.
            guard let next = LinkText.nextHTTP(rest, from: host.endIndex + 1) else { return false }
            let target = LinkText.host(rest, behindScheme: next, isDelimiter: { "/:?".utf8.contains($0) })
            guard !target.isEmpty else { return false }
            if self.domain(host) != self.domain(target) { return true }
            rest = rest[next...]
        }
        return false
    }

    private func domain(_ host: ArraySlice<UInt8>) -> [UInt8] {
        self.settings.registrars.domain(ofURI: host)?.domain ?? Array(host)
    }
}

extension MessageLink {
    /// The link goes to an address, and its text shows a name behind `https:`.
    fileprivate var showsNameForAddress: Bool {
        guard LinkText.hasAddress(self.raw[...], schemes: LinkText.webSchemes) else { return false }
        return self.anchorTexts.contains { text in
            !LinkText.hasAddress(text[...], schemes: LinkText.secureSchemes) && LinkText.find("https:", in: text, from: 0) != nil
        }
    }

    /// Whether the text of an anchor shows another domain behind `https://` than the one it leads to; nil for what is no
    /// anchor, or leads to an address or to no known domain.
    fileprivate func shownDomains(_ registrars: RegistrarBoundaries) -> Bool? {
        guard !self.anchorTexts.isEmpty else { return nil }
        guard let host = LinkText.httpHost(self.raw[...], isDelimiter: { "/:?#".utf8.contains($0) }),
            !RegistrarBoundaries.isAddress(host)
        else { return nil }
        let domain = registrars.registeredDomain(of: host)
        guard registrars.domain(ofURI: domain) != nil else { return nil }
        return self.anchorTexts.contains { text in
            guard let start = LinkText.findShownHost(text) else { return false }
            let shown = text[start...].prefix { !$0.isBlank && !"/:?#".utf8.contains($0) }
            if RegistrarBoundaries.isAddress(shown) { return true }
            let shownDomain = registrars.registeredDomain(of: shown)
            return registrars.isDomainValid(shownDomain) && shownDomain != domain
        }
    }
}

/// Looks into URIs.
enum LinkText {
    static let webSchemes = ["https:", "http:"].map { Array($0.utf8) }
    static let mailto = Array("mailto:".utf8)
    static let secureSchemes = ["https:"].map { Array($0.utf8) }

    /// The host behind `http://` or `https://`; nil when there is none.
    static func httpHost(_ uri: ArraySlice<UInt8>, isDelimiter: (UInt8) -> Bool) -> ArraySlice<UInt8>? {
        guard let scheme = self.webSchemes.first(where: { self.hasPrefix(uri, $0) }) else { return nil }
        let rest = uri.dropFirst(scheme.count)
        guard rest.prefix(2).elementsEqual("//".utf8) else { return nil }
        let host = rest.dropFirst(2).prefix { !isDelimiter($0) }
        return host.isEmpty ? nil : host
    }

    static func hasPrefix(_ text: ArraySlice<UInt8>, _ lowercase: [UInt8]) -> Bool {
        text.count >= lowercase.count && zip(text, lowercase).allSatisfy { $0.lowercased == $1 }
    }

    /// Where the next `http:` or `https:` begins that has a host behind it, at or behind `start`.
    static func nextHTTP(_ uri: ArraySlice<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < uri.endIndex {
            if uri[index].lowercased == UInt8(ascii: "h"), self.webSchemes.contains(where: { self.hasPrefix(uri[index...], $0) }),
                !self.host(uri, behindScheme: index, isDelimiter: { "/:?".utf8.contains($0) }).isEmpty
            {
                return index
            }
            index += 1
        }
        return nil
    }

    static func host(_ uri: ArraySlice<UInt8>, behindScheme start: Int, isDelimiter: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        guard let colon = uri[start...].firstIndex(of: UInt8(ascii: ":")) else { return [] }
        var rest = uri[(colon + 1)...]
        for _ in 0..<2 where rest.first == UInt8(ascii: "/") { rest.removeFirst() }
        return rest.prefix { !isDelimiter($0) }
    }

    /// Whether a URI has an IPv4 address where its host stands; a user may stand before it.
    static func hasAddress(_ uri: ArraySlice<UInt8>, schemes: [[UInt8]]) -> Bool {
        guard let scheme = schemes.first(where: { self.hasPrefix(uri, $0) }) else { return false }
        let rest = uri.dropFirst(scheme.count).drop { $0 == UInt8(ascii: "/") }
        let user = rest.prefix { $0 != 0x40 && $0 != UInt8(ascii: "/") }
        if !user.isEmpty, user.endIndex < rest.endIndex, rest[user.endIndex] == 0x40,
            self.startsWithAddress(rest[(user.endIndex + 1)...])
        {
            return true
        }
        return self.startsWithAddress(rest)
    }

    private static func startsWithAddress(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        for part in 0..<4 {
            if part > 0 {
                guard rest.first == UInt8(ascii: ".") else { return false }
                rest.removeFirst()
            }
            guard rest.first?.isDigit == true else { return false }
            rest = rest.drop(while: \.isDigit)
        }
        return true
    }

    static func find(_ lowercase: String, in text: [UInt8], from start: Int) -> Int? {
        let wanted = Array(lowercase.utf8)
        var index = start
        while index + wanted.count <= text.count {
            if self.hasPrefix(text[index...], wanted) { return index }
            index += 1
        }
        return nil
    }

    /// Behind the first `https://` that has a host.
    static func findShownHost(_ text: [UInt8]) -> Int? {
        var index = 0
        while let found = self.find("https://", in: text, from: index) {
            index = found + "https://".utf8.count
            if index < text.count, !text[index].isBlank, !"/:?#".utf8.contains(text[index]) { return index }
        }
        return nil
    }
}
