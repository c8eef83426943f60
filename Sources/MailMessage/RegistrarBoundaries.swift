import MailTypes

/// Where a registry's part of a host name ends and a registrant's begins: `www.example.co.uk` belongs to `example.co.uk`.
/// Answers as SpamAssassin does with the same lists (`util_rb_tld`, `util_rb_2tld`, `util_rb_3tld`).
///
/// Host names are octets with ASCII letters in either case; answers are in lower case. Names in other scripts are compared
/// as they are written.
package struct RegistrarBoundaries: Sendable {
    private var topLevel = OctetTable<Void>()
    private var secondLevel = OctetTable<Void>()
    private var thirdLevel = OctetTable<Void>()

    /// The root zone, and below country codes what their registries reserve.
    package static let standard = RegistrarBoundaries(topLevel: TopLevelDomains.names, secondLevel: SecondLevelDomains.all)

    package init(
        topLevel: some Sequence<[UInt8]>,
        secondLevel: some Sequence<[UInt8]> = [[UInt8]](),
        thirdLevel: some Sequence<[UInt8]> = [[UInt8]]()
    ) {
        for name in topLevel { self.topLevel.set((), for: name) }
        for name in secondLevel { self.secondLevel.set((), for: name) }
        for name in thirdLevel { self.thirdLevel.set((), for: name) }
    }

    // MARK: - Names

    package func isTopLevel(_ label: ArraySlice<UInt8>) -> Bool { self.topLevel[label] != nil }

    /// Whether the name ends in a known top-level domain and has something before it; nothing else is asked of it.
    package func isDomainValid(_ name: some Collection<UInt8>) -> Bool {
        let name = Array(name)
        guard let dot = name.lastIndex(of: 0x2e), !name.contains(where: \.isSpace) else { return false }
        return self.isTopLevel(name[(dot + 1)...])
    }

    /// Whether a name could be looked up: two labels or more of letters, digits and inner hyphens, with underscores from the
    /// third label on; at most 253 octets, 63 in a label (RFC 1035 §2.3.4). Whether the top-level domain exists is not asked.
    package static func isHostNameValid(_ name: some Collection<UInt8>) -> Bool {
        var name = Array(name)[...]
        while name.last == 0x2e { name.removeLast() }
        guard (3...253).contains(name.count) else { return false }
        var labels = 1
        var hasUnderscore = false
        var length = 0
        // From the end: the last two labels are the stricter ones.
        for (index, octet) in zip(name.indices, name).reversed() {
            if octet == 0x2e {
                guard length > 0, name[index + 1] != 0x2d, labels > 2 || !hasUnderscore else { return false }
                (labels, length, hasUnderscore) = (labels + 1, 0, false)
                continue
            }
            let isUnderscore = octet == 0x5f
            guard octet.isAlphanumeric || isUnderscore || (octet == 0x2d && length > 0), length < 63 else { return false }
            hasUnderscore = hasUnderscore || isUnderscore
            length += 1
        }
        return labels > 1 && length > 0 && name.first != 0x2d && (labels > 2 || !hasUnderscore)
    }

    /// Whether the text is an IPv4 or IPv6 address, without brackets; `IPv6:` may stand before one.
    package static func isAddress(_ text: some Collection<UInt8>) -> Bool {
        guard let first = text.first, first.isDigit || text.contains(0x3a) else { return false }
        let bytes = Array(text)
        let start = bytes.hasPrefix(self.ipv6Prefix, at: 0) ? self.ipv6Prefix.count : 0
        return IPAddress(String(decoding: bytes[start...], as: UTF8.self)) != nil
    }

    private static let ipv6Prefix = [UInt8](ascii: "ipv6:")

    // MARK: - Domains

    /// A host name cut in two: `("www", "example.co.uk")`. The first part is empty for what is a domain itself.
    package func split(_ name: some Collection<UInt8>) -> (host: [UInt8], domain: [UInt8]) {
        let name = Self.tidy(name)
        let start = self.domainStart(name)
        return (Array(name[..<max(start - 1, 0)]), Array(name[start...]))
    }

    /// The domain that was registered: `example.co.uk` for `www.example.co.uk`. What has no known end keeps two labels.
    package func registeredDomain(of name: some Collection<UInt8>) -> [UInt8] {
        let name = Self.tidy(name)
        return Array(name[self.domainStart(name)...])
    }

    /// Lower case, no dots at the ends and no two in a row.
    private static func tidy(_ name: some Collection<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(name.count)
        for octet in name where octet != 0x2e || (!result.isEmpty && result.last != 0x2e) { result.append(octet.lowercased) }
        if result.last == 0x2e { result.removeLast() }
        return result
    }

    private func domainStart(_ name: [UInt8]) -> Int {
        // Where the last one, two, … five labels start; fewer when there are no more.
        var starts: [Int] = []
        var index = name.count
        while index > 0, starts.count < 5 {
            index -= 1
            if name[index] == 0x2e { starts.append(index + 1) }
        }
        if starts.count < 5 { starts.append(0) }
        var labels = 1
        for count in stride(from: min(starts.count, 4), through: 2, by: -1) where self.isBoundary(name, starts, count) {
            labels = count
            break
        }
        return starts[min(labels, starts.count - 1)]
    }

    /// Whether the last `count` labels are a registry's.
    private func isBoundary(_ name: [UInt8], _ starts: [Int], _ count: Int) -> Bool {
        let start = starts[count - 1]
        let isUS = name[starts[0]...].elementsEqual(Self.us)
        switch count {
        case 2: return self.secondLevel[name[start...]] != nil
        case 3: return isUS ? Self.isState(name, starts[1]) : self.thirdLevel[name[start...]] != nil
        default:
            guard isUS, Self.isState(name, starts[1]) else { return false }
            // `school.pvt.k12.state.us`, and whatever of `ci.town.state.us`, `co.county.state.us`.
            let first = name[start..<(starts[2] - 1)]
            if first.elementsEqual(Self.pvt), name[starts[2]..<(starts[1] - 1)].elementsEqual(Self.k12) { return true }
            return first.elementsEqual(Self.ci) || first.elementsEqual(Self.co)
        }
    }

    private static let us = [UInt8](ascii: "us")
    private static let pvt = [UInt8](ascii: "pvt")
    private static let k12 = [UInt8](ascii: "k12")
    private static let ci = [UInt8](ascii: "ci")
    private static let co = [UInt8](ascii: "co")

    private static func isState(_ name: [UInt8], _ start: Int) -> Bool {
        guard start + 2 < name.count, name[start + 2] == 0x2e else { return false }
        return self.states.contains(UInt16(name[start]) << 8 | UInt16(name[start + 1]))
    }

    /// Of the United States, with their territories.
    private static let states = Set(
        """
        ak al ar az ca co ct dc de fl ga gu hi ia id il in ks ky la ma md me mi mn mo ms mt nc nd ne nh nj nm nv ny oh ok or pa \
        pr ri sc sd tn tx ut va vi vt wa wi wv wy
        """.split(separator: " ").map { $0.utf8.reduce(UInt16(0)) { $0 << 8 | UInt16($1) } }
    )
}

// MARK: - URIs

extension RegistrarBoundaries {
    /// The host of a URI and the domain it belongs to, an address for both; nil for what has no host that could be looked
    /// up below a known top-level domain, and for octets of the host that stand as escapes which a reader would undo.
    package func domain(ofURI uri: some Collection<UInt8>) -> (domain: [UInt8], host: [UInt8])? {
        let uri = uri.map(\.lowercased)
        guard !Self.hostless.contains(where: { uri.hasPrefix($0, at: 0) }) else { return nil }
        let host: ArraySlice<UInt8>
        if uri.hasPrefix(Self.mailto, at: 0) {
            let address = uri[Self.mailto.count...].prefix { $0 != 0x3f }
            guard let at = address.firstIndex(of: 0x40), at == address.lastIndex(of: 0x40) else { return nil }
            host = address[(at + 1)...]
        } else {
            host = Self.host(of: uri)
        }
        guard !Self.hasEscape(host) else { return nil }
        let whole = Array(host)
        if Self.isAddress(whole) { return (whole, whole) }
        guard Self.isHostNameValid(whole), self.isDomainValid(whole) else { return nil }
        return (self.registeredDomain(of: whole), whole)
    }

    private static let hostless = ["javascript:", "cid:", "file:"].map { [UInt8](ascii: $0) }
    private static let mailto = [UInt8](ascii: "mailto:")

    /// Without scheme, user, port, path and all that follows.
    private static func host(of uri: [UInt8]) -> ArraySlice<UInt8> {
        var start = uri.firstIndex { $0 < 0x61 || $0 > 0x7a } ?? uri.count
        if start > 0, start < uri.count, uri[start] == 0x3a {
            start += 1
            for _ in 0..<2 where start < uri.count && uri[start] == 0x2f { start += 1 }
        } else {
            start = 0
        }
        var host = uri[start...]
        if let end = host.firstIndex(where: { $0 == 0x2f || $0 == 0x3f || $0 == 0x23 }) { host = host[..<end] }
        if let at = host.lastIndex(of: 0x40) { host = host[(at + 1)...] }
        if let colon = host.lastIndex(of: 0x3a), host[(colon + 1)...].allSatisfy(\.isDigit) { host = host[..<colon] }
        return host
    }

    /// `%21` to `%7e`: octets that need no escape.
    private static func hasEscape(_ host: ArraySlice<UInt8>) -> Bool {
        var index = host.startIndex
        while index + 2 < host.endIndex {
            if host[index] == 0x25, let high = host[index + 1].hexValue, let low = host[index + 2].hexValue {
                let octet = high << 4 | low
                if octet > 0x20, octet < 0x7f { return true }
            }
            index += 1
        }
        return false
    }
}
