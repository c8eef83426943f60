/// A set of octets.
struct OctetClass: Sendable {
    private var low: UInt128 = 0
    private var high: UInt128 = 0

    init(_ isMember: (UInt8) -> Bool) {
        for octet in 0...0xff as ClosedRange<UInt8> where isMember(octet) { self.insert(octet) }
    }

    init(_ octets: [UInt8]) {
        for octet in octets { self.insert(octet) }
    }

    private mutating func insert(_ octet: UInt8) {
        if octet < 0x80 { self.low |= 1 << UInt128(octet) } else { self.high |= 1 << UInt128(octet & 0x7f) }
    }

    mutating func formUnion(_ other: OctetClass) {
        self.low |= other.low
        self.high |= other.high
    }

    @inline(__always) func contains(_ octet: UInt8) -> Bool {
        (octet < 0x80 ? self.low : self.high) >> UInt128(octet & 0x7f) & 1 != 0
    }

    static func except(_ text: String) -> OctetClass { OctetClass { !text.utf8.contains($0) } }
    static func among(_ text: String) -> OctetClass { OctetClass { text.utf8.contains($0) } }
    static let all = OctetClass { _ in true }
    static let digits = OctetClass(\.isDigit)
    static let words = OctetClass { !$0.isSpace }
    /// What an address may begin with, as `AddressText` reads them.
    static let addressStarts = OctetClass { $0.hexValue != nil || $0 == 0x3a || $0.lowercased == 0x69 }
}
