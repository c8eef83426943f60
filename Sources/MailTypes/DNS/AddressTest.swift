/// What an A record of a DNS list must be to mean something: lists put what they know of a name into the address that they
/// answer with (RFC 5782 §2.3).
package enum AddressTest: Hashable, Sendable {
    case range(ClosedRange<UInt32>)
    /// The address and the value are the same where the mask has ones.
    case masked(value: UInt32, mask: UInt32)
    /// One of the bits is set, in an address of 127.0.0.0/8.
    case anyBit(UInt32)

    /// `127.0.0.2`, `127.0.0.4-127.0.0.7`, `127.0.1.0/255.255.255.0`, `0x10/0x10`; a number alone is a mask of bits, as in
    /// `urirhssub` rules of SpamAssassin.
    package init?(_ text: some StringProtocol) {
        let separator = text.firstIndex { $0 == "-" || $0 == "/" }
        guard let first = Self.number(text[..<(separator ?? text.endIndex)]) else { return nil }
        guard let separator else {
            self = first.isAddress ? .range(first.value...first.value) : .anyBit(first.value)
            return
        }
        guard let second = Self.number(text[text.index(after: separator)...]) else { return nil }
        if text[separator] == "/" {
            self = .masked(value: first.value, mask: second.value)
        } else {
            guard first.value <= second.value else { return nil }
            self = .range(first.value...second.value)
        }
    }

    /// The addresses of a network.
    package init?(_ network: IPNetwork) {
        guard let base = network.base.v4Value else { return nil }
        let mask: UInt32 = network.prefixLength == 0 ? 0 : ~0 << UInt32(32 - network.prefixLength)
        self = .masked(value: base, mask: mask)
    }

    private static func number(_ text: some StringProtocol) -> (value: UInt32, isAddress: Bool)? {
        if let value = IPAddress(text)?.v4Value { return (value, true) }
        if text.hasPrefix("0x") {
            guard text.utf8.count <= 10 else { return nil }
            return UInt32(text.dropFirst(2), radix: 16).map { ($0, false) }
        }
        guard let first = text.utf8.first, (0x30...0x39).contains(first) else { return nil }
        return UInt32(text).map { ($0, false) }
    }

    package func matches(_ address: IPAddress) -> Bool {
        guard let value = address.v4Value else { return false }
        switch self {
        case .range(let range): return range.contains(value)
        case .masked(let wanted, let mask): return value & mask == wanted & mask
        case .anyBit(let bits): return value & bits != 0 && value >> 24 == 127
        }
    }
}

extension IPAddress {
    /// The address as a number; nil for IPv6.
    package var v4Value: UInt32? { self.isIPv4 ? self.octets.reduce(0) { $0 << 8 | UInt32($1) } : nil }

    /// An answer of a DNS list that lists something (RFC 5782 §2.1).
    package var isListAnswer: Bool { self.v4Value.map { $0 >> 24 == 127 } ?? false }

    /// 127.255.255.0/24: what the large lists answer to those whom they do not answer: a wrong question, a public resolver, too
    /// many questions. It says nothing of who was asked about.
    package var isListRefusal: Bool { self.v4Value.map { $0 >> 8 == 0x7fffff } ?? false }
}

extension IPAddress {
    /// The address backwards, octet by octet or, of IPv6, nibble by nibble, as lists are asked (RFC 5782 §2.1, §2.4).
    package var listLabels: [[UInt8]] { Array(DNSName(reverseOf: self).labels.dropLast(2)) }
}
