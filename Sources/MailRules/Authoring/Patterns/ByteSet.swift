/// A set of octets: what one piece of a pattern can stand for.
struct ByteSet: Hashable, Sendable {
    private var words: SIMD4<UInt64> = .zero

    init() {}

    init(_ byte: UInt8) { self.insert(byte) }

    init(_ range: ClosedRange<UInt8>) {
        for byte in range { self.insert(byte) }
    }

    init(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { self.insert(byte) }
    }

    static let all = ByteSet(0...0xff)
    static let digits = ByteSet(0x30...0x39)
    static let lowerCase = ByteSet(0x61...0x7a)
    static let upperCase = ByteSet(0x41...0x5a)
    static let letters = lowerCase.union(upperCase)
    /// `\w`
    static let word = letters.union(digits).union(ByteSet(UInt8(ascii: "_")))
    /// `\s`
    static let space = ByteSet(0x09...0x0d).union(ByteSet(0x20))
    /// `\h`, as far as it is one octet
    static let horizontalSpace = ByteSet([0x09, 0x20, 0xa0])
    /// `\v`, as far as it is one octet
    static let verticalSpace = ByteSet(0x0a...0x0d).union(ByteSet(0x85))
    static let lineFeed = ByteSet(UInt8(ascii: "\n"))

    var isEmpty: Bool { self.words == .zero }

    var count: Int {
        self.words[0].nonzeroBitCount + self.words[1].nonzeroBitCount + self.words[2].nonzeroBitCount
            + self.words[3].nonzeroBitCount
    }

    var inverted: ByteSet {
        var result = self
        result.words = ~self.words
        return result
    }

    func contains(_ byte: UInt8) -> Bool {
        self.words[Int(byte >> 6)] & (1 << UInt64(byte & 63)) != 0
    }

    mutating func insert(_ byte: UInt8) {
        self.words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
    }

    mutating func formUnion(_ other: ByteSet) { self.words |= other.words }

    func union(_ other: ByteSet) -> ByteSet {
        var result = self
        result.words |= other.words
        return result
    }

    func intersection(_ other: ByteSet) -> ByteSet {
        var result = self
        result.words &= other.words
        return result
    }

    func subtracting(_ other: ByteSet) -> ByteSet { self.intersection(other.inverted) }

    func isSubset(of other: ByteSet) -> Bool { self.subtracting(other).isEmpty }

    /// In rising order.
    var bytes: [UInt8] { (UInt8.min...UInt8.max).filter(self.contains) }

    /// The only octet, if there is only one.
    var single: UInt8? { self.count == 1 ? self.bytes.first : nil }

    /// A member that reads well in an example: a letter, a digit, then anything that can be printed.
    var example: UInt8? {
        let preferred = Array("ax0 ".utf8)
        if let byte = preferred.first(where: self.contains) { return byte }
        let groups: [ByteSet] = [.lowerCase, .upperCase, .digits, ByteSet(0x20...0x7e), .all]
        for group in groups {
            if let byte = self.intersection(group).bytes.first { return byte }
        }
        return nil
    }

    /// Letters of ASCII together with their other case: `/i`.
    var caseFolded: ByteSet {
        var result = self
        for byte in self.bytes {
            switch byte {
            case 0x41...0x5a: result.insert(byte + 0x20)
            case 0x61...0x7a: result.insert(byte - 0x20)
            default: break
            }
        }
        return result
    }

    /// The octets as runs of neighbours.
    var ranges: [ClosedRange<UInt8>] {
        var result: [ClosedRange<UInt8>] = []
        for byte in self.bytes {
            if let last = result.last, last.upperBound &+ 1 == byte, last.upperBound != 0xff {
                result[result.count - 1] = last.lowerBound...byte
            } else {
                result.append(byte...byte)
            }
        }
        return result
    }
}
