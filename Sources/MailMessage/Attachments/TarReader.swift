/// The files of a tar archive (POSIX.1-1988 ustar, and GNU's long names), one after the other.
struct TarReader {
    struct Entry {
        var name: [UInt8]
        var content: Range<Int>
    }

    private static let block = 512
    /// Octets of a name.
    private static let maximumName = 4_096

    private let bytes: [UInt8]
    private var position = 0
    /// From GNU's record before a file whose name is too long for the header.
    private var longName: [UInt8]?
    /// It ends within a file, or in something that is no header.
    private(set) var isBroken = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The next file; directories and links are passed over.
    mutating func next() -> Entry? {
        while self.position + Self.block <= self.bytes.count, self.bytes[self.position] != 0 {
            let header = self.position
            guard let size = self.octal(header + 124, 12) else {
                self.isBroken = true
                return nil
            }
            let start = header + Self.block
            let end = start + min(size, self.bytes.count - start)
            if end - start < size { self.isBroken = true }
            self.position = min(start + (end - start + Self.block - 1) / Self.block * Self.block, self.bytes.count)
            switch self.bytes[header + 156] {
            case UInt8(ascii: "L"):
                self.longName = [UInt8](self.text(start, min(end - start, Self.maximumName)))
            case UInt8(ascii: "0"), 0:
                let name = self.longName ?? self.name(header)
                self.longName = nil
                return Entry(name: name, content: start..<end)
            default:
                self.longName = nil
            }
        }
        return nil
    }

    private func name(_ header: Int) -> [UInt8] {
        let name = [UInt8](self.text(header, 100))
        guard self.bytes.has(Array("ustar".utf8), at: header + 257) else { return name }
        let prefix = [UInt8](self.text(header + 345, 155))
        return prefix.isEmpty ? name : prefix + [0x2f] + name
    }

    private func text(_ start: Int, _ length: Int) -> ArraySlice<UInt8> {
        guard start < self.bytes.count else { return [] }
        return self.bytes[start..<min(start + length, self.bytes.count)].prefix { $0 != 0 }
    }

    /// A number of at most 12 digits, so that it cannot overflow.
    private func octal(_ start: Int, _ length: Int) -> Int? {
        var value = 0
        var hasDigit = false
        for octet in self.text(start, length) where octet != 0x20 {
            guard (0x30...0x37).contains(octet) else { return nil }
            value = value << 3 | Int(octet - 0x30)
            hasDigit = true
        }
        return hasDigit ? value : nil
    }
}
