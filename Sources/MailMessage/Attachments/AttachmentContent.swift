import DeflateKit

/// What an attachment holds, whatever its name and its declared type say.
package struct AttachmentContent: Hashable, Sendable {
    /// A file inside an archive.
    package struct Member: Hashable, Sendable {
        /// With the names of the archives around it: `outer.zip/invoice.pdf.exe`.
        package var path: [UInt8]
        /// As `AttachmentContent.kind`; nil also for what cannot be unpacked.
        package var kind: String?
        package var isEncrypted: Bool
    }

    /// What it really is (`ContentKind`); office documents have types of their own.
    package var kind: String?
    package var members: [Member] = []
    /// Not all that is inside was looked at: a bound was reached.
    package var isCut = false

    /// A member takes a password, or the document itself or one inside.
    package var isEncrypted: Bool { self.hasEncryptedDocument || self.members.contains(where: \.isEncrypted) }
    private var hasEncryptedDocument = false

    /// Archives inside archives that are opened.
    package static let maximumDepth = 3
    /// Members of one attachment that are listed.
    package static let maximumMembers = 1_000
    /// Octets that are unpacked of one attachment in all.
    package static let maximumUnpacked = 32 * 1_024 * 1_024

    package init(_ bytes: [UInt8]) {
        var budget = Self.maximumUnpacked
        self.kind = self.look(into: bytes, kind: ContentKind.detect(bytes[...]), path: [], depth: 1, &budget)
    }

    /// Lists what is inside.
    /// - Returns: what it is, told by that.
    private mutating func look(
        into bytes: [UInt8],
        kind: String?,
        path: [UInt8],
        depth: Int,
        _ budget: inout Int
    ) -> String? {
        switch kind {
        case ContentKind.zip: return self.listZip(bytes, path, depth, &budget)
        case ContentKind.gzip: self.listGzip(bytes, path, depth, &budget)
        case ContentKind.tar: self.listTar(bytes, path, depth, &budget)
        case ContentKind.compound:
            guard let document = OfficeKind(CompoundFile(bytes)) else { return kind }
            if document.isEncrypted { self.hasEncryptedDocument = true }
            return document.type
        default: break
        }
        return kind
    }

    private mutating func listZip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int, _ budget: inout Int) -> String? {
        guard let archive = ZipArchive(bytes) else { return ContentKind.zip }
        self.isCut = self.isCut || archive.isCut
        for entry in archive.members where !entry.isDirectory {
            let head = archive.content(of: entry, limit: min(ContentKind.prefixLength, budget))?.bytes ?? []
            budget -= head.count
            let kind = ContentKind.detect(head[...])
            let member = Member(path: path + entry.name, kind: kind, isEncrypted: entry.isEncrypted)
            guard let place = self.add(member, budget) else { break }
            guard Self.isContainer(kind) else { continue }
            guard depth < Self.maximumDepth, let content = archive.content(of: entry, limit: budget) else {
                self.isCut = true
                continue
            }
            budget -= content.bytes.count
            if !content.isWhole { self.isCut = true }
            let inner = self.look(into: content.bytes, kind: kind, path: member.path + [0x2f], depth: depth + 1, &budget)
            self.members[place].kind = inner
        }
        return OfficeKind(archive)?.type ?? ContentKind.zip
    }

    /// The one file in it; its name is in the header where the flag says so (RFC 1952 §2.3.1).
    private mutating func listGzip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int, _ budget: inout Int) {
        let head = Inflation.inflate(bytes, 0..<bytes.count, .gzip, limit: min(ContentKind.prefixLength, budget))
        budget -= head.bytes.count
        var name: ArraySlice<UInt8> = []
        if bytes.count > 10, bytes[3] & 0x0c == 0x08 { name = bytes[10...].prefix { $0 != 0 }.prefix(Self.maximumName) }
        let kind = ContentKind.detect(head.bytes[...])
        guard let place = self.add(Member(path: path + name, kind: kind, isEncrypted: false), budget) else { return }
        guard Self.isContainer(kind) else { return }
        guard depth < Self.maximumDepth else {
            self.isCut = true
            return
        }
        let whole = Inflation.inflate(bytes, 0..<bytes.count, .gzip, limit: budget)
        budget -= whole.bytes.count
        if whole.outcome != .complete { self.isCut = true }
        let inner = path + name + (name.isEmpty ? [] : [0x2f])
        self.members[place].kind = self.look(into: whole.bytes, kind: kind, path: inner, depth: depth + 1, &budget)
    }

    /// Octets of a name in a gzip header that are kept.
    private static let maximumName = 1_024

    private mutating func listTar(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int, _ budget: inout Int) {
        var archive = TarReader(bytes)
        while let entry = archive.next() {
            let kind = ContentKind.detect(bytes[entry.content])
            let member = Member(path: path + entry.name, kind: kind, isEncrypted: false)
            guard let place = self.add(member, budget) else { return }
            guard Self.isContainer(kind) else { continue }
            guard depth < Self.maximumDepth, entry.content.count <= budget else {
                self.isCut = true
                continue
            }
            budget -= entry.content.count
            let content = [UInt8](bytes[entry.content])
            self.members[place].kind = self.look(into: content, kind: kind, path: member.path + [0x2f], depth: depth + 1, &budget)
        }
        if archive.isBroken { self.isCut = true }
    }

    private static func isContainer(_ kind: String?) -> Bool {
        kind == ContentKind.zip || kind == ContentKind.gzip || kind == ContentKind.tar || kind == ContentKind.compound
    }

    /// - Returns: where it stands; nil where there is no room for more.
    private mutating func add(_ member: Member, _ budget: Int) -> Int? {
        guard self.members.count < Self.maximumMembers, budget > 0 else {
            self.isCut = true
            return nil
        }
        self.members.append(member)
        return self.members.count - 1
    }
}
