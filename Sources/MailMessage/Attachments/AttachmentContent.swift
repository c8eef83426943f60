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

    /// What it really is (`ContentKind`); office documents that are zip files have types of their own.
    package var kind: String?
    package var members: [Member] = []
    /// Not all that is inside was looked at: a bound was reached.
    package var isCut = false

    package var isEncrypted: Bool { self.members.contains(where: \.isEncrypted) }

    /// Archives inside archives that are opened.
    package static let maximumDepth = 3
    /// Members of one attachment that are listed.
    package static let maximumMembers = 1_000
    /// Octets that are unpacked of one attachment in all.
    package static let maximumUnpacked = 32 * 1_024 * 1_024

    package init(_ bytes: [UInt8]) {
        var budget = Self.maximumUnpacked
        self.kind = ContentKind.detect(bytes[...])
        self.look(into: bytes, kind: self.kind, path: [], depth: 1, &budget)
        if self.kind == "application/zip" { self.kind = self.officeKind ?? self.kind }
    }

    private mutating func look(into bytes: [UInt8], kind: String?, path: [UInt8], depth: Int, _ budget: inout Int) {
        switch kind {
        case "application/zip": self.listZip(bytes, path, depth, &budget)
        case "application/gzip": self.listGzip(bytes, path, depth, &budget)
        default: break
        }
    }

    private mutating func listZip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int, _ budget: inout Int) {
        guard let archive = ZipArchive(bytes) else { return }
        self.isCut = self.isCut || archive.isCut
        for entry in archive.members where !entry.isDirectory {
            var member = Member(path: path + entry.name, kind: nil, isEncrypted: entry.isEncrypted)
            let head = archive.content(of: entry, limit: min(ContentKind.prefixLength, budget))?.bytes ?? []
            budget -= head.count
            member.kind = ContentKind.detect(head[...])
            guard self.add(member, budget) else { return }
            guard member.kind == "application/zip" || member.kind == "application/gzip" else { continue }
            guard depth < Self.maximumDepth, let content = archive.content(of: entry, limit: budget) else {
                self.isCut = true
                continue
            }
            budget -= content.bytes.count
            if !content.isWhole { self.isCut = true }
            self.look(into: content.bytes, kind: member.kind, path: member.path + [0x2f], depth: depth + 1, &budget)
        }
    }

    /// The one file in it; its name is in the header where the flag says so (RFC 1952 §2.3.1).
    private mutating func listGzip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int, _ budget: inout Int) {
        let result = Inflation.inflate(bytes, 0..<bytes.count, .gzip, limit: min(ContentKind.prefixLength, max(budget, 0)))
        budget -= result.bytes.count
        var name: ArraySlice<UInt8> = []
        if bytes.count > 10, bytes[3] & 0x0c == 0x08 { name = bytes[10...].prefix { $0 != 0 }.prefix(1_024) }
        _ = self.add(Member(path: path + name, kind: ContentKind.detect(result.bytes[...]), isEncrypted: false), budget)
    }

    /// - Returns: whether there is room for more.
    private mutating func add(_ member: Member, _ budget: Int) -> Bool {
        guard self.members.count < Self.maximumMembers, budget > 0 else {
            self.isCut = true
            return false
        }
        self.members.append(member)
        return true
    }

    /// Office documents (ECMA-376) and programs of Java and Android by the files that they must have.
    private var officeKind: String? {
        func has(_ name: String) -> Bool { self.members.contains { $0.path.starts(with: name.utf8) } }
        if has("[Content_Types].xml") {
            let format = "application/vnd.openxmlformats-officedocument."
            if has("word/") { return format + "wordprocessingml.document" }
            if has("xl/") { return format + "spreadsheetml.sheet" }
            if has("ppt/") { return format + "presentationml.presentation" }
        }
        if has("AndroidManifest.xml") { return "application/vnd.android.package-archive" }
        return has("META-INF/MANIFEST.MF") ? "application/java-archive" : nil
    }
}
