import MailMessage

/// Attachments that can be run, and names that do not fit what they are said to be (SpamAssassin's AntiVirus).
enum AntiVirusFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("check_microsoft_executable", plugin: "AntiVirus") { _ in
            { EvalOutcome($0.facts(SuspectParts.init).hasExecutable) }
        },
        EvalFunction("check_suspect_name", plugin: "AntiVirus") { _ in { EvalOutcome($0.facts(SuspectParts.init).hasSuspectName) }
        },
    ]
}

struct SuspectParts {
    private(set) var hasExecutable = false
    private(set) var hasSuspectName = false

    init(_ context: EvalContext) {
        for part in context.filterMessage.leaves {
            let content = FilterContentType(part.contentType)
            let name = (content.name ?? []).map(\.lowercased)
            let type = content.type.map(\.lowercased)
            let ending = String(
                decoding: name.lastIndex(of: UInt8(ascii: ".")).map { name[($0 + 1)...] } ?? name[...],
                as: UTF8.self
            )
            if Self.isExecutable(part, name, ending, type) { self.hasExecutable = true }
            if !name.isEmpty, Self.isSuspect(ending, String(decoding: type, as: UTF8.self)) { self.hasSuspectName = true }
        }
    }

    // MARK: - Executables

    private static let endings = Set(
        """
        ade adp asx bas bat chm cmd com cpl crt dll exe hlp hta inf ins isp js jse lnk mda mdb mde mdt mdw mdz msc msi msp mst \
        nws ops pcd pif prf reg scf scr scr? sct shb shs shm swf url vb vbe vbs vbx vxd wsc wsf wsh
        """.split(separator: " ").map(String.init)
    )

    private static func isExecutable(_ part: FilterPart, _ name: [UInt8], _ ending: String, _ type: [UInt8]) -> Bool {
        if name.contains(UInt8(ascii: ".")), self.endings.contains(ending) { return true }
        if LinkText.find("base64", in: part.encoding, from: 0) != nil, self.isPortableExecutable(part.raw) { return true }
        guard type.starts(with: "text".utf8), type.dropFirst(4).first?.isWord != true else { return false }
        return self.hasUuencodedExecutable(part.raw)
    }

    private static let executable = Self.form(["T", "V", "opqr", "", "A", "", "", "AB", "", "AQgw", "ABCDEFGH", "", "A"])
    private static let uuencodedExecutable = Self.form(["M", "3", "5", "GHIJK", "", "`", "", "", "`", ""])

    private static func form(_ octets: [String]) -> [[UInt8]] { octets.map { Array($0.utf8) } }

    /// `MZ` and what follows it in the usual header, in base64.
    private static func isPortableExecutable(_ raw: [UInt8]) -> Bool {
        self.matches(raw[...], self.executable)
    }

    private static func hasUuencodedExecutable(_ raw: [UInt8]) -> Bool {
        var start = 0
        while start < raw.count {
            let line = raw[start..<(raw[start...].firstIndex(of: 0x0a) ?? raw.count)]
            if self.matches(line, self.uuencodedExecutable),
                LinkText.find("````", in: Array(line.dropFirst(self.uuencodedExecutable.count)), from: 0) != nil
            {
                return true
            }
            start = line.endIndex + 1
        }
        return false
    }

    /// Octet by octet: one of those named, or any where none are.
    private static func matches(_ text: ArraySlice<UInt8>, _ form: [[UInt8]]) -> Bool {
        text.count >= form.count && zip(text, form).allSatisfy { $1.isEmpty ? $0 != 0x0a : $1.contains($0) }
    }

    // MARK: - Names

    private static func isSuspect(_ ending: String, _ type: String) -> Bool {
        guard type != "application/octet-stream" else { return false }
        let type = self.plain(type)
        switch ending {
        case "txt", "htm", "html", "phtm", "phtml", "xhtm", "xhtml", "xml":
            return !self.texts.contains(where: type.hasPrefix)
        case "jpg", "jpeg", "tif", "tiff", "gif", "png":
            return !type.hasPrefix("image/") && !type.hasPrefix("application/mac-binhex")
        case "vcf": return type != "text/vcard"
        case "bat", "com", "exe", "pif", "scr", "swf", "vbs": return !type.hasPrefix("application/")
        case "doc": return !type.hasPrefix("application/") || !type.hasSuffix("word")
        case "ppt": return !type.hasPrefix("application/") || !(type.hasSuffix("powerpoint") || type.hasSuffix("ppt"))
        case "xls": return !type.hasPrefix("application/") || !type.hasSuffix("excel")
        default: return false
        }
    }

    private static let texts = [
        "text/plain", "text/htm", "text/phtm", "text/xhtm", "text/english", "text/sgml", "text/xml", "text/enriched",
        "text/richtext", "message/external-body",
    ]

    /// Without `x-` or `vnd.` in front of the subtype.
    private static func plain(_ type: String) -> String {
        for mark in ["/x-", "/vnd."] {
            guard let slash = type.firstIndex(of: "/"), type[slash...].hasPrefix(mark) else { continue }
            return String(type[...slash]) + type[slash...].dropFirst(mark.count)
        }
        return type
    }
}
