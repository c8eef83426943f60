import DeflateKit

/// The members of a zip file (PKWARE APPNOTE 6.3): from its directory, or from the members themselves where there is none.
/// Sizes and offsets are hints; nothing is read outside of the file or beyond a limit.
package struct ZipArchive: Sendable {
    package struct Member: Hashable, Sendable {
        /// As it is written, with `/` or `\` between directories.
        package var name: [UInt8]
        package var isEncrypted: Bool
        /// 0 stored, 8 deflated (APPNOTE §4.4.5).
        package var method: Int
        /// As they are written.
        package var compressedSize: Int
        package var size: Int
        /// Of its local header.
        package var offset: Int

        package var isDirectory: Bool { self.name.last == 0x2f }
    }

    /// Members that are listed; an honest archive in mail has far fewer.
    package static let maximumMembers = 5_000
    /// Octets of a comment at the end of the file (its length has 16 bits) with the record before it.
    private static let maximumTail = 65_535 + 22

    package private(set) var members: [Member] = []
    /// There are more members than are listed.
    package private(set) var isCut = false
    /// There is no directory: the members were looked for.
    package private(set) var isWithoutDirectory = false

    private let bytes: [UInt8]
    private let maximumMembers: Int
    /// Where the directory begins, and what its end says about the number of members.
    private var directory: (start: Int, count: Int)?

    /// nil for what is no zip file.
    package init?(_ bytes: [UInt8], maximumMembers: Int = Self.maximumMembers) {
        self.bytes = bytes
        self.maximumMembers = maximumMembers
        if let end = bytes.lastRange(of: Self.endOfDirectory, from: bytes.count - Self.maximumTail),
            self.readDirectory(end.lowerBound)
        {
            return
        }
        guard bytes.has(Self.localHeader) else { return nil }
        self.isWithoutDirectory = true
        self.findMembers()
    }

    private static let endOfDirectory: [UInt8] = [0x50, 0x4b, 5, 6]
    private static let directoryEntry: [UInt8] = [0x50, 0x4b, 1, 2]
    private static let localHeader: [UInt8] = [0x50, 0x4b, 3, 4]
    private static let zip64End: [UInt8] = [0x50, 0x4b, 6, 6]
    private static let zip64Locator: [UInt8] = [0x50, 0x4b, 6, 7]

    /// A member's content, decompressed; nil when it is encrypted, compressed in another way, or not there.
    /// - Returns: at most `limit` octets, and whether that is all.
    package func content(of member: Member, limit: Int) -> (bytes: [UInt8], isWhole: Bool)? {
        guard !member.isEncrypted, self.bytes.has(Self.localHeader, at: member.offset) else { return nil }
        guard let name = self.bytes.littleEndian16(member.offset + 26), let extra = self.bytes.littleEndian16(member.offset + 28)
        else { return nil }
        let start = member.offset + 30 + name + extra
        guard start <= self.bytes.count else { return nil }
        switch member.method {
        case 0:
            let end = min(start + min(max(member.compressedSize, 0), self.bytes.count), self.bytes.count)
            let cut = min(end, start + limit)
            return ([UInt8](self.bytes[start..<cut]), cut == end)
        case 8:
            let result = Inflation.inflate(self.bytes, start..<self.bytes.count, .none, limit: limit)
            return (result.bytes, result.outcome == .complete)
        default:
            return nil
        }
    }
}

extension ZipArchive {
    /// Where in the file a member's packed content stands; nil when there is no local header.
    func packedRange(of member: Member) -> Range<Int>? {
        guard self.bytes.has(Self.localHeader, at: member.offset), let name = self.bytes.littleEndian16(member.offset + 26),
            let extra = self.bytes.littleEndian16(member.offset + 28)
        else { return nil }
        let start = member.offset + 30 + name + extra
        guard start <= self.bytes.count else { return nil }
        return start..<(start + min(max(member.compressedSize, 0), self.bytes.count - start))
    }

    /// The octets that a member unpacks to, counted and not believed; nil when it cannot be unpacked here.
    ///
    /// - Returns: at most `limit`.
    func unpackedSize(of member: Member, limit: Int) -> Int? {
        guard !member.isEncrypted, let packed = self.packedRange(of: member) else { return nil }
        switch member.method {
        case 0: return min(packed.count, limit)
        // What the sizes say may be less than what there is.
        case 8: return Inflation.measure(self.bytes, packed.lowerBound..<self.bytes.count, .none, limit: limit).count
        default: return nil
        }
    }

    /// Why programs that go by the directory and programs that go by the local headers would see different members; nil where
    /// they see the same.
    package func inconsistency() -> (member: [UInt8], reason: String)? {
        guard let directory = self.directory else { return ([], "there is no directory") }
        if !self.isCut, directory.count != 0xffff, directory.count != self.members.count & 0xffff {
            return ([], "the directory says that there are \(directory.count) members and has \(self.members.count)")
        }
        for member in self.members {
            if let reason = self.disagreement(of: member) { return (member.name, reason) }
        }
        guard !self.isCut else { return nil }
        // What no entry of the directory points at, and what two point at.
        var end = 0
        for member in self.members.sorted(by: { $0.offset < $1.offset }) {
            guard member.offset >= end else { return (member.name, "it overlaps another member") }
            if self.bytes.range(of: Self.localHeader, from: end, to: member.offset) != nil {
                return (member.name, "before it stands a member that is not in the directory")
            }
            guard let packed = self.packedRange(of: member) else { continue }
            end = packed.upperBound
        }
        if self.bytes.range(of: Self.localHeader, from: end, to: directory.start) != nil {
            return ([], "a member is not in the directory")
        }
        return nil
    }

    private func disagreement(of member: Member) -> String? {
        let header = member.offset
        guard self.bytes.has(Self.localHeader, at: header), let flags = self.bytes.littleEndian16(header + 6),
            let method = self.bytes.littleEndian16(header + 8), let packed = self.bytes.littleEndian32(header + 18),
            let nameLength = self.bytes.littleEndian16(header + 26), header + 30 + nameLength <= self.bytes.count
        else { return "its local header is missing" }
        guard self.bytes[(header + 30)..<(header + 30 + nameLength)].elementsEqual(member.name) else {
            return "its local header has another name"
        }
        if method != member.method { return "its local header has another method" }
        if flags & 1 != 0, !member.isEncrypted { return "its local header says that it is encrypted" }
        // With bit 3 the sizes stand behind the data; with zip64 elsewhere.
        if flags & 8 == 0, packed != member.compressedSize, packed != 0xffff_ffff { return "its local header has another size" }
        return nil
    }
}

extension ZipArchive {
    /// APPNOTE §4.3.12 and §4.3.16.
    private mutating func readDirectory(_ end: Int) -> Bool {
        guard var size = self.bytes.littleEndian32(end + 12), var start = self.bytes.littleEndian32(end + 16) else {
            return false
        }
        var behind = end
        if start == 0xffff_ffff || size == 0xffff_ffff, let large = self.largeDirectory(end) {
            (size, start, behind) = large
        }
        guard size <= behind else { return false }
        // What stands before the archive (a program that unpacks it) moves all offsets.
        let actual = behind - size
        var shift = actual - start
        var position = actual
        if !self.bytes.has(Self.directoryEntry, at: actual), size > 0 {
            guard self.bytes.has(Self.directoryEntry, at: start) else { return false }
            (shift, position) = (0, start)
        }
        self.directory = (position, self.bytes.littleEndian16(end + 10) ?? 0)
        while self.bytes.has(Self.directoryEntry, at: position) {
            guard self.members.count < self.maximumMembers else {
                self.isCut = true
                break
            }
            guard let next = self.readEntry(position, shift: shift) else { break }
            position = next
        }
        return true
    }

    /// APPNOTE §4.3.14 and §4.3.15.
    private func largeDirectory(_ end: Int) -> (size: Int, start: Int, behind: Int)? {
        let locator = end - 20
        guard self.bytes.has(Self.zip64Locator, at: locator), let record = self.bytes.littleEndian64(locator + 8) else {
            return nil
        }
        guard self.bytes.has(Self.zip64End, at: record) else { return nil }
        guard let size = self.bytes.littleEndian64(record + 40), let start = self.bytes.littleEndian64(record + 48) else {
            return nil
        }
        return (size, start, record)
    }

    private mutating func readEntry(_ position: Int, shift: Int) -> Int? {
        guard let flags = self.bytes.littleEndian16(position + 8), let method = self.bytes.littleEndian16(position + 10),
            let compressed = self.bytes.littleEndian32(position + 20), let size = self.bytes.littleEndian32(position + 24),
            let nameLength = self.bytes.littleEndian16(position + 28), let extra = self.bytes.littleEndian16(position + 30),
            let comment = self.bytes.littleEndian16(position + 32), let offset = self.bytes.littleEndian32(position + 42)
        else { return nil }
        let nameStart = position + 46
        guard nameStart + nameLength <= self.bytes.count else { return nil }
        var member = Member(
            name: [UInt8](self.bytes[nameStart..<(nameStart + nameLength)]),
            isEncrypted: flags & 1 != 0,
            method: method,
            compressedSize: compressed,
            size: size,
            offset: offset
        )
        self.readLargeNumbers(nameStart + nameLength, extra, into: &member)
        // AES (method 99) hides the method that was used.
        if method == 99 { member.isEncrypted = true }
        member.offset += shift
        self.members.append(member)
        return nameStart + nameLength + extra + comment
    }

    /// The extra field of zip64 (APPNOTE §4.5.3): only the numbers that do not fit are in it, in this order.
    private func readLargeNumbers(_ start: Int, _ length: Int, into member: inout Member) {
        var position = start
        let end = min(start + length, self.bytes.count)
        while position + 4 <= end, let tag = self.bytes.littleEndian16(position),
            let size = self.bytes.littleEndian16(position + 2)
        {
            if tag == 1 {
                var place = position + 4
                if member.size == 0xffff_ffff, let value = self.bytes.littleEndian64(place) {
                    member.size = value
                    place += 8
                }
                if member.compressedSize == 0xffff_ffff, let value = self.bytes.littleEndian64(place) {
                    member.compressedSize = value
                    place += 8
                }
                if member.offset == 0xffff_ffff, let value = self.bytes.littleEndian64(place) { member.offset = value }
                return
            }
            position += 4 + size
        }
    }

    /// Local headers (APPNOTE §4.3.7), each looked for behind the one before.
    private mutating func findMembers() {
        var position = 0
        while let header = self.bytes.range(of: Self.localHeader, from: position)?.lowerBound {
            position = header + 4
            guard let flags = self.bytes.littleEndian16(header + 6), let method = self.bytes.littleEndian16(header + 8),
                let compressed = self.bytes.littleEndian32(header + 18), let size = self.bytes.littleEndian32(header + 22),
                let nameLength = self.bytes.littleEndian16(header + 26), let extra = self.bytes.littleEndian16(header + 28),
                nameLength > 0, header + 30 + nameLength <= self.bytes.count
            else { continue }
            guard self.members.count < self.maximumMembers else {
                self.isCut = true
                return
            }
            self.members.append(
                Member(
                    name: [UInt8](self.bytes[(header + 30)..<(header + 30 + nameLength)]),
                    isEncrypted: flags & 1 != 0 || method == 99,
                    method: method,
                    compressedSize: compressed,
                    size: size,
                    offset: header
                )
            )
            let body = header + 30 + nameLength + extra
            // With bit 3 the sizes stand behind the data.
            position = flags & 8 == 0 && body + compressed <= self.bytes.count ? body + compressed : min(body, self.bytes.count)
        }
    }
}
