/// Networks, some of them excluded, in the order in which they were given: the first one that has an address decides.
package struct NetworkSet: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        var text: String
        var range: ClosedRange<UInt128>
        var isExcluded: Bool
    }

    private var entries: [Entry] = []

    package init() {}

    package var isEmpty: Bool { self.entries.isEmpty }

    package func contains(_ address: IPAddress) -> Bool {
        let value = NetworkSet.value(of: address)
        return self.entries.first { $0.range.contains(value) }.map { !$0.isExcluded } ?? false
    }

    /// Takes `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `192.0.2.`, `10/8`, `[2001:db8::]/32`, `192.0.2.1-192.0.2.7`, a
    /// single address; `!` in front excludes.
    /// - Returns: false, if the text is none of these.
    package mutating func add(_ given: some StringProtocol) -> Bool {
        var text = given.drop { $0 == " " }
        let isExcluded = text.first == "!"
        if isExcluded { text = text.dropFirst().drop { $0 == " " } }
        guard let range = NetworkSet.range(String(text)) else { return false }
        self.entries.append(Entry(text: String(given), range: range, isExcluded: isExcluded))
        return true
    }

    /// Drops networks of which the other set does not have every address; exclusions stay.
    /// - Returns: the dropped ones, as they were given.
    package mutating func remove(notIn other: NetworkSet) -> [String] {
        var dropped: [String] = []
        self.entries.removeAll { entry in
            let outer = other.entries.first {
                $0.range.lowerBound <= entry.range.lowerBound && entry.range.upperBound <= $0.range.upperBound
            }
            guard !entry.isExcluded, outer?.isExcluded ?? true else { return false }
            dropped.append(entry.text)
            return true
        }
        return dropped
    }

    // MARK: - Ranges

    /// IPv4 addresses are where IPv6 has them (RFC 4291 §2.5.5.2).
    private static func value(of address: IPAddress) -> UInt128 {
        let value = UInt128(address.high) << 64 | UInt128(address.low)
        return address.isIPv4 ? value | 0xffff << 32 : value
    }

    private static func range(_ text: String) -> ClosedRange<UInt128>? {
        if let dash = text.firstIndex(of: "-"), !text.contains("%") {
            let bounds = (IPAddress(text[..<dash]), IPAddress(text[text.index(after: dash)...]))
            guard let lower = bounds.0, let upper = bounds.1, lower.isIPv4 == upper.isIPv4, lower <= upper else { return nil }
            return self.value(of: lower)...self.value(of: upper)
        }
        let pieces = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var host = pieces[0]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        // The interface of a scoped address (RFC 4007 §11) says nothing about others.
        host = host.prefix { $0 != "%" }
        guard let (address, octets) = self.base(host) else { return nil }
        var bits = octets * 8
        if pieces.count == 2 {
            guard let given = self.maskLength(pieces[1]) else { return nil }
            bits = given
        }
        guard (0...address.bitWidth).contains(bits) else { return nil }
        let free = address.bitWidth - bits
        let mask: UInt128 = free == 128 ? .max : (1 << UInt128(free)) - 1
        let value = self.value(of: address)
        return (value & ~mask)...(value | mask)
    }

    /// The address, and of how many octets it is given; IPv4 may be cut short.
    private static func base(_ text: Substring) -> (IPAddress, Int)? {
        if text.contains(":") { return IPAddress(text).map { ($0, $0.isIPv4 ? 4 : 16) } }
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false)
        let given = numbers.last == "" ? numbers.dropLast() : numbers[...]
        guard (1...4).contains(given.count), numbers.count == given.count || given.count < 4 else { return nil }
        var value: UInt32 = 0
        for number in given {
            guard number.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let octet = UInt8(number) else { return nil }
            value = value << 8 | UInt32(octet)
        }
        return (IPAddress(v4: value << UInt32(8 * (4 - given.count))), given.count)
    }

    private static func maskLength(_ text: Substring) -> Int? {
        if text.utf8.count <= 3, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return Int(text) }
        guard let mask = IPAddress(text), mask.isIPv4 else { return nil }
        let value = UInt32(truncatingIfNeeded: mask.low)
        let bits = value.nonzeroBitCount
        return value == (bits == 0 ? 0 : ~0 << UInt32(32 - bits)) ? bits : nil
    }
}
