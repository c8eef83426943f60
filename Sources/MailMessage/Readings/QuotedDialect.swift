/// Ways in which readers take quoted-printable text with escapes that are none (RFC 2045 §6.7 leaves it to them, and so do
/// they). All give the same for regular text.
enum QuotedDialect: CaseIterable {
    /// `TransferDecoding.quotedPrintable`.
    case lenient
    /// The `=` of an escape that is none goes.
    case withoutSign
    /// It goes with the character behind it.
    case withoutPair
    /// It goes with both characters behind it; small letters make no escape.
    case withoutTriple
    /// White space before a line end is text.
    case keepingBlanks

    /// Small letters are forbidden (RFC 2045 §6.7, rule 1), and decoded by nearly everybody.
    struct Oddities {
        /// There are escapes that are none.
        var isBroken = false
        var hasSmallLetters = false
        /// There are line ends that stand for themselves.
        var hasLineEnds = false
    }

    static func oddities(_ bytes: [UInt8], _ range: Range<Int>) -> Oddities {
        var found = Oddities()
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = bytes[index]
            index += 1
            if octet == .lineFeed { found.hasLineEnds = true }
            guard octet == 0x3d else { continue }
            if let next = self.softBreak(bytes, index, range.upperBound) {
                index = next
            } else if index + 1 < range.upperBound, bytes[index].hexValue != nil, bytes[index + 1].hexValue != nil {
                if bytes[index] >= 0x61 || bytes[index + 1] >= 0x61 { found.hasSmallLetters = true }
                index += 2
            } else {
                found.isBroken = true
            }
        }
        return found
    }

    /// Blanks that a soft line break may have behind its `=`: a bound on looking ahead.
    private static let maximumBlanks = 1_000

    /// - Returns: what follows the line end.
    private static func softBreak(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end, index - start < self.maximumBlanks, bytes[index].isBlank { index += 1 }
        if index < end, bytes[index] == .carriageReturn { index += 1 }
        if index < end, bytes[index] == .lineFeed { return index + 1 }
        return index == end || bytes[index - 1] == .carriageReturn ? index : nil
    }

    private static func isCapitalHex(_ octet: UInt8) -> Bool { octet.hexValue != nil && octet < 0x61 }

    func decode(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        switch self {
        case .lenient: return TransferDecoding.quotedPrintable(bytes, range).bytes
        case .keepingBlanks: return Self.keepingBlanks(bytes, range)
        case .withoutSign, .withoutPair, .withoutTriple:
            let cleaned = self.withoutBrokenEscapes(bytes, range)
            return TransferDecoding.quotedPrintable(cleaned, 0..<cleaned.count).bytes
        }
    }

    private func withoutBrokenEscapes(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = bytes[index]
            guard octet == 0x3d, index + 1 < range.upperBound, !Self.isLineEnd(bytes[index + 1]) else {
                result.append(octet)
                index += 1
                continue
            }
            let next = bytes[index + 1]
            let second = index + 2 < range.upperBound ? bytes[index + 2] : 0
            switch self {
            case .withoutPair where next == 0x3d:
                // Behind this one stands the next; whether that is an escape is seen there.
                result.append(octet)
                index += bytes[index + 1] == 0x3d && index + 2 < range.upperBound && !Self.isCapitalHex(second) ? 3 : 1
            case .withoutPair where !Self.isCapitalHex(next): index += 2
            case .withoutTriple where !(Self.isCapitalHex(next) && Self.isCapitalHex(second)): index += 3
            case .withoutSign where next.hexValue == nil || second.hexValue == nil: index += 1
            default:
                result.append(octet)
                index += 1
            }
        }
        return result
    }

    private static func isLineEnd(_ octet: UInt8) -> Bool { octet == .lineFeed || octet == .carriageReturn }

    private static func keepingBlanks(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let octet = bytes[index]
            if octet == 0x3d, index + 2 < range.upperBound, let high = bytes[index + 1].hexValue,
                let low = bytes[index + 2].hexValue
            {
                result.append(high << 4 | low)
                index += 3
            } else if octet == 0x3d, index + 1 < range.upperBound, self.isLineEnd(bytes[index + 1]) {
                index +=
                    bytes[index + 1] == .carriageReturn && index + 2 < range.upperBound && bytes[index + 2] == .lineFeed ? 3 : 2
            } else {
                result.append(octet)
                index += 1
            }
        }
        return result
    }
}
