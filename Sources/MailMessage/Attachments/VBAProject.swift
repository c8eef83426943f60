import DeflateKit

/// The macros of an Office document ([MS-OVBA]): the project's streams in a compound file, their source decompressed.
package struct VBAProject: Hashable, Sendable {
    package struct Module: Hashable, Sendable {
        package var name: String
        /// In the project's code page.
        package var source: [UInt8]
    }

    package var modules: [Module]

    /// Modules that are read of one project, and octets of source of one module.
    private static let maximumModules = 256
    private static let maximumSource = 1_000_000
    /// Octets of compressed streams that are read.
    private static let maximumStream = 4_000_000

    /// nil where there is no project.
    package init?(_ file: CompoundFile) {
        if let modules = Self.modules(of: file) {
            self.modules = modules
        } else if let inner = Self.presentationStorages(file).lazy.compactMap(Self.modules).first {
            self.modules = inner
        } else {
            return nil
        }
    }

    private static func modules(of file: CompoundFile) -> [Module]? {
        guard let directory = file.entries.first(where: { !$0.isStorage && self.isDirectory($0.path) }) else { return nil }
        let storage = String(directory.path.dropLast("dir".count))
        let records = self.decompress(file.content(of: directory, limit: self.maximumStream), from: 0, limit: self.maximumSource)
        return self.moduleOffsets(records).compactMap { name, offset in
            guard let entry = file.entry(storage + name) else { return nil }
            let stream = file.content(of: entry, limit: self.maximumStream)
            return Module(name: name, source: self.decompress(stream, from: offset, limit: self.maximumSource))
        }
    }

    /// A presentation keeps its project as a compressed compound file within its own stream: an `ExOleObjStg` record
    /// ([MS-PPT] §2.10.35), which is looked for by its header.
    private static func presentationStorages(_ file: CompoundFile) -> [CompoundFile] {
        guard let entry = file.entry("PowerPoint Document") else { return [] }
        let stream = file.content(of: entry, limit: self.maximumStream)
        var found: [CompoundFile] = []
        var position = 0
        while found.count < self.maximumStorages, let header = stream.range(of: self.compressedStorage, from: position) {
            position = header.upperBound
            // The record's length and the decompressed size stand before the data.
            let start = header.upperBound + 8
            guard start < stream.count else { break }
            let data = Inflation.inflate(stream, start..<stream.count, .zlib, limit: self.maximumStream)
            if let storage = CompoundFile(data.bytes) { found.append(storage) }
        }
        return found
    }

    /// Version 0, instance 1, type 0x1011.
    private static let compressedStorage: [UInt8] = [0x10, 0x00, 0x11, 0x10]
    /// Objects of a presentation that are opened.
    private static let maximumStorages = 16

    private static func isDirectory(_ path: String) -> Bool {
        let lower = path.lowercased()
        return lower == "vba/dir" || lower.hasSuffix("/vba/dir")
    }

    /// Procedures that run by themselves, without their namespace.
    private static let automaticNames = [
        "autoopen", "autoexec", "autoexit", "autoclose", "autonew", "auto_open", "auto_close", "document_open",
        "document_close", "document_new", "documentopen", "workbook_open", "workbook_close", "workbook_activate",
        "workbook_beforeclose", "workbookopen",
    ].map { [UInt8](ascii: $0) }

    /// A macro runs when the document is opened or closed.
    package var runsByItself: Bool {
        self.modules.contains { module in
            let source = module.source.lowercasedASCII()
            return Self.automaticNames.contains { source.range(of: $0) != nil }
        }
    }

    /// [MS-OVBA] §2.3.4.2: records of an id, a size and the data. Only the stream's name and the source's offset are read.
    private static func moduleOffsets(_ records: [UInt8]) -> [(String, Int)] {
        var result: [(String, Int)] = []
        var name = ""
        var position = 0
        while let id = records.littleEndian16(position), let size = records.littleEndian32(position + 2) {
            let start = position + 6
            // PROJECTVERSION says 4 and has 6 octets.
            let length = id == 0x0009 ? 6 : size
            guard length <= records.count - start else { break }
            if id == 0x001a {
                name = Charset.toUTF8([UInt8](records[start..<(start + length)]), named: nil).text
            } else if id == 0x0031, let offset = records.littleEndian32(start), result.count < self.maximumModules {
                result.append((name, offset))
            }
            position = start + length
        }
        return result
    }

    /// [MS-OVBA] §2.4.1: chunks of at most 4,096 octets, literals and copies of what stands before.
    static func decompress(_ data: [UInt8], from start: Int, limit: Int) -> [UInt8] {
        guard start >= 0, start < data.count, data[start] == 1 else { return [] }
        var result: [UInt8] = []
        var position = start + 1
        while result.count < limit, let header = data.littleEndian16(position), (header >> 12) & 7 == 3 {
            let end = min(position + (header & 0xfff) + 3, data.count)
            position += 2
            if header & 0x8000 == 0 {
                let raw = min(position + 4_096, data.count)
                result += data[position..<raw]
                position = raw
            } else {
                self.decompressChunk(data, position..<max(end, position), into: &result)
                position = max(end, position)
            }
        }
        return [UInt8](result.prefix(limit))
    }

    private static func decompressChunk(_ data: [UInt8], _ range: Range<Int>, into result: inout [UInt8]) {
        let chunkStart = result.count
        var position = range.lowerBound
        while position < range.upperBound {
            let flags = data[position]
            position += 1
            for bit in 0..<8 where position < range.upperBound {
                // A chunk holds no more.
                guard result.count - chunkStart < 4_096 else { return }
                guard flags & (1 << UInt8(bit)) != 0 else {
                    result.append(data[position])
                    position += 1
                    continue
                }
                guard position + 1 < range.upperBound, let token = data.littleEndian16(position) else { return }
                position += 2
                let written = result.count - chunkStart
                guard written > 0 else { return }
                var offsetBits = 4
                while 1 << offsetBits < written { offsetBits += 1 }
                let lengthMask = 0xffff >> offsetBits
                let length = (token & lengthMask) + 3
                let distance = (token >> (16 - offsetBits)) + 1
                guard distance <= written else { return }
                for _ in 0..<min(length, 4_096 - written) { result.append(result[result.count - distance]) }
            }
        }
    }
}
