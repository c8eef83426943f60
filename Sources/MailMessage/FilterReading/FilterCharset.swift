import SystemKit

/// Text decoded as SpamAssassin decodes it with `normalize_charset 1`: what is UTF-8 is UTF-8 whatever it says it is, else
/// the declared character set counts when all of the text fits it, else windows-1252. Browsers decode differently
/// (`Charset`); rules are written against this.
enum FilterCharset {
    struct Text {
        /// In UTF-8.
        var bytes: [UInt8]
        /// The text went through a decoder. One that did not has octets only, for which NBSP is no white space.
        var isDecoded: Bool
    }

    /// Text of a part.
    /// - Parameter charset: as declared; nil without a declaration.
    static func decode(_ bytes: [UInt8], charset: [UInt8]?) -> Text {
        let declared = (charset ?? self.ascii).lowercasedASCII()
        let isASCII = bytes.isASCII
        if isASCII, self.isNamedASCII(declared) || self.extendsASCII(declared) { return Text(bytes: bytes, isDecoded: false) }
        if !isASCII, Charset.firstInvalid(bytes, from: 0) == nil { return Text(bytes: bytes, isDecoded: true) }
        if self.isUTF16(declared) {
            if let text = self.utf16(bytes) { return Text(bytes: text, isDecoded: true) }
        } else if let name = self.converter(declared), let text = self.convert(bytes, name, isExact: true) {
            return Text(bytes: text, isDecoded: true)
        }
        return isASCII ? Text(bytes: bytes, isDecoded: false) : Text(bytes: self.windows1252(bytes), isDecoded: true)
    }

    /// Text of an encoded word: the declared character set counts even where octets do not fit.
    static func decodeWord(_ bytes: [UInt8], charset: [UInt8]) -> [UInt8] {
        let declared = charset.lowercasedASCII()
        let isASCII = bytes.isASCII
        if isASCII, self.isNamedASCII(declared) || self.extendsASCII(declared) { return bytes }
        // UTF-16 is recognised and then left as it is.
        if self.isUTF16(declared) {
            if self.utf16(bytes) != nil { return bytes }
        } else if let name = self.converter(declared), let text = self.convert(bytes, name, isExact: false) {
            return text
        }
        return isASCII ? bytes : self.windows1252(bytes)
    }

    /// Octets of a header field outside of encoded words: UTF-8 (RFC 6532), else windows-1252.
    static func decodeHeader(_ bytes: [UInt8]) -> [UInt8] {
        bytes.isASCII || Charset.firstInvalid(bytes, from: 0) == nil ? bytes : self.windows1252(bytes)
    }

    // MARK: Names

    private static let ascii = [UInt8](ascii: "us-ascii")
    private static let utf16Names = ["utf16", "utf-16", "utf 16"].map { [UInt8](ascii: $0) }

    private static func isUTF16(_ name: [UInt8]) -> Bool { self.utf16Names.contains { name.starts(with: $0) } }

    private enum Converter {
        case ascii
        case utf8
        case windows1252
        case system(String)
    }

    /// US-ASCII under its own names; such text is never decoded.
    private static func isNamedASCII(_ name: [UInt8]) -> Bool { self.asciiNames.contains(name) }

    private static let asciiNames = Set(
        ["us-ascii", "ascii", "iso646-us"].map { [UInt8](ascii: $0) }
            + ["", " ", "_"].flatMap { gap in ["1968", "1986"].map { [UInt8](ascii: "ansi\(gap)x3.4-\($0)") } }
    )

    /// Names of sets in which octets of ASCII mean what they mean in ASCII; a text of nothing else is not decoded either.
    private static func extendsASCII(_ name: [UInt8]) -> Bool {
        for prefix in self.numberedExtensions where name.starts(with: prefix) {
            let rest = name[prefix.count...]
            if rest.isEmpty || (rest.first == 0x2d && (2...3).contains(rest.count) && rest.dropFirst().allSatisfy(\.isDigit)) {
                return true
            }
        }
        if name.starts(with: self.windows) { return name.count == self.windows.count + 4 && name[8...].allSatisfy(\.isDigit) }
        for prefix in self.letteredExtensions where name.starts(with: prefix) {
            let rest = name[prefix.count...]
            return (1...2).contains(rest.count) && rest.allSatisfy(\.isLetter)
        }
        return self.otherExtensions.contains(name)
    }

    private static let windows = [UInt8](ascii: "windows-")
    private static let numberedExtensions = ["iso8859", "iso 8859", "iso-8859"].map { [UInt8](ascii: $0) }
    private static let letteredExtensions = ["koi8-", "euc-"].map { [UInt8](ascii: $0) }
    private static let otherExtensions = Set(
        ["utf8", "utf-8", "big5", "gbk", "gb18030", "gb-18030", "gb 18030", "gb18030-2000", "gb18030-2005"]
            .map { [UInt8](ascii: $0) }
    )

    private static func converter(_ name: [UInt8]) -> Converter? {
        self.converters[name.filter(\.isAlphanumeric).text]
    }

    /// Letters and digits of a name to what decodes it. Sets that SpamAssassin's Perl has no decoder for are not here.
    private static let converters: [String: Converter] = {
        var names: [String: Converter] = [
            "ascii": .ascii, "usascii": .ascii, "iso646us": .ascii, "ansix341968": .ascii,
            "utf8": .utf8, "unicode20utf8": .utf8,
            "iso88591": .windows1252, "latin1": .windows1252, "windows1252": .windows1252, "cp1252": .windows1252,
            "xcp1252": .windows1252,
        ]
        let system: [(String, String)] = [
            ("UTF-16BE", "utf16be ucs2 ucs2be iso106461"), ("UTF-16LE", "utf16le ucs2le"), ("UTF-32BE", "utf32be ucs4be"),
            ("UTF-32LE", "utf32le ucs4le"), ("UTF-32", "utf32 ucs4"), ("UTF-7", "utf7 unicode11utf7"),
            ("KOI8-R", "koi8r"), ("KOI8-U", "koi8u"), ("MACINTOSH", "macintosh macroman xmacroman"),
            ("MAC-CYRILLIC", "maccyrillic xmaccyrillic"), ("VISCII", "viscii"), ("ISO-8859-11", "tis620"),
            ("EUC-CN", "gb2312 euccn csgb2312 gb231280 hzgb2312"),
            ("CP936", "gbk cp936 ms936 windows936 gb18030 gb180302000 gb180302005"),
            ("BIG5", "big5 big5eten cnbig5 xxbig5 tcabig5"), ("BIG5-HKSCS", "big5hkscs"), ("CP950", "cp950 windows950"),
            ("CP932", "shiftjis sjis xsjis mskanji cp932 windows31j ms932 csshiftjis"), ("EUC-JP", "eucjp xeucjp ujis"),
            ("ISO-2022-JP", "iso2022jp csiso2022jp jis 7bitjis"), ("ISO-2022-JP-1", "iso2022jp1"),
            ("EUC-KR", "euckr"), ("UHC", "cp949 uhc windows949 xwindows949 ksc56011987"), ("ISO-2022-KR", "iso2022kr"),
            ("JOHAB", "johab"), ("ISO-8859-8", "hebrew"), ("ISO-8859-6", "arabic"), ("ISO-8859-7", "greek"),
            ("ISO-8859-5", "cyrillic"), ("ISO-8859-9", "latin5"), ("ISO-8859-10", "latin6"), ("ISO-8859-13", "latin7"),
            ("ISO-8859-14", "latin8"), ("ISO-8859-15", "latin9"), ("ISO-8859-16", "latin10"),
        ]
        for (converter, list) in system { for name in list.split(separator: " ") { names[String(name)] = .system(converter) } }
        for part in [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16] { names["iso8859\(part)"] = .system("ISO-8859-\(part)") }
        for part in 2...4 { names["latin\(part)"] = .system("ISO-8859-\(part)") }
        let pages = [437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874]
        for page in pages + [1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258] {
            for prefix in ["windows", "cp", "ibm", "ms"] { names["\(prefix)\(page)"] = .system("CP\(page)") }
        }
        return names
    }()

    // MARK: Octets

    /// - Parameter isExact: give up at the first octet that does not fit; else U+FFFD stands for it.
    private static func convert(_ bytes: [UInt8], _ converter: Converter, isExact: Bool) -> [UInt8]? {
        switch converter {
        case .ascii:
            if bytes.isASCII { return bytes }
            return isExact ? nil : bytes.flatMap { $0 < 0x80 ? [$0] : Charset.replacement }
        case .utf8:
            if Charset.firstInvalid(bytes, from: 0) == nil { return bytes }
            return isExact ? nil : self.replacingInvalid(bytes)
        case .windows1252:
            return self.windows1252(bytes)
        case .system(let name):
            guard let iconv = Iconv(from: name) else { return nil }
            return isExact ? iconv.convertExactly(bytes) : iconv.convert(bytes)
        }
    }

    /// The five octets that are free become U+FFFD.
    private static func windows1252(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isASCII else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 8)
        for octet in bytes {
            switch octet {
            case 0x81, 0x8d, 0x8f, 0x90, 0x9d: result.append(contentsOf: Charset.replacement)
            case 0x80...: Charset.append(Charset.windows1252Scalar(octet), to: &result)
            default: result.append(octet)
            }
        }
        return result
    }

    /// Each longest start of a character that stays unfinished becomes one U+FFFD (Unicode §3.9).
    private static func replacingInvalid(_ bytes: [UInt8]) -> [UInt8] {
        Array(String(decoding: bytes, as: UTF8.self).utf8)
    }

    /// UTF-16 without a byte order mark, its order guessed from where spaces and high octets are; nil with a mark, where it
    /// cannot be told, and where the text is no UTF-16.
    private static func utf16(_ bytes: [UInt8]) -> [UInt8]? {
        if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) { return nil }
        var little = 0
        var big = 0
        var sums = (even: 0, odd: 0)
        for index in stride(from: 0, to: bytes.count, by: 2) {
            let first = bytes[index]
            let second = index + 1 < bytes.count ? bytes[index + 1] : 0
            sums.even += Int(first >> 4) + Int(first & 15)
            sums.odd += Int(second >> 4) + Int(second & 15)
            if first == .space, second == 0 { little += 1 }
            if first == 0, second == .space { big += 1 }
        }
        if sums.even > sums.odd * 4 { little += 1 }
        if sums.odd * 4 > sums.even { big += 1 }
        guard little != big else { return nil }
        return Iconv(from: little > big ? "UTF-16LE" : "UTF-16BE")?.convertExactly(bytes)
    }
}
