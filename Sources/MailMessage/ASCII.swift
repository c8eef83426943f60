/// Classes of octets as mail formats use them.
extension UInt8 {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0a
    static let carriageReturn: UInt8 = 0x0d
    static let space: UInt8 = 0x20

    init(_ scalar: Character) {
        self = scalar.asciiValue ?? 0
    }

    /// `WSP` (RFC 5234 appendix B.1).
    @inline(__always) var isBlank: Bool { self == 0x20 || self == 0x09 }

    /// White space and line ends.
    @inline(__always) var isSpace: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0d) }

    @inline(__always) var isDigit: Bool { self >= 0x30 && self <= 0x39 }

    @inline(__always) var isLetter: Bool {
        let folded = self | 0x20
        return folded >= 0x61 && folded <= 0x7a
    }

    @inline(__always) var isAlphanumeric: Bool { self.isLetter || self.isDigit }

    /// ASCII capitals folded; all else as it is.
    @inline(__always) var lowercased: UInt8 { self >= 0x41 && self <= 0x5a ? self | 0x20 : self }

    /// Value of a hexadecimal digit in either case.
    @inline(__always) var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x37
        case 0x61...0x66: self - 0x57
        default: nil
        }
    }
}

extension Array<UInt8> {
    init(ascii text: String) {
        self = Array(text.utf8)
    }

    /// Whether the octets in `range` are `lowercase`, letters taken in either case.
    func matches(_ lowercase: [UInt8], in range: Range<Int>) -> Bool {
        guard range.count == lowercase.count else { return false }
        for index in 0..<lowercase.count where self[range.lowerBound + index].lowercased != lowercase[index] {
            return false
        }
        return true
    }

    /// Whether `lowercase` stands at `start`, letters taken in either case.
    func hasPrefix(_ lowercase: [UInt8], at start: Int) -> Bool {
        guard start >= 0, start + lowercase.count <= self.count else { return false }
        return self.matches(lowercase, in: start..<(start + lowercase.count))
    }

    /// The range without white space and line ends at both sides.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var lower = range.lowerBound
        var upper = range.upperBound
        while lower < upper, self[lower].isSpace { lower += 1 }
        while upper > lower, self[upper - 1].isSpace { upper -= 1 }
        return lower..<upper
    }

    /// Without white space and line ends at both sides.
    func trimmed() -> [UInt8] {
        let range = self.trimmed(0..<self.count)
        return range.count == self.count ? self : [UInt8](self[range])
    }

    func lowercasedASCII() -> [UInt8] { self.map(\.lowercased) }

    /// As a string; what is not UTF-8 becomes U+FFFD.
    var text: String { String(decoding: self, as: UTF8.self) }

    /// The first place of an octet at or behind `start`.
    func firstIndex(of octet: UInt8, from start: Int) -> Int? {
        start < self.count ? self[start...].firstIndex(of: octet) : nil
    }

    /// No octet is above 0x7f. All are looked at, many at once, which takes less time than looking for the first one.
    package var isASCII: Bool { self.reduce(0, |) < 0x80 }
}
