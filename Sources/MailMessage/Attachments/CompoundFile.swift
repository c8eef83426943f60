/// An OLE compound file ([MS-CFB]): a small file system in a file, as Office wrote its documents until 2003 and writes
/// encrypted ones and macros still. Every chain of sectors ends at the number of sectors there are.
package struct CompoundFile: Sendable {
    package struct Entry: Hashable, Sendable {
        /// From the root's children down, `/` between: `Macros/VBA/dir`.
        package var path: String
        package var isStorage: Bool
        package var size: Int
        fileprivate var startSector: Int
    }

    /// Entries of the directory that are read.
    package static let maximumEntries = 4_096
    /// Levels of storages.
    private static let maximumDepth = 32

    package private(set) var entries: [Entry] = []

    private let bytes: [UInt8]
    private var sectorSize = 512
    private var miniSectorSize = 64
    private var miniStreamCutoff = 4_096
    private var fat: [UInt32] = []
    private var miniFAT: [UInt32] = []
    private var miniStream: [UInt8] = []

    /// Octets of the header ([MS-CFB] §2.2).
    private static let headerSize = 512

    package static let signature: [UInt8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]

    /// nil for what is no compound file.
    package init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard bytes.count >= Self.headerSize, bytes.has(Self.signature), let shift = bytes.littleEndian16(30),
            shift == 9 || shift == 12
        else { return nil }
        guard let miniShift = bytes.littleEndian16(32), (3...9).contains(miniShift) else { return nil }
        self.sectorSize = 1 << shift
        self.miniSectorSize = 1 << miniShift
        self.miniStreamCutoff = bytes.littleEndian32(56) ?? 4_096
        self.readFAT()
        let directory = self.chain(from: bytes.littleEndian32(48) ?? Self.endOfChain, limit: Self.maximumEntries * 128)
        self.miniFAT = Self.numbers(self.chain(from: bytes.littleEndian32(60) ?? Self.endOfChain, limit: bytes.count))
        self.readDirectory(directory)
    }

    private static let endOfChain = 0xffff_fffe

    /// A stream's content.
    /// - Returns: at most `limit` octets.
    package func content(of entry: Entry, limit: Int) -> [UInt8] {
        guard !entry.isStorage else { return [] }
        let size = min(entry.size, limit)
        if entry.size >= self.miniStreamCutoff { return [UInt8](self.chain(from: entry.startSector, limit: size)) }
        var result: [UInt8] = []
        var sector = entry.startSector
        var steps = 0
        while result.count < size, sector < self.miniFAT.count, steps <= self.miniFAT.count {
            let start = sector * self.miniSectorSize
            guard start < self.miniStream.count else { break }
            result += self.miniStream[start..<min(start + self.miniSectorSize, self.miniStream.count)]
            sector = Int(self.miniFAT[sector])
            steps += 1
        }
        return [UInt8](result.prefix(size))
    }

    /// The entries directly within a storage, by their names in lower case.
    package func entry(_ path: String) -> Entry? {
        self.entries.first { $0.path.lowercased() == path.lowercased() }
    }
}

extension CompoundFile {
    private func sector(_ number: Int) -> ArraySlice<UInt8>? {
        guard number >= 0, number < self.bytes.count / self.sectorSize + 1 else { return nil }
        let start = (number + 1) * self.sectorSize
        guard start < self.bytes.count else { return nil }
        return self.bytes[start..<min(start + self.sectorSize, self.bytes.count)]
    }

    private static func numbers(_ bytes: some Sequence<UInt8>) -> [UInt32] {
        var result: [UInt32] = []
        var value: UInt32 = 0
        var count: UInt32 = 0
        for octet in bytes {
            value |= UInt32(octet) << (8 * count)
            count += 1
            if count == 4 {
                result.append(value)
                (value, count) = (0, 0)
            }
        }
        return result
    }

    /// [MS-CFB] §2.3, §2.5: 109 sectors of the table are named in the header, more in a chain of sectors.
    private mutating func readFAT() {
        let sectors = self.bytes.count / self.sectorSize + 1
        var numbers = Self.numbers(self.bytes[76..<Self.headerSize])
        var next = self.bytes.littleEndian32(68) ?? Self.endOfChain
        var steps = 0
        while steps < sectors, let sector = self.sector(next) {
            var part = Self.numbers(sector)
            next = part.popLast().map(Int.init) ?? Self.endOfChain
            numbers += part
            steps += 1
        }
        for number in numbers.prefix(sectors) {
            guard let sector = self.sector(Int(number)) else { continue }
            self.fat += Self.numbers(sector)
            if self.fat.count > sectors + self.sectorSize { break }
        }
    }

    private func chain(from start: Int, limit: Int) -> [UInt8] {
        var result: [UInt8] = []
        var number = start
        var steps = 0
        while result.count < limit, steps <= self.fat.count, let sector = self.sector(number) {
            result += sector
            guard number < self.fat.count else { break }
            number = Int(self.fat[number])
            steps += 1
        }
        if result.count > limit { result.removeLast(result.count - limit) }
        return result
    }

    private struct Node {
        var name: String
        var kind: UInt8
        var left: Int
        var right: Int
        var child: Int
        var start: Int
        var size: Int
    }

    /// [MS-CFB] §2.6: siblings form a tree.
    private mutating func readDirectory(_ directory: [UInt8]) {
        var nodes: [Node] = []
        for offset in stride(from: 0, to: directory.count - 127, by: 128) { nodes.append(Self.node(directory, offset)) }
        guard let root = nodes.first, root.kind == 5 else { return }
        self.miniStream = self.chain(from: root.start, limit: min(root.size, self.bytes.count))
        var seen = Set<Int>()
        var open: [(index: Int, path: String, depth: Int)] = [(root.child, "", 0)]
        while let (index, path, depth) = open.popLast() {
            guard index < nodes.count, depth <= Self.maximumDepth, seen.insert(index).inserted else { continue }
            let node = nodes[index]
            open.append((node.right, path, depth))
            open.append((node.left, path, depth))
            guard node.kind == 1 || node.kind == 2 else { continue }
            let whole = path.isEmpty ? node.name : path + "/" + node.name
            self.entries.append(Entry(path: whole, isStorage: node.kind == 1, size: node.size, startSector: node.start))
            if node.kind == 1 { open.append((node.child, whole, depth + 1)) }
        }
    }

    private static func node(_ directory: [UInt8], _ offset: Int) -> Node {
        let length = min(max((directory.littleEndian16(offset + 64) ?? 0) - 2, 0), 62)
        let units = stride(from: 0, to: length, by: 2).compactMap { directory.littleEndian16(offset + $0).map(UInt16.init) }
        return Node(
            name: String(decoding: units, as: UTF16.self),
            kind: directory[offset + 66],
            left: directory.littleEndian32(offset + 68) ?? Int(UInt32.max),
            right: directory.littleEndian32(offset + 72) ?? Int(UInt32.max),
            child: directory.littleEndian32(offset + 76) ?? Int(UInt32.max),
            start: directory.littleEndian32(offset + 116) ?? 0,
            size: directory.littleEndian32(offset + 120) ?? 0
        )
    }
}
