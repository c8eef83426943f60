/// A set of octets.
struct OctetSet: Hashable, Comparable, Sendable {
    private var words = SIMD4<UInt64>(repeating: 0)

    init() {}

    init(_ octets: some Sequence<UInt8>) {
        for octet in octets { self.insert(octet) }
    }

    init(_ octets: ClosedRange<UInt8>...) {
        for range in octets { for octet in range { self.insert(octet) } }
    }

    static let all = ~OctetSet()

    /// One number instead of four: sets of sets are large.
    func hash(into hasher: inout Hasher) {
        hasher.combine((self.words &* SIMD4(1, 0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb)).wrappedSum())
    }

    /// In the order of the first octets that only one of them has.
    static func < (left: OctetSet, right: OctetSet) -> Bool {
        for lane in 0..<4 {
            let difference = left.words[lane] ^ right.words[lane]
            if difference != 0 { return left.words[lane] >> UInt64(difference.trailingZeroBitCount) & 1 != 0 }
        }
        return false
    }

    var isEmpty: Bool { self.words == SIMD4(repeating: 0) }

    func contains(_ octet: UInt8) -> Bool { self.words[Int(octet >> 6)] >> UInt64(octet & 63) & 1 != 0 }

    mutating func insert(_ octet: UInt8) { self.words[Int(octet >> 6)] |= 1 << UInt64(octet & 63) }

    mutating func formUnion(_ other: OctetSet) { self.words |= other.words }

    func union(_ other: OctetSet) -> OctetSet {
        var result = self
        result.formUnion(other)
        return result
    }

    static prefix func ~ (set: OctetSet) -> OctetSet {
        var result = set
        result.words = ~set.words
        return result
    }

    /// With the other case of each ASCII letter.
    var caseless: OctetSet {
        var result = self
        for letter in UInt8(ascii: "a")...UInt8(ascii: "z") where self.contains(letter) || self.contains(letter ^ 0x20) {
            result.insert(letter)
            result.insert(letter ^ 0x20)
        }
        return result
    }

    /// In ascending order.
    var members: [UInt8] {
        var result: [UInt8] = []
        for lane in 0..<4 {
            var word = self.words[lane]
            while word != 0 {
                result.append(UInt8(lane << 6 + word.trailingZeroBitCount))
                word &= word - 1
            }
        }
        return result
    }

    /// In ascending order.
    var ranges: [ClosedRange<UInt8>] {
        self.members.reduce(into: []) { ranges, octet in
            if let last = ranges.last, last.upperBound == octet - 1 {
                ranges[ranges.count - 1] = last.lowerBound...octet
            } else {
                ranges.append(octet...octet)
            }
        }
    }

    // MARK: - As octets

    static let encodedSize = 32

    func encoded() -> [UInt8] {
        (0..<4).flatMap { lane in (0..<8).map { UInt8(truncatingIfNeeded: self.words[lane] >> UInt64($0 * 8)) } }
    }

    /// - Parameter octets: `encodedSize` of them.
    init(encoded octets: ArraySlice<UInt8>) {
        for (index, octet) in octets.enumerated() { self.words[index / 8] |= UInt64(octet) << UInt64(index % 8 * 8) }
    }

    // MARK: - As PCRE2 has them without a locale

    static let digits = OctetSet(0x30...0x39)
    static let letters = OctetSet(0x41...0x5a, 0x61...0x7a)
    static let words = OctetSet.letters.union(.digits).union(OctetSet(0x5f...0x5f))
    static let spaces = OctetSet(0x09...0x0d, 0x20...0x20)
    /// `\h`
    static let horizontalSpaces = OctetSet(0x09...0x09, 0x20...0x20, 0xa0...0xa0)
    /// `\v`
    static let verticalSpaces = OctetSet(0x0a...0x0d, 0x85...0x85)

    /// `[:name:]`; nil for a name that there is not.
    init?(posixClass name: some Collection<UInt8>) {
        switch String(decoding: name, as: UTF8.self) {
        case "alpha": self = .letters
        case "digit": self = .digits
        case "alnum": self = OctetSet.letters.union(.digits)
        case "lower": self = OctetSet(0x61...0x7a)
        case "upper": self = OctetSet(0x41...0x5a)
        case "space": self = .spaces
        case "blank": self = OctetSet(0x09...0x09, 0x20...0x20)
        case "punct": self = OctetSet(0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e)
        case "print": self = OctetSet(0x20...0x7e)
        case "graph": self = OctetSet(0x21...0x7e)
        case "cntrl": self = OctetSet(0x00...0x1f, 0x7f...0x7f)
        case "xdigit": self = OctetSet(0x30...0x39, 0x41...0x46, 0x61...0x66)
        case "word": self = .words
        case "ascii": self = OctetSet(0x00...0x7f)
        default: return nil
        }
    }
}

extension OctetSet {
    /// About how often an octet of the set stands at a place in mail: as in English text, with some markup.
    var frequency: Double {
        var sum = 0.0
        for lane in 0..<4 {
            var word = self.words[lane]
            while word != 0 {
                sum += OctetSet.frequencies[lane << 6 + word.trailingZeroBitCount]
                word &= word - 1
            }
        }
        return sum
    }

    private static let frequencies: [Double] = {
        // What is rare is given more than it has: no set of octets is to look like one that never occurs.
        var frequencies = Array(repeating: 0.0002, count: 256)
        let letters = "etaoinsrhldcumfpgwybvkxjqz"
        for (rank, letter) in letters.utf8.enumerated() {
            frequencies[Int(letter)] = max(0.085 * Double(letters.utf8.count - rank) / Double(letters.utf8.count) - 0.01, 0.001)
            frequencies[Int(letter ^ 0x20)] = frequencies[Int(letter)] / 8
        }
        for octet in "0123456789".utf8 { frequencies[Int(octet)] = 0.006 }
        for octet in ".,-/:=\"<>'&;_()\n".utf8 { frequencies[Int(octet)] = 0.008 }
        frequencies[0x20] = 0.15
        for octet in 0x80...0xff { frequencies[octet] = 0.001 }
        let sum = frequencies.reduce(0, +)
        return frequencies.map { $0 / sum }
    }()
}
