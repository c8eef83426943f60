import MailTypes

/// Finds IP addresses in text: dotted quads without leading zeros, and the forms of RFC 4291 §2.2, these maybe with the
/// `IPv6:` of an address literal (RFC 5321 §4.1.3) in front.
package enum AddressText {
    /// Where the address that begins at `start` ends; nil when none does. There is never a choice: an address goes as far as
    /// octets that could belong to it.
    static func end(_ bytes: [UInt8], at start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        if let end = self.quadEnd(bytes, at: start), self.isQuadStart(bytes, start), end == bytes.count || !bytes[end].isWordOctet
        {
            return end
        }
        if bytes.hasPrefix(self.prefix, at: start), let end = self.groupsEnd(bytes, at: start + self.prefix.count) { return end }
        if start > 0, bytes[start - 1] == self.colon || bytes[start - 1].hexValue != nil { return nil }
        return self.groupsEnd(bytes, at: start)
    }

    /// The first address at or behind `start`.
    package static func first(in bytes: [UInt8], from start: Int = 0) -> Range<Int>? {
        var index = start
        while index < bytes.count {
            let octet = bytes[index]
            if octet.hexValue != nil || octet == self.colon || octet.lowercased == 0x69, let end = self.end(bytes, at: index) {
                return index..<end
            }
            index += 1
        }
        return nil
    }

    /// The first address that is no part of a longer number or name.
    package static func firstWhole(in bytes: [UInt8]) -> Range<Int>? {
        var start = 0
        while let range = self.first(in: bytes, from: start) {
            let before = range.lowerBound > 0 ? bytes[range.lowerBound - 1] : nil
            let behind = range.upperBound < bytes.count ? bytes[range.upperBound] : nil
            let begins = (before?.isWordOctet ?? false) != bytes[range.lowerBound].isWordOctet
            let ends = (behind?.isWordOctet ?? false) != bytes[range.upperBound - 1].isWordOctet
            if begins, ends, before != self.dot, behind != self.dot { return range }
            start = range.lowerBound + 1
        }
        return nil
    }

    /// As block lists are asked (RFC 5782 §2.1, §2.4): octets or hexadecimal digits backwards.
    package static func reversed(_ text: [UInt8]) -> [UInt8]? {
        guard let address = self.address(text), text.contains(self.colon) || address.isIPv4 else { return nil }
        if !text.contains(self.colon) {
            return Array(address.octets.reversed().map { String($0) }.joined(separator: ".").utf8)
        }
        let octets = address.isIPv4 ? [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + address.octets : address.octets
        let digits = octets.reversed().flatMap { [$0 & 0xf, $0 >> 4] }
        return Array(digits.map { String($0, radix: 16) }.joined(separator: ".").utf8)
    }

    /// The whole text is a dotted quad.
    package static func isQuad(_ bytes: [UInt8]) -> Bool { !bytes.isEmpty && self.quadEnd(bytes, at: 0) == bytes.count }

    /// The address that a relay's text stands for, without brackets, `IPv6:` and zone.
    static func address(_ bytes: [UInt8]) -> IPAddress? { IPAddress(String(decoding: bytes, as: UTF8.self)) }

    private static let prefix = [UInt8](ascii: "ipv6:")
    private static let colon: UInt8 = 0x3a
    private static let dot: UInt8 = 0x2e
    /// Octets of the longest text of groups and colons.
    private static let maximumLength = 46

    private static func isQuadStart(_ bytes: [UInt8], _ start: Int) -> Bool {
        start == 0 || (!bytes[start - 1].isWordOctet && bytes[start - 1] != self.colon)
    }

    /// Four numbers up to 255 without leading zeros; the number behind which it ends is whole.
    private static func quadEnd(_ bytes: [UInt8], at start: Int) -> Int? {
        var index = start
        for part in 0..<4 {
            if part > 0 {
                guard index < bytes.count, bytes[index] == self.dot else { return nil }
                index += 1
            }
            let first = index
            var value = 0
            while index < bytes.count, bytes[index].isDigit, index - first < 4 {
                value = value * 10 + Int(bytes[index] - 0x30)
                index += 1
            }
            let isLong = index - first > 1 && bytes[first] == 0x30
            guard index > first, value < 256, !isLong else { return nil }
        }
        return index
    }

    private static func groupsEnd(_ bytes: [UInt8], at start: Int) -> Int? {
        var end = start
        while end < bytes.count, end - start <= self.maximumLength, bytes[end] == self.colon || bytes[end].hexValue != nil {
            end += 1
        }
        guard end - start <= self.maximumLength, end - start >= 2 else { return nil }
        if end < bytes.count, bytes[end] == self.dot {
            // The last number belongs to a dotted quad.
            var quad = end
            while quad > start, bytes[quad - 1] != self.colon { quad -= 1 }
            guard quad > start, let quadEnd = self.quadEnd(bytes, at: quad) else { return nil }
            guard quadEnd == bytes.count || (bytes[quadEnd] != self.colon && bytes[quadEnd].hexValue == nil) else { return nil }
            return self.areGroups(bytes[start..<quad], complete: 6, endsInColon: true) ? quadEnd : nil
        }
        return self.areGroups(bytes[start..<end], complete: 8, endsInColon: false) ? end : nil
    }

    /// As many groups as there must be, or fewer with one `::` among them.
    private static func areGroups(_ bytes: ArraySlice<UInt8>, complete: Int, endsInColon: Bool) -> Bool {
        var bytes = bytes
        let hasGap = bytes.count >= 2 && zip(bytes, bytes.dropFirst()).contains { $0 == self.colon && $1 == self.colon }
        if endsInColon, !(bytes.suffix(2).allSatisfy { $0 == self.colon }) { bytes = bytes.dropLast() }
        let pieces = bytes.split(separator: self.colon, omittingEmptySubsequences: false)
        guard pieces.allSatisfy({ $0.count <= 4 }) else { return false }
        let groups = pieces.count { !$0.isEmpty }
        guard hasGap else { return groups == complete && pieces.count == complete }
        guard groups < complete else { return false }
        // One gap: `a::b` has one empty piece, at an end two, alone three.
        let atStart = bytes.starts(with: [self.colon, self.colon])
        let atEnd = bytes.suffix(2).elementsEqual([self.colon, self.colon])
        if !atStart, bytes.first == self.colon { return false }
        if !atEnd, bytes.last == self.colon { return false }
        return pieces.count - groups == (atStart && atEnd ? 3 : atStart || atEnd ? 2 : 1)
    }
}

extension IPAddress {
    /// For use within a site (RFC 1918, RFC 6598), on a link (RFC 3927, RFC 4291 §2.5.6) or a host alone.
    package var isPrivate: Bool {
        guard self.isIPv4 else { return self == .loopback6 || self.high >> 54 == 0xfe80 >> 6 }
        let value = UInt32(truncatingIfNeeded: self.low)
        return switch value >> 24 {
        case 10, 127: true
        case 169: value >> 16 == 0xa9fe
        case 172: value >> 20 == 0xac1
        case 192: value >> 16 == 0xc0a8
        case 100: value >> 22 == 0x6440 >> 6
        default: false
        }
    }
}

extension UInt8 {
    /// Letters, digits, underscore.
    @inline(__always) var isWordOctet: Bool { self.isAlphanumeric || self == 0x5f }
}
