import MailMessage
import PatternKit

/// What the Office documents of a message hold that could do harm. Both are looked at: the marks in the bytes that
/// SpamAssassin's `OLEVBMacro` goes by, and the documents' structure, which marks can neither feign nor hide.
struct OLEMacroFacts {
    private(set) var hasMacro = false
    private(set) var hasObject = false
    private(set) var hasRichTextObject = false
    /// Something in the macros runs when the document is opened.
    private(set) var runsByItself = false
    private(set) var isEncrypted = false
    private(set) var isRenamed = false
    private(set) var hasEncryptedMember = false
    private(set) var hasCommandInTable = false
    private(set) var fetchesProgram = false
    /// Links that the document follows by itself.
    private(set) var links: Set<[UInt8]> = []
    private(set) var webArchiveLinks: Set<[UInt8]> = []

    private let settings: OLEMacroSettings
    private let matcher: PatternMatcher
    /// Octets that may still be decompressed.
    private var budget = Self.maximumWork

    /// Octets of a member that are decompressed, and of all members of a message.
    private static let maximumMember = 8_000_000
    private static let maximumWork = 64_000_000
    private static let maximumLinks = 10
    private static let maximumWebArchiveLinks = 5

    init(_ message: FilterMessage, _ settings: OLEMacroSettings, _ matcher: PatternMatcher) {
        self.settings = settings
        self.matcher = matcher
        var looked = 0
        for part in message.leaves where !self.matches(settings.skippedTypes, part.type) {
            guard let name = self.name(of: part), !name.isEmpty, !self.matches(settings.skippedNames, name) else { continue }
            let content = Array(part.decoded().prefix(settings.maximumSize))
            guard !content.isEmpty, self.look(name, content, depth: 0) else { continue }
            looked += 1
            if looked >= settings.maximumParts { break }
        }
    }

    private func matches(_ pattern: Pattern?, _ text: [UInt8]) -> Bool {
        pattern.map { self.matcher.matches($0, text) } ?? false
    }

    /// Of a part in base64 or quoted-printable that has a type.
    private func name(of part: FilterPart) -> [UInt8]? {
        guard let type = part.contentType, Marks.encodings.contains(part.encoding) else { return nil }
        let inType = self.value(Marks.name, type)
        let inDisposition = self.value(Marks.fileName, part.contentDisposition ?? [])
        if inDisposition.isEmpty { return inType }
        return inType.isEmpty || self.settings.prefersDisposition ? inDisposition : inType
    }

    private func value(_ pattern: Pattern?, _ field: [UInt8]) -> [UInt8] {
        guard let pattern, case .match = self.matcher.search(pattern, in: field), let range = self.matcher.capture(1) else {
            return []
        }
        var value = Array(field[range])
        while let last = value.last, last.isSpaceOctet { value.removeLast() }
        return value
    }

    /// - Returns: whether it was something to look into.
    private mutating func look(_ name: [UInt8], _ content: [UInt8], depth: Int) -> Bool {
        if Self.hasEnding(name, ".csv") { self.lookForCommand(content) }
        if self.matches(self.settings.zips, name) {
            self.lookIntoZip(name, content, depth: depth)
        } else if self.matches(self.settings.macroDocuments, name) {
            self.hasMacro = true
            self.lookIntoDocument(name, content, isOld: false)
        } else if self.matches(self.settings.documents, name) {
            self.lookIntoDocument(name, content, isOld: true)
        } else if self.settings.isExtended {
            if self.lookIntoUnknown(name, content) { self.isRenamed = true }
            self.lookIntoZip(name, content, depth: depth)
        } else {
            return false
        }
        return true
    }

    private static func hasEnding(_ name: [UInt8], _ ending: String) -> Bool {
        name.suffix(ending.utf8.count).map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }.elementsEqual(ending.utf8)
    }

    private mutating func lookForCommand(_ content: [UInt8]) {
        guard content.contains(Marks.command), self.matches(Marks.tableCommand, content) else { return }
        self.hasCommandInTable = true
    }

    private mutating func lookIntoDocument(_ name: [UInt8], _ content: [UInt8], isOld: Bool) {
        if Self.isEncryptedDocument(content) { self.isEncrypted = true }
        if isOld { _ = self.lookForMarks(content) }
        _ = self.lookIntoPackage(name, content)
        self.lookIntoProject(content)
        self.lookForDownload(content)
    }

    private mutating func lookIntoUnknown(_ name: [UInt8], _ content: [UInt8]) -> Bool {
        var isDocument = content.starts(with: Marks.compound)
        if Self.isEncryptedDocument(content) {
            self.isEncrypted = true
            isDocument = true
        }
        if self.lookForMarks(content) { isDocument = true }
        if self.lookIntoPackage(name, content) { isDocument = true }
        if isDocument {
            self.lookIntoProject(content)
            self.lookForDownload(content)
        }
        return isDocument
    }

    private mutating func lookForDownload(_ content: [UInt8]) {
        guard self.matches(Marks.program, content) || self.matches(self.settings.download, content) else { return }
        self.fetchesProgram = true
    }
}

// MARK: - Structure

extension OLEMacroFacts {
    /// The macros of a compound file, as its directory has them.
    private mutating func lookIntoProject(_ content: [UInt8]) {
        guard let file = CompoundFile(content) else { return }
        if file.entries.contains(where: { $0.path.hasSuffix("\u{1}Ole10Native") }) { self.hasObject = true }
        guard let project = VBAProject(file) else { return }
        self.hasMacro = true
        if project.runsByItself { self.runsByItself = true }
    }

    private mutating func content(of member: ZipArchive.Member, in zip: ZipArchive) -> [UInt8]? {
        guard self.budget > 0 else { return nil }
        let content = zip.content(of: member, limit: min(Self.maximumMember, self.budget))
        self.budget -= content?.bytes.count ?? 0
        return content?.bytes
    }

    private static func zip(_ name: [UInt8], _ content: [UInt8]) -> ZipArchive? {
        guard content.starts(with: [0x50, 0x4b]) || self.hasEnding(name, ".zip") else { return nil }
        guard let zip = ZipArchive(content), !zip.isWithoutDirectory else { return nil }
        return zip
    }

    private mutating func lookIntoZip(_ name: [UInt8], _ content: [UInt8], depth: Int) {
        guard self.settings.maximumMembers > 0, depth < self.settings.maximumDepth else { return }
        guard let zip = Self.zip(name, content) else { return }
        var looked = 0
        for member in zip.members where !self.matches(self.settings.skippedNames, member.name) {
            if member.isEncrypted {
                if self.matches(self.settings.macroDocuments, member.name) { self.hasMacro = true }
                self.hasEncryptedMember = true
                continue
            }
            guard self.isOfInterest(member.name) else { continue }
            // A macro document by name is one even where it cannot be read.
            let content = self.content(of: member, in: zip) ?? []
            guard self.look(member.name, content, depth: depth + 1) else { continue }
            looked += 1
            if looked >= self.settings.maximumMembers { break }
        }
    }

    private func isOfInterest(_ name: [UInt8]) -> Bool {
        self.settings.isExtended || Self.hasEnding(name, ".csv")
            || [self.settings.zips, self.settings.macroDocuments, self.settings.documents].contains { self.matches($0, name) }
    }

    /// A document of today: a zip file of XML (ECMA-376).
    /// - Returns: whether it is one.
    private mutating func lookIntoPackage(_ name: [UInt8], _ content: [UInt8]) -> Bool {
        guard let zip = Self.zip(name, content) else { return false }
        var isDocument = false
        var hasProject = false
        for member in zip.members {
            let lower = String(decoding: member.name, as: UTF8.self).lowercased()
            if Marks.projects.contains(lower) || lower.hasSuffix("/vbaproject.bin") {
                isDocument = true
                hasProject = true
                self.hasMacro = true
            }
            if lower.hasPrefix("xl/embeddings/") {
                isDocument = true
                self.hasObject = true
            }
            if self.matches(Marks.richText, Array(lower.utf8)) {
                isDocument = true
                self.hasRichTextObject = true
            }
        }
        if let types = zip.members.first(where: { $0.name.elementsEqual("[Content_Types].xml".utf8) }) {
            isDocument = true
            if !self.hasMacro, let text = self.content(of: types, in: zip),
                Marks.macroTypes.contains(where: { self.matches($0, text) })
            {
                self.hasMacro = true
            }
        }
        for member in zip.members where member.name.contains(Marks.relations) {
            guard let text = self.content(of: member, in: zip), !text.isEmpty else { continue }
            isDocument = true
            self.readRelations(text)
        }
        if hasProject { self.lookIntoProjects(zip) }
        return isDocument
    }

    private mutating func lookIntoProjects(_ zip: ZipArchive) {
        for member in zip.members where member.name.contains(Marks.binary) && !self.runsByItself {
            guard let content = self.content(of: member, in: zip) else { continue }
            if self.matches(Marks.automatic, content) { self.runsByItself = true }
            self.lookIntoProject(content)
        }
    }

    /// Targets outside of the document.
    private mutating func readRelations(_ text: [UInt8]) {
        guard let relation = Marks.externalTarget else { return }
        var start = 0
        while start < text.count {
            let next = text.firstIndex(of: Marks.relationship, from: start + 1) ?? text.count
            let piece = Array(text[start..<next])
            start = next
            guard case .match = self.matcher.search(relation, in: piece), let range = self.matcher.capture(1) else { continue }
            var target = Array(piece[range])
            if Marks.webArchives.contains(where: { self.matches($0, target) }),
                self.webArchiveLinks.count < Self.maximumWebArchiveLinks
            {
                self.webArchiveLinks.insert(target)
            }
            if self.matches(Marks.webArchivePrefix, target) { target.removeFirst("mhtml:".utf8.count) }
            if self.matches(Marks.webLink, target), self.links.count < Self.maximumLinks { self.links.insert(target) }
        }
    }
}

// MARK: - Marks

extension OLEMacroFacts {
    /// - Returns: whether there are marks of macros or of an object.
    private mutating func lookForMarks(_ content: [UInt8]) -> Bool {
        guard Self.hasMarks(content) else { return false }
        self.hasMacro = true
        if self.matches(Marks.automatic, content) { self.runsByItself = true }
        return true
    }

    private static func hasMarks(_ content: [UInt8]) -> Bool {
        if content.starts(with: Marks.compound) { return content.contains(Marks.attribute) || content.contains(Marks.native) }
        return Marks.others.contains(where: content.contains)
    }

    private static func isEncryptedDocument(_ content: [UInt8]) -> Bool {
        guard content.starts(with: Marks.compound) else { return false }
        if Marks.encryption.map({ PatternMatcher().matches($0, content) }) ?? false { return true }
        let start = Array(content.prefix(2_000))
        if start.contains(Marks.encryptedPackage) || start.contains(Marks.spacedEncryptedPackage) { return true }
        if start.contains(Marks.workbook) { return false }
        return content.has(0xfe, at: 0x208) || content.has(0x2f, at: 0x214) || content.has(0x13, at: 0x20b)
    }

    private enum Marks {
        static let encodings = Set(["base64", "quoted-printable"].map { Array($0.utf8) })
        static let name = try? Pattern(#"name\s*=\s*["']?([^"';]*)"#, options: [.caseless, .dotAll])
        static let fileName = try? Pattern(#"filename\s*=\s*["']?([^"';]*)"#, options: [.caseless, .dotAll])
        static let command = Array("cmd.exe".utf8)
        static let tableCommand = try? Pattern(#"MSEXCEL\|.{1,20}Windows\\System32\\cmd\.exe"#)
        /// [MS-CFB] §2.2
        static let compound: [UInt8] = [0xd0, 0xcf, 0x11, 0xe0]
        /// `Attribut`, as compressed source begins with it.
        static let attribute: [UInt8] = [0] + Array("Attribut".utf8) + [0]
        /// `Ole10Na`, in UTF-16.
        static let native: [UInt8] = [1, 0] + wide("Ole10Na")
        static let others = [#"\objemb"#, #"\objdat"#, #"\ objdat"#, #"w:macrosPresent="yes""#, "vbaProject.bin.rels"]
            .map { Array($0.utf8) }
        static let automatic = try? Pattern("(?:document|auto|workbook)_?open", options: .caseless)
        static let encryption = try? Pattern("<encryption xmlns", options: .caseless)
        static let encryptedPackage = Array(wide("EncryptedPackage").dropLast())
        static let spacedEncryptedPackage = Array("E n c r y p t e d P a c k a g e".utf8)
        static let workbook = wide("Workbook")
        static let projects: Set<String> = [
            "word/vbaproject.bin", "macros/vba/_vba_project", "xl/vbaproject.bin", "_vba_project_cur/vba/_vba_project",
            "ppt/vbaproject.bin",
        ]
        static let richText = try? Pattern(#"^word/.{1,50}\.rtf\b"#)
        static let macroTypes = [
            #"ContentType=["']application/vnd\.ms-office\.vbaProject["']"#, "macroEnabled",
            #"application/vnd\.ms-excel\.(?:intl)?macrosheet"#,
        ].map { try? Pattern($0, options: .caseless) }
        static let relations = Array(".rels".utf8)
        static let relationship = Array("Relationship".utf8)
        static let binary = Array(".bin".utf8)
        static let externalTarget = try? Pattern(#"Target="([^"]*)".*?TargetMode="External""#, options: [.caseless, .dotAll])
        static let webArchives = [
            "^MHTML:&#x48;&#x54;&#x50;&#x3a;&#x5c;&#x5c;&#x31;&", "^mhtml:https?://",
        ].map { try? Pattern($0, options: .caseless) }
        static let webArchivePrefix = try? Pattern("^mhtml:", options: .caseless)
        static let webLink = try? Pattern("^https?://", options: .caseless)
        /// A link to a program between zeros.
        static let program = try? Pattern(
            #"\x00(https?://[-a-z0-9+&@#/%?=~_|!:,.;]{5,1000}[-a-z0-9+&@#/%=~_|]{5,1000}.(?:exe|cmd|bat))[\x06|\x00]"#,
            options: .caseless
        )

        private static func wide(_ text: String) -> [UInt8] { text.utf8.flatMap { [$0, 0] } }
    }
}

extension [UInt8] {
    fileprivate func has(_ octet: UInt8, at offset: Int) -> Bool { offset < self.count && self[offset] == octet }
}
