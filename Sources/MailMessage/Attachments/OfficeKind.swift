/// What a file is that is made of files, told by those that it must have.
struct OfficeKind {
    var type: String
    /// It takes a password to read it.
    var isEncrypted = false

    /// Documents of XML (ECMA-376, ODF 1.3), with the types of those with macros where there is a project; programs of Java
    /// and Android.
    init?(_ archive: ZipArchive) {
        func has(_ name: String) -> Bool { archive.members.contains { $0.name.elementsEqual(name.utf8) } }
        if has("[Content_Types].xml"), let type = Self.openXML(archive) {
            self.type = type
        } else if let type = Self.openDocument(archive) {
            self.type = type
        } else if has("AndroidManifest.xml") {
            self.type = "application/vnd.android.package-archive"
        } else if has("META-INF/MANIFEST.MF") {
            self.type = "application/java-archive"
        } else {
            return nil
        }
    }

    private static func openXML(_ archive: ZipArchive) -> String? {
        let project = Array("vbaproject.bin".utf8)
        let hasMacros = archive.members.contains { $0.name.suffix(project.count).map(\.lowercased) == project }
        for (folder, plain, withMacros) in [
            ("word/", "wordprocessingml.document", "ms-word.document"), ("xl/", "spreadsheetml.sheet", "ms-excel.sheet"),
            ("ppt/", "presentationml.presentation", "ms-powerpoint.presentation"),
        ] where archive.members.contains(where: { $0.name.starts(with: folder.utf8) }) {
            if hasMacros { return "application/vnd.\(withMacros).macroEnabled.12" }
            return "application/vnd.openxmlformats-officedocument.\(plain)"
        }
        return nil
    }

    /// Its type is the content of its first member (ODF 1.3 part 2, §3.3).
    private static func openDocument(_ archive: ZipArchive) -> String? {
        guard let member = archive.members.first(where: { $0.name.elementsEqual("mimetype".utf8) }) else { return nil }
        let text = archive.content(of: member, limit: self.maximumType)?.bytes.trimmed() ?? []
        guard text.starts(with: "application/vnd.oasis.opendocument.".utf8) else { return nil }
        guard text.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        return text.lowercasedASCII().text
    }

    /// Octets of a media type.
    private static let maximumType = 100

    /// Documents of Office until 2003, encrypted ones of today ([MS-OFFCRYPTO] §2.3.4), mails and installers, by their
    /// streams.
    init?(_ file: CompoundFile?) {
        guard let file else { return nil }
        let streams = Set(file.entries.map { $0.path.lowercased() })
        if streams.contains("encryptedpackage") {
            self.type = ContentKind.compound
            self.isEncrypted = true
        } else if streams.contains("worddocument") {
            self.type = "application/msword"
            self.isEncrypted = Self.isEncryptedWord(file)
        } else if streams.contains("workbook") || streams.contains("book") {
            self.type = "application/vnd.ms-excel"
            self.isEncrypted = Self.isEncryptedExcel(file)
        } else if streams.contains("powerpoint document") {
            self.type = "application/vnd.ms-powerpoint"
            self.isEncrypted = streams.contains("encryptedsummary")
        } else if streams.contains("__properties_version1.0") {
            self.type = "application/vnd.ms-outlook"
        } else if streams.contains(where: Self.isTable) {
            self.type = "application/x-msi"
        } else {
            return nil
        }
    }

    /// The flag in the file information block ([MS-DOC] §2.5.2).
    private static func isEncryptedWord(_ file: CompoundFile) -> Bool {
        guard let entry = file.entry("WordDocument") else { return false }
        return (file.content(of: entry, limit: 12).littleEndian16(10) ?? 0) & 0x0100 != 0
    }

    /// A FilePass record ([MS-XLS] §2.4.117) behind the first one.
    private static func isEncryptedExcel(_ file: CompoundFile) -> Bool {
        guard let entry = file.entry("Workbook") ?? file.entry("Book") else { return false }
        let stream = file.content(of: entry, limit: 512)
        guard let length = stream.littleEndian16(2) else { return false }
        return stream.littleEndian16(4 + length) == 0x002f
    }

    /// An installer packs two letters of its tables' names into one character of this range.
    private static func isTable(_ name: String) -> Bool {
        name.unicodeScalars.first.map { (0x3800...0x4840).contains($0.value) } ?? false
    }
}
