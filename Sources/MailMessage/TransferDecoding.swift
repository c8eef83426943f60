/// Undoes Content-Transfer-Encoding (RFC 2045 §6), taking what lenient mail readers take.
enum TransferDecoding {
    struct Result {
        var bytes: [UInt8]
        /// Something stood there that the encoding does not allow.
        var isBroken: Bool
    }

    static func decode(_ bytes: [UInt8], _ range: Range<Int>, _ encoding: TransferEncoding) -> Result {
        switch encoding {
        case .identity: Result(bytes: [UInt8](bytes[range]), isBroken: false)
        case .base64: base64(bytes, range)
        case .quotedPrintable: quotedPrintable(bytes, range)
        case .uuencode: uuencode(bytes, range)
        }
    }

    /// Values of the base64 alphabet; 64 white space, 65 padding, 66 none of these.
    private static let base64Values: [UInt8] = {
        var table = [UInt8](repeating: 66, count: 256)
        let alphabet = [UInt8](ascii: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        for (value, octet) in alphabet.enumerated() { table[Int(octet)] = UInt8(value) }
        for octet in [0x09, 0x0a, 0x0d, 0x20] { table[octet] = 64 }
        table[0x3d] = 65
        return table
    }()

    /// RFC 2045 §6.8: other characters are passed over. Padding ends a quantum, not the data: encoded pieces that were
    /// joined are read on, as Outlook and Thunderbird do.
    static func base64(_ bytes: [UInt8], _ range: Range<Int>) -> Result {
        let table = self.base64Values
        var result: [UInt8] = []
        result.reserveCapacity(range.count / 4 * 3 + 3)
        var broken = false
        var pending: UInt32 = 0
        var count = 0
        for index in range {
            let value = table[Int(bytes[index])]
            if value < 64 {
                pending = pending << 6 | UInt32(value)
                count += 1
                if count == 4 {
                    result.append(UInt8(truncatingIfNeeded: pending >> 16))
                    result.append(UInt8(truncatingIfNeeded: pending >> 8))
                    result.append(UInt8(truncatingIfNeeded: pending))
                    pending = 0
                    count = 0
                }
            } else if value == 65 {
                if count == 1 { broken = true }
                flush(pending, count, into: &result)
                pending = 0
                count = 0
            } else if value == 66 {
                broken = true
            }
        }
        if count > 0 { broken = true }
        flush(pending, count, into: &result)
        return Result(bytes: result, isBroken: broken)
    }

    private static func flush(_ pending: UInt32, _ count: Int, into result: inout [UInt8]) {
        if count == 2 {
            result.append(UInt8(truncatingIfNeeded: pending >> 4))
        } else if count == 3 {
            result.append(UInt8(truncatingIfNeeded: pending >> 10))
            result.append(UInt8(truncatingIfNeeded: pending >> 2))
        }
    }

    /// RFC 2045 §6.7: white space at line ends goes, a `=` that begins no escape stands for itself.
    static func quotedPrintable(_ bytes: [UInt8], _ range: Range<Int>) -> Result {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var broken = false
        var index = range.lowerBound
        // Length of the result behind which only white space of the text follows.
        var solid = 0
        while index < range.upperBound {
            let octet = bytes[index]
            if octet == 0x3d {
                if index + 2 < range.upperBound, let high = bytes[index + 1].hexValue, let low = bytes[index + 2].hexValue {
                    result.append(high << 4 | low)
                    index += 3
                } else if let next = softBreak(bytes, index + 1, range.upperBound) {
                    index = next
                } else {
                    broken = true
                    result.append(octet)
                    index += 1
                }
                solid = result.count
                continue
            }
            index += 1
            if octet == .lineFeed || (octet == .carriageReturn && index < range.upperBound && bytes[index] == .lineFeed) {
                result.removeLast(result.count - solid)
                result.append(octet)
                if octet == .carriageReturn {
                    result.append(.lineFeed)
                    index += 1
                }
                solid = result.count
            } else {
                result.append(octet)
                if !octet.isBlank { solid = result.count }
            }
        }
        return Result(bytes: result, isBroken: broken)
    }

    /// Behind a soft line break whose `=` is passed: white space, then a line end or the end. White space is bounded so that
    /// many `=` before a long run of it cost no more than their number.
    private static func softBreak(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
        var index = start
        while index < end, bytes[index].isBlank { index += 1 }
        if index == end { return end }
        if bytes[index] == .lineFeed { return index + 1 }
        if bytes[index] == .carriageReturn { return index + 1 < end && bytes[index + 1] == .lineFeed ? index + 2 : index + 1 }
        return nil
    }

    /// The data between `begin` and `end` lines; where there is no `begin`, all lines are data.
    static func uuencode(_ bytes: [UInt8], _ range: Range<Int>) -> Result {
        let blocks = Uuencode.blocks(bytes, range)
        if let first = blocks.first {
            return Result(bytes: Uuencode.decode(bytes, first.data), isBroken: !first.isComplete)
        }
        return Result(bytes: Uuencode.decode(bytes, range), isBroken: true)
    }
}

/// Uuencoded files within text (POSIX `uuencode`, historical algorithm).
enum Uuencode {
    /// Files that are looked for in one text.
    static let maximumBlocks = 100

    /// Ranges are over the octets that were searched.
    struct Block: Hashable, Sendable {
        var fileName: Range<Int>
        /// The lines between `begin` and `end`.
        var data: Range<Int>
        /// From the `begin` line to behind the `end` line.
        var whole: Range<Int>
        /// An `end` line was there.
        var isComplete: Bool
    }

    private static let begin = [UInt8](ascii: "begin ")
    private static let end = [UInt8](ascii: "end")

    static func blocks(_ bytes: [UInt8], _ range: Range<Int>) -> [Block] {
        var found: [Block] = []
        var open: Block?
        var start = range.lowerBound
        while start < range.upperBound {
            var next = start
            while next < range.upperBound, bytes[next] != .lineFeed { next += 1 }
            var end = next
            next = min(next + 1, range.upperBound)
            if end > start, bytes[end - 1] == .carriageReturn { end -= 1 }
            if var block = open {
                if bytes.matches(self.end, in: bytes.trimmed(start..<end)) {
                    block.data = block.data.lowerBound..<start
                    block.whole = block.whole.lowerBound..<next
                    block.isComplete = true
                    found.append(block)
                    if found.count == self.maximumBlocks { return found }
                    open = nil
                }
            } else if let name = self.fileName(bytes, start..<end) {
                open = Block(fileName: name, data: next..<range.upperBound, whole: start..<range.upperBound, isComplete: false)
            }
            start = next
        }
        if let open { found.append(open) }
        return found
    }

    /// `begin mode file`, the mode in three or four octal digits.
    private static func fileName(_ bytes: [UInt8], _ line: Range<Int>) -> Range<Int>? {
        guard line.count > self.begin.count + 4, bytes.hasPrefix(self.begin, at: line.lowerBound) else { return nil }
        var index = line.lowerBound + self.begin.count
        let mode = index
        while index < line.upperBound, bytes[index] >= 0x30, bytes[index] <= 0x37 { index += 1 }
        guard (3...4).contains(index - mode), index < line.upperBound, bytes[index] == .space else { return nil }
        let name = bytes.trimmed(index..<line.upperBound)
        return name.isEmpty ? nil : name
    }

    /// Decodes lines of data; a line that says more than it holds yields what it holds.
    static func decode(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(range.count / 4 * 3)
        var start = range.lowerBound
        while start < range.upperBound {
            var next = start
            while next < range.upperBound, bytes[next] != .lineFeed { next += 1 }
            var end = next
            next += 1
            if end > start, bytes[end - 1] == .carriageReturn { end -= 1 }
            if end > start, (0x20...0x60).contains(bytes[start]) {
                self.decodeLine(bytes, (start + 1)..<end, length: Int((bytes[start] &- 0x20) & 0x3f), into: &result)
            }
            start = next
        }
        return result
    }

    private static func decodeLine(_ bytes: [UInt8], _ line: Range<Int>, length: Int, into result: inout [UInt8]) {
        var left = length
        var index = line.lowerBound
        while left > 0, index < line.upperBound {
            var value: UInt32 = 0
            for place in 0..<4 {
                let octet = index + place < line.upperBound ? bytes[index + place] : 0x20
                value = value << 6 | UInt32((octet &- 0x20) & 0x3f)
            }
            for shift in [16, 8, 0] where left > 0 {
                result.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
                left -= 1
            }
            index += 4
        }
    }
}
