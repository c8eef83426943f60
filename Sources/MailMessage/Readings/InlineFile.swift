/// Files that stand in text in the ways of Usenet and old Macintosh mail: yEnc (version 1.3) and BinHex 4.0
/// (the draft that Macintosh programs follow). Readers of mail open them here and there; a virus scanner must.
enum InlineFile {
    static let yEncBegin = [UInt8](ascii: "=ybegin ")
    private static let yEncLines = [UInt8](ascii: "=y")
    static let binHexBegin = [UInt8](ascii: "(this file must be converted with binhex")

    /// Everything between `=ybegin` and `=yend`, of all files in the text one behind the other.
    static func yEnc(_ bytes: [UInt8], _ range: Range<Int>) -> [[UInt8]] {
        var files: [[UInt8]] = []
        var current: [UInt8]?
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, bytes[end] != .lineFeed { end += 1 }
            if bytes.hasPrefix(self.yEncBegin, at: start) {
                if let done = current { files.append(done) }
                current = []
            } else if current != nil, bytes.hasPrefix(self.yEncLines, at: start) {
                // `=ypart` says which piece follows; `=yend` ends.
                if start + 2 < end, bytes[start + 2].lowercased == 0x65 {
                    files.append(current ?? [])
                    current = nil
                }
            } else if current != nil {
                self.yEncLine(bytes, start..<end, into: &current!)
            }
            start = end + 1
        }
        if let done = current { files.append(done) }
        return files
    }

    private static func yEncLine(_ bytes: [UInt8], _ line: Range<Int>, into result: inout [UInt8]) {
        var index = line.lowerBound
        while index < line.upperBound {
            let octet = bytes[index]
            index += 1
            if octet == .carriageReturn { continue }
            if octet == 0x3d, index < line.upperBound {
                result.append(bytes[index] &- 64 &- 42)
                index += 1
            } else {
                result.append(octet &- 42)
            }
        }
    }

    private static let binHexValues: [UInt8] = {
        var table = [UInt8](repeating: 255, count: 256)
        let alphabet = [UInt8](ascii: "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr")
        for (value, octet) in alphabet.enumerated() { table[Int(octet)] = UInt8(value) }
        return table
    }()

    /// Octets that run-length coding may make of one: it writes at most 255 for three.
    private static let maximumRun = 255

    /// The data fork of the first file in the text; nil where there is none.
    static func binHex(_ bytes: [UInt8], _ range: Range<Int>, limit: Int) -> [UInt8]? {
        guard var index = bytes.range(of: [0x3a], from: range.lowerBound, to: range.upperBound)?.upperBound else { return nil }
        var packed: [UInt8] = []
        var pending: UInt32 = 0
        var count = 0
        while index < range.upperBound, bytes[index] != 0x3a {
            let value = self.binHexValues[Int(bytes[index])]
            index += 1
            guard value < 64 else { continue }
            pending = pending << 6 | UInt32(value)
            count += 1
            if count == 4 {
                for shift in [16, 8, 0] as [UInt32] { packed.append(UInt8(truncatingIfNeeded: pending >> shift)) }
                (pending, count) = (0, 0)
            }
        }
        if count >= 2 { packed.append(UInt8(truncatingIfNeeded: pending >> (UInt32(count) * 6 - 8))) }
        if count == 3 { packed.append(UInt8(truncatingIfNeeded: pending >> 2)) }
        let file = self.withoutRuns(packed, limit: limit)
        guard let nameLength = file.first.map(Int.init) else { return nil }
        // Name, version, type, creator and flags stand before the length of the data fork, its checksum and the resource
        // fork's length behind it.
        let lengthAt = 1 + nameLength + 1 + 4 + 4 + 2
        guard lengthAt + 10 <= file.count else { return nil }
        let length = file[lengthAt..<(lengthAt + 4)].reduce(0) { $0 << 8 | Int($1) }
        let start = lengthAt + 4 + 4 + 2
        return [UInt8](file[start..<min(start + length, file.count)])
    }

    /// 0x90 and a number: so many times the octet before; 0x90 0: itself.
    private static func withoutRuns(_ packed: [UInt8], limit: Int) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < packed.count, result.count + self.maximumRun < limit {
            let octet = packed[index]
            index += 1
            guard octet == 0x90, index < packed.count else {
                result.append(octet)
                continue
            }
            let times = Int(packed[index])
            index += 1
            if times == 0 {
                result.append(0x90)
            } else if let last = result.last, times > 1 {
                result.append(contentsOf: repeatElement(last, count: times - 1))
            }
        }
        return result
    }
}
