/// Transfer encodings as SpamAssassin undoes them. Readers are more lenient (`TransferDecoding`); rules and checksums are
/// made for this.
enum FilterDecoding {
    /// A text of pure base64 whose length is right is decoded as it is, with `=` within it for zero bits; in any other, all
    /// that is no base64 is dropped first and `=` within it stands for one bits.
    static func base64(_ text: [UInt8]) -> [UInt8] {
        var symbols: [UInt8] = []
        symbols.reserveCapacity(text.count)
        var isPure = true
        var count = 0
        for octet in text where !octet.isSpace {
            count += 1
            let value = self.values[Int(octet)]
            if value == 0xff { isPure = false } else { symbols.append(value) }
        }
        while symbols.last == self.padding { symbols.removeLast() }
        // Two symbols at least, besides padding at the end.
        let isRegular = isPure && count >= 2 && count % 4 == 0
        let inner: UInt8 = isRegular ? 0 : 63
        if symbols.count % 4 == 1 { symbols.removeLast() }
        var result: [UInt8] = []
        result.reserveCapacity(symbols.count / 4 * 3 + 3)
        var pending: UInt32 = 0
        var held = 0
        for symbol in symbols {
            pending = pending << 6 | UInt32(symbol == self.padding ? inner : symbol)
            held += 1
            if held == 4 {
                result.append(UInt8(truncatingIfNeeded: pending >> 16))
                result.append(UInt8(truncatingIfNeeded: pending >> 8))
                result.append(UInt8(truncatingIfNeeded: pending))
                pending = 0
                held = 0
            }
        }
        if held >= 2 {
            pending <<= UInt32(6 * (4 - held))
            result.append(UInt8(truncatingIfNeeded: pending >> 16))
            if held == 3 { result.append(UInt8(truncatingIfNeeded: pending >> 8)) }
        }
        return result
    }

    private static let padding: UInt8 = 64
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        let alphabet = [UInt8](ascii: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
        for (value, octet) in alphabet.enumerated() { table[Int(octet)] = UInt8(value) }
        return table
    }()

    /// White space at line ends goes, then `=` at a line end with it, then escapes are undone: in this order, so that an
    /// escape may be made by joining lines.
    static func quotedPrintable(_ text: [UInt8]) -> [UInt8] {
        let joined = self.joiningLines(text)
        var result: [UInt8] = []
        result.reserveCapacity(joined.count)
        var copied = 0
        while let sign = joined.firstIndex(of: 0x3d, from: copied) {
            result.append(contentsOf: joined[copied..<sign])
            if sign + 2 < joined.count, let high = joined[sign + 1].hexValue, let low = joined[sign + 2].hexValue {
                result.append(high << 4 | low)
                copied = sign + 3
            } else {
                result.append(0x3d)
                copied = sign + 1
            }
        }
        result.append(contentsOf: joined[copied...])
        return LineEnds.lineFeeds(result)
    }

    private static func joiningLines(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var start = 0
        while let lineFeed = text.firstIndex(of: .lineFeed, from: start) {
            var end = lineFeed
            if end > start, text[end - 1] == .carriageReturn { end -= 1 }
            while end > start, text[end - 1].isBlank { end -= 1 }
            if end > start, text[end - 1] == 0x3d {
                result.append(contentsOf: text[start..<(end - 1)])
            } else {
                result.append(contentsOf: text[start..<end])
                result.append(.lineFeed)
            }
            start = lineFeed + 1
        }
        result.append(contentsOf: text[start...])
        return result
    }
}
