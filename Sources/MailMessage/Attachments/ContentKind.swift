/// What a file really is, told by its first octets and not by what its sender says: a media type, `application/x-…` where none is
/// registered.
package enum ContentKind {
    /// Octets of a file that are looked at.
    package static let prefixLength = 1_024

    /// Files that hold files, which are listed.
    static let zip = "application/zip"
    static let gzip = "application/gzip"
    static let tar = "application/x-tar"
    static let compound = "application/x-ole-storage"

    /// Where a disk image says that it is one (ECMA-119 §8.1: the first volume descriptor is sector 16), far behind the rest.
    private static let imageMark = (offset: 32_769, octets: Array("CD001".utf8))

    /// nil when nothing known is recognised.
    package static func detect(_ bytes: ArraySlice<UInt8>) -> String? {
        let head = Array(bytes.prefix(self.prefixLength))
        if bytes.dropFirst(self.imageMark.offset).starts(with: self.imageMark.octets) { return "application/x-iso9660-image" }
        if let known = self.signatures.first(where: { head.has($0.octets, at: $0.offset) }) { return known.type }
        return self.text(head)
    }

    private struct Signature {
        var offset: Int
        var octets: [UInt8]
        var type: String

        init(_ octets: [UInt8], _ type: String, at offset: Int = 0) {
            self.octets = octets
            self.type = type
            self.offset = offset
        }

        init(_ text: String, _ type: String, at offset: Int = 0) {
            self.init(Array(text.utf8), type, at: offset)
        }
    }

    /// The first that fits counts: longer ones stand before those that they begin with.
    private static let signatures: [Signature] = [
        // Programs
        Signature("MZ", "application/x-msdownload"),
        Signature([0x7f, 0x45, 0x4c, 0x46], "application/x-elf"),
        Signature([0xcf, 0xfa, 0xed, 0xfe], "application/x-mach-binary"),
        Signature([0xce, 0xfa, 0xed, 0xfe], "application/x-mach-binary"),
        // Programs for several processors, of which there are few; a class file has its version there.
        Signature([0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1], "application/x-mach-binary"),
        Signature([0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2], "application/x-mach-binary"),
        Signature([0xca, 0xfe, 0xba, 0xbe], "application/java-vm"),
        Signature([0x00, 0x61, 0x73, 0x6d], "application/wasm"),
        // Shortcuts: HeaderSize and the class identifier ([MS-SHLLINK] §2.1)
        Signature([0x4c, 0, 0, 0, 0x01, 0x14, 0x02, 0, 0, 0, 0, 0, 0xc0], "application/x-ms-shortcut"),
        // Archives and disk images
        Signature([0x50, 0x4b, 0x03, 0x04], Self.zip),
        Signature([0x50, 0x4b, 0x05, 0x06], Self.zip),
        Signature("Rar!\u{1a}\u{07}", "application/vnd.rar"),
        Signature([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "application/x-7z-compressed"),
        Signature([0x1f, 0x8b], Self.gzip),
        Signature("BZh", "application/x-bzip2"),
        Signature([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "application/x-xz"),
        Signature([0x28, 0xb5, 0x2f, 0xfd], "application/zstd"),
        Signature("MSCF", "application/vnd.ms-cab-compressed"),
        Signature("**ACE**", "application/x-ace-compressed", at: 7),
        Signature([0x60, 0xea], "application/x-arj"),
        Signature("-lh", "application/x-lzh-compressed", at: 2),
        Signature("ustar", Self.tar, at: 257),
        Signature("vhdxfile", "application/x-vhdx"),
        Signature("conectix", "application/x-vhd"),
        Signature("ITSF", "application/vnd.ms-htmlhelp"),
        // Documents
        Signature([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], Self.compound),
        Signature([0xe4, 0x52, 0x5c, 0x7b, 0x8c, 0xd8, 0xa7, 0x4d], "application/onenote"),
        Signature("%PDF-", "application/pdf"),
        Signature("{\\rt", "application/rtf"),
        Signature("%!PS", "application/postscript"),
        // Pictures and sounds
        Signature([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], "image/png"),
        Signature([0xff, 0xd8, 0xff], "image/jpeg"),
        Signature("GIF8", "image/gif"),
        // Their size stands before the four zeros.
        Signature([0, 0, 0, 0, 0x36, 0, 0, 0, 0x28, 0, 0, 0], "image/bmp", at: 6),
        Signature([0x49, 0x49, 0x2a, 0], "image/tiff"),
        Signature([0x4d, 0x4d, 0, 0x2a], "image/tiff"),
        Signature("WEBP", "image/webp", at: 8),
        Signature("ID3", "audio/mpeg"),
        Signature("OggS", "application/ogg"),
        Signature("ftyp", "video/mp4", at: 4),
        Signature("SQLite format 3", "application/vnd.sqlite3"),
    ]

    // MARK: - Text

    /// Beginnings of text that a reader's program acts on; white space and a byte order mark before them do not count.
    private static let beginnings: [(octets: [UInt8], type: String)] = [
        ("#!", "text/x-shellscript"),
        ("<!doctype html", "text/html"), ("<html", "text/html"), ("<head", "text/html"), ("<script", "text/html"),
        ("<svg", "image/svg+xml"), ("<hta:", "application/hta"),
        ("@echo", "application/x-bat"), ("[internetshortcut]", "application/x-mswinurl"),
        ("begin:vcalendar", "text/calendar"), ("begin:vcard", "text/vcard"),
        ("-----begin pgp", "application/pgp-encrypted"), ("-----begin certificate", "application/x-pem-file"),
    ].map { (Array($0.utf8), $1) }

    private static func text(_ head: [UInt8]) -> String? {
        var start = head.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        while start < head.count, head[start].isSpace { start += 1 }
        if let found = self.beginnings.first(where: { head.hasPrefix($0.octets, at: start) }) { return found.type }
        guard head.hasPrefix(Array("<?xml".utf8), at: start) else { return nil }
        // What the document is stands in its first element.
        let lower = head.lowercasedASCII()
        if lower.range(of: Array("<svg".utf8), from: start) != nil { return "image/svg+xml" }
        if lower.range(of: Array("<html".utf8), from: start) != nil { return "text/html" }
        return "application/xml"
    }
}
