import DeflateKit
import MailTypes

/// What archives in a message are like, measured and not believed: how many members, how large unpacked, how deep, and whether
/// all programs would see the same. A survey goes on over all attachments of a message, so that its bounds are the message's.
package struct ArchiveSurvey {
    /// A limit that was passed, or something that is wrong, with the archive and the member.
    package struct Remark: Hashable, Sendable {
        package enum Kind: String, Hashable, Sendable, CaseIterable {
            case tooManyMembers
            case ratio
            case tooLarge
            case tooDeep
            case encrypted
            case inconsistent
        }

        package var kind: Kind
        package var detail: String
    }

    /// The first of each kind.
    package private(set) var remarks: [Remark] = []
    /// Names of members with the archives around them, and what they are.
    package private(set) var members: [(path: [UInt8], kind: String?)] = []

    private let limits: ArchiveLimits
    /// Octets that came out of all archives so far, or would.
    package var unpackedOctets: Int { self.unpacked }
    private var unpacked = 0
    private var count = 0

    /// Octets unpacked from which a ratio counts: what is small is no bomb, however well it packs.
    private static let ratioFloor = 10 * 1_048_576
    /// Characters of a name that are told.
    private static let toldName = 80

    package init(_ limits: ArchiveLimits) {
        self.limits = limits
    }

    /// Whether a file of that kind is taken apart here.
    package static func isArchive(_ kind: String?) -> Bool {
        kind == ContentKind.zip || kind == ContentKind.gzip || kind == ContentKind.tar
    }

    /// - Parameter name: of the attachment, for the remarks.
    package mutating func add(_ bytes: [UInt8], name: [UInt8]) {
        let before = self.unpacked
        self.count = 0
        self.look(into: bytes, kind: ContentKind.detect(bytes[...]), path: name, depth: 1)
        let made = self.unpacked - before
        if made > Self.ratioFloor, made / max(bytes.count, 1) > self.limits.maxRatio {
            self.note(.ratio, name, "\(made / max(bytes.count, 1)) octets for one, max_ratio \(self.limits.maxRatio)")
        }
    }

    private mutating func note(_ kind: Remark.Kind, _ path: [UInt8], _ what: String) {
        guard !self.remarks.contains(where: { $0.kind == kind }) else { return }
        let name = String(decoding: path.prefix(Self.toldName), as: UTF8.self)
        self.remarks.append(Remark(kind: kind, detail: name.isEmpty ? what : "\(name): \(what)"))
    }

    /// Nothing more is unpacked once the message is over its size.
    private var room: Int { self.limits.maxSize - self.unpacked }

    private mutating func look(into bytes: [UInt8], kind: String?, path: [UInt8], depth: Int) {
        guard Self.isArchive(kind) else { return }
        guard depth <= self.limits.maxDepth else {
            self.note(.tooDeep, path, "archives \(depth) deep, max_depth \(self.limits.maxDepth)")
            return
        }
        switch kind {
        case ContentKind.zip: self.lookIntoZip(bytes, path, depth)
        case ContentKind.gzip: self.lookIntoGzip(bytes, path, depth)
        default: self.lookIntoTar(bytes, path, depth)
        }
    }

    /// - Returns: false when there are too many.
    private mutating func enter(_ path: [UInt8], _ kind: String?) -> Bool {
        self.count += 1
        guard self.count <= self.limits.maxMembers else {
            self.note(.tooManyMembers, path, "more than max_members \(self.limits.maxMembers)")
            return false
        }
        self.members.append((path, kind))
        return true
    }

    /// - Returns: false when it is too much.
    private mutating func grow(_ count: Int, _ path: [UInt8]) -> Bool {
        self.unpacked += count
        guard self.unpacked <= self.limits.maxSize else {
            self.note(.tooLarge, path, "more than max_size \(self.limits.maxSize) octets unpacked")
            return false
        }
        return true
    }

    private mutating func lookIntoZip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int) {
        guard let archive = ZipArchive(bytes, maximumMembers: self.limits.maxMembers + 1) else { return }
        if let found = archive.inconsistency() {
            self.note(.inconsistent, found.member.isEmpty ? path : path + [0x2f] + found.member, found.reason)
        }
        for entry in archive.members where !entry.isDirectory {
            let inner = path + [0x2f] + entry.name
            if entry.isEncrypted { self.note(.encrypted, inner, "it takes a password") }
            let head = archive.content(of: entry, limit: ContentKind.prefixLength)?.bytes ?? []
            let kind = ContentKind.detect(head[...])
            guard self.enter(inner, kind) else { return }
            if Self.isArchive(kind), let content = archive.content(of: entry, limit: self.room + 1) {
                guard self.grow(content.bytes.count, inner) else { return }
                self.look(into: content.bytes, kind: kind, path: inner, depth: depth + 1)
            } else {
                // What cannot be unpacked here counts as it says.
                let size = archive.unpackedSize(of: entry, limit: self.room + 1) ?? min(entry.size, self.limits.maxSize + 1)
                guard self.grow(size, inner) else { return }
            }
            guard self.room > 0 else { return }
        }
    }

    private mutating func lookIntoGzip(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int) {
        let whole = 0..<bytes.count
        let head = Inflation.inflate(bytes, whole, .gzip, limit: ContentKind.prefixLength)
        let kind = ContentKind.detect(head.bytes[...])
        guard self.enter(path, kind) else { return }
        if Self.isArchive(kind) {
            let content = Inflation.inflate(bytes, whole, .gzip, limit: self.room + 1).bytes
            guard self.grow(content.count, path) else { return }
            // A tar file in gzip is one archive for everybody.
            self.look(into: content, kind: kind, path: path, depth: kind == ContentKind.tar ? depth : depth + 1)
        } else {
            _ = self.grow(Inflation.measure(bytes, whole, .gzip, limit: self.room + 1).count, path)
        }
    }

    private mutating func lookIntoTar(_ bytes: [UInt8], _ path: [UInt8], _ depth: Int) {
        var archive = TarReader(bytes)
        while let entry = archive.next() {
            let inner = path + [0x2f] + entry.name
            let kind = ContentKind.detect(bytes[entry.content])
            guard self.enter(inner, kind), self.grow(entry.content.count, inner) else { return }
            self.look(into: Self.isArchive(kind) ? [UInt8](bytes[entry.content]) : [], kind: kind, path: inner, depth: depth + 1)
        }
    }
}
