/// An IPv4 or IPv6 address.
///
/// An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2) is the IPv4 address itself, so that lists and
/// limits cannot be escaped by connecting over the other family.
package struct IPAddress: Hashable, Sendable, Comparable {
    /// The 128 bits; an IPv4 address stands in the low 32.
    package let high: UInt64
    package let low: UInt64
    package let isIPv4: Bool

    package init(v4 value: UInt32) {
        self.high = 0
        self.low = UInt64(value)
        self.isIPv4 = true
    }

    package init(v6High high: UInt64, low: UInt64) {
        let isMapped = high == 0 && low >> 32 == 0xffff
        self.high = high
        self.low = isMapped ? low & 0xffff_ffff : low
        self.isIPv4 = isMapped
    }

    /// Four or sixteen octets in network order; nil for any other count.
    package init?(octets: some Collection<UInt8>) {
        switch octets.count {
        case 4:
            self.init(v4: octets.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let high = octets.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            let low = octets.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
            self.init(v6High: high, low: low)
        default:
            return nil
        }
    }

    package static let loopback4 = IPAddress(v4: 0x7f00_0001)
    package static let loopback6 = IPAddress(v6High: 0, low: 1)

    package var bitWidth: Int { self.isIPv4 ? 32 : 128 }

    /// The address in network order: 4 or 16 octets.
    package var octets: [UInt8] {
        let all = (0..<16).map { index -> UInt8 in
            let word = index < 8 ? self.high : self.low
            return UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (index % 8)))
        }
        return self.isIPv4 ? Array(all.suffix(4)) : all
    }

    package var isLoopback: Bool {
        self.isIPv4 ? self.low >> 24 == 127 : self == .loopback6
    }

    /// The network that one customer usually has: /24 of IPv4, /64 of IPv6 (RFC 6177 §2: at least that much a site).
    package var customerNetwork: IPNetwork {
        IPNetwork(base: self, prefixLength: self.isIPv4 ? 24 : 64) ?? IPNetwork(self)
    }

    package static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.isIPv4 ? 0 : 1, left.high, left.low) < (right.isIPv4 ? 0 : 1, right.high, right.low)
    }
}

// MARK: - Text

extension IPAddress: CustomStringConvertible {
    /// Reads dotted quad or RFC 4291 §2.2 text; no zone, no brackets, no leading zeros in IPv4.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            self.init(parsingIPv6: bytes)
        } else if let value = IPAddress.parseIPv4(bytes[...]) {
            self.init(v4: value)
        } else {
            return nil
        }
    }

    private static func parseIPv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for byte in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        return value
    }

    private init?(parsingIPv6 bytes: [UInt8]) {
        let colon = UInt8(ascii: ":")
        var groups: [UInt16] = []
        var gap: Int?
        var index = 0
        if bytes.starts(with: [colon]) {
            guard bytes.starts(with: [colon, colon]) else { return nil }
            gap = 0
            index = 2
        }
        while index < bytes.count {
            let end = bytes[index...].firstIndex(of: colon) ?? bytes.count
            let group = bytes[index..<end]
            if group.isEmpty {
                guard gap == nil else { return nil }
                gap = groups.count
                index = end + 1
                continue
            }
            if group.contains(UInt8(ascii: ".")) {
                guard end == bytes.count, let quad = IPAddress.parseIPv4(group) else { return nil }
                groups += [UInt16(truncatingIfNeeded: quad >> 16), UInt16(truncatingIfNeeded: quad)]
                index = end
                break
            }
            guard group.count <= 4, let value = UInt16(String(decoding: group, as: UTF8.self), radix: 16),
                group.first != UInt8(ascii: "+"), group.first != UInt8(ascii: "-")
            else { return nil }
            groups.append(value)
            index = end + 1
            // A single colon at the end belongs to no group.
            if end < bytes.count, index == bytes.count { return nil }
            if end < bytes.count, bytes[index] == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                index += 1
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        self.init(
            v6High: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
        )
    }

    /// Dotted quad, or the canonical form of RFC 5952 §4.
    package var description: String {
        if self.isIPv4 {
            return "\(self.low >> 24).\(self.low >> 16 & 0xff).\(self.low >> 8 & 0xff).\(self.low & 0xff)"
        }
        let octets = self.octets
        let groups = (0..<8).map { UInt16(octets[2 * $0]) << 8 | UInt16(octets[2 * $0 + 1]) }
        var longest = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, groups[end] == 0 { end += 1 }
            if end - index > max(longest.count, 1) { longest = index..<end }
            index = max(end, index + 1)
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return longest.isEmpty ? text(0..<8) : text(0..<longest.lowerBound) + "::" + text(longest.upperBound..<8)
    }

    /// As it stands in a mail header or an address literal (RFC 5321 §4.1.3): `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    package var addressLiteral: String { self.isIPv4 ? "[\(self)]" : "[IPv6:\(self)]" }
}

/// A network in CIDR notation; a plain address is the network of that one host.
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    package let base: IPAddress
    /// Leading bits that count: 0...32 or 0...128.
    package let prefixLength: Int

    package init?(base: IPAddress, prefixLength: Int) {
        guard (0...base.bitWidth).contains(prefixLength) else { return nil }
        self.prefixLength = prefixLength
        self.base = IPNetwork.masked(base, prefixLength)
    }

    package init(_ host: IPAddress) {
        self.base = host
        self.prefixLength = host.bitWidth
    }

    /// Reads `address` or `address/bits`. An IPv4-mapped IPv6 network of 96 bits or more is the IPv4 network itself.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let address = IPAddress(first) else { return nil }
        if parts.count == 1 {
            self.init(address)
        } else {
            guard let bits = Int(parts[1]), parts[1].utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
            let isMapped = address.isIPv4 && first.contains(":")
            self.init(base: address, prefixLength: isMapped ? bits - 96 : bits)
        }
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == self.base.isIPv4 && IPNetwork.masked(address, self.prefixLength) == self.base
    }

    package var description: String {
        self.prefixLength == self.base.bitWidth ? "\(self.base)" : "\(self.base)/\(self.prefixLength)"
    }

    private static func masked(_ address: IPAddress, _ bits: Int) -> IPAddress {
        if address.isIPv4 {
            let mask: UInt32 = bits == 0 ? 0 : ~0 << UInt32(32 - bits)
            return IPAddress(v4: UInt32(truncatingIfNeeded: address.low) & mask)
        }
        let high: UInt64 = bits == 0 ? 0 : bits >= 64 ? ~0 : ~0 << UInt64(64 - bits)
        let low: UInt64 = bits <= 64 ? 0 : ~0 << UInt64(128 - bits)
        return IPAddress(v6High: address.high & high, low: address.low & low)
    }
}
