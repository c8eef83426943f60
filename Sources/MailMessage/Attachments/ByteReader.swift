/// Numbers in little endian order out of bytes that may end anywhere.
extension [UInt8] {
    /// nil behind the end.
    func littleEndian16(_ offset: Int) -> Int? {
        guard offset >= 0, offset <= self.count - 2 else { return nil }
        return Int(self[offset]) | Int(self[offset + 1]) << 8
    }

    func littleEndian32(_ offset: Int) -> Int? {
        guard let low = self.littleEndian16(offset), let high = self.littleEndian16(offset + 2) else { return nil }
        return low | high << 16
    }

    /// nil too where the number is larger than any size.
    func littleEndian64(_ offset: Int) -> Int? {
        guard let low = self.littleEndian32(offset), let high = self.littleEndian32(offset + 4), high < 1 << 30 else {
            return nil
        }
        return low | high << 32
    }

    /// Whether `text` stands at `offset`, octet for octet.
    func has(_ text: [UInt8], at offset: Int = 0) -> Bool {
        guard offset >= 0, offset <= self.count - text.count else { return false }
        return self[offset..<(offset + text.count)].elementsEqual(text)
    }

    /// Where `text` first stands between two offsets.
    func range(of text: [UInt8], from start: Int = 0, to end: Int? = nil) -> Range<Int>? {
        guard let first = text.first else { return nil }
        let last = Swift.min(end ?? self.count, self.count) - text.count
        var index = Swift.max(start, 0)
        while index <= last {
            guard let found = self[index...last].firstIndex(of: first) else { return nil }
            if self.has(text, at: found) { return found..<(found + text.count) }
            index = found + 1
        }
        return nil
    }

    /// Where `text` last stands at or behind an offset.
    func lastRange(of text: [UInt8], from start: Int) -> Range<Int>? {
        var index = self.count - text.count
        while index >= Swift.max(start, 0) {
            if self.has(text, at: index) { return index..<(index + text.count) }
            index -= 1
        }
        return nil
    }
}
