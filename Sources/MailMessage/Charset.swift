import SystemKit

/// Text in a character set that a message names, to UTF-8.
///
/// UTF-8, US-ASCII, ISO-8859-1 and windows-1252 are decoded here, the rest by the system. Names are looked up in a list, so
/// that a message cannot hand the system's converter options of its own.
package enum Charset {
    /// U+FFFD in UTF-8.
    static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

    /// - Parameter name: as the message has it; nil, unknown and `us-ascii` mean: UTF-8 when it is valid, else windows-1252,
    ///   which is what such text nearly always is.
    package static func toUTF8(_ bytes: [UInt8], named name: String?) -> [UInt8] {
        switch self.method(name) {
        case .guess: return self.guess(bytes)
        case .utf8: return self.repairUTF8(bytes)
        case .windows1252: return self.windows1252(bytes)
        case .system(let converter):
            guard let iconv = Iconv(from: self.withByteOrder(converter, bytes)) else { return self.guess(bytes) }
            return iconv.convert(bytes)
        }
    }

    private enum Method {
        case guess
        case utf8
        case windows1252
        case system(String)
    }

    private static func method(_ name: String?) -> Method {
        guard let name else { return .guess }
        let folded = [UInt8](ascii: name).filter { $0.isAlphanumeric }.lowercasedASCII().text
        switch folded {
        case "", "usascii", "ascii", "ansix341968", "unknown8bit", "xunknown", "unknown": return .guess
        case "utf8", "unicode11utf8", "xunicode20utf8": return .utf8
        case "iso88591", "latin1", "l1", "windows1252", "cp1252", "xcp1252", "ansi": return .windows1252
        default: return self.systemNames[folded].map(Method.system) ?? .guess
        }
    }

    /// What mail calls a character set, letters and digits alone, to what the system calls it. Supersets stand for the sets
    /// that senders mislabel (WHATWG Encoding §4.2).
    private static let systemNames: [String: String] = {
        var names: [String: String] = [
            "utf16": "UTF-16", "utf16le": "UTF-16LE", "utf16be": "UTF-16BE", "ucs2": "UTF-16", "iso10646ucs2": "UTF-16BE",
            "utf32": "UTF-32", "utf32le": "UTF-32LE", "utf32be": "UTF-32BE", "utf7": "UTF-7", "unicode11utf7": "UTF-7",
            "xunicode20utf7": "UTF-7",
            "koi8r": "KOI8-R", "koi8": "KOI8-R", "koi8u": "KOI8-U", "koi8ru": "KOI8-U", "macintosh": "MACINTOSH",
            "xmacroman": "MACINTOSH", "ibm437": "CP437", "cp437": "CP437", "ibm850": "CP850", "cp850": "CP850",
            "ibm852": "CP852", "cp852": "CP852", "ibm866": "CP866", "cp866": "CP866", "tis620": "CP874", "iso885911": "CP874",
            "windows874": "CP874", "viscii": "VISCII", "georgianps": "GEORGIAN-PS",
            "gb2312": "GB18030", "gbk": "GB18030", "cp936": "GB18030", "gb18030": "GB18030", "xgbk": "GB18030",
            "csgb2312": "GB18030", "euccn": "GB18030", "gb231280": "GB18030", "hzgb2312": "GB18030",
            "big5": "BIG5-HKSCS", "big5hkscs": "BIG5-HKSCS", "cp950": "CP950", "csbig5": "BIG5-HKSCS",
            "shiftjis": "CP932", "sjis": "CP932", "xsjis": "CP932", "cp932": "CP932", "windows31j": "CP932", "mskanji": "CP932",
            "eucjp": "EUC-JP-MS", "xeucjp": "EUC-JP-MS", "iso2022jp": "ISO-2022-JP-2", "iso2022jp1": "ISO-2022-JP-2",
            "iso2022jp2": "ISO-2022-JP-2", "iso2022jp3": "ISO-2022-JP-3", "csiso2022jp": "ISO-2022-JP-2",
            "euckr": "CP949", "ksc56011987": "CP949", "ksc5601": "CP949", "cp949": "CP949", "iso2022kr": "ISO-2022-KR",
            "iso2022cn": "ISO-2022-CN", "euctw": "EUC-TW", "johab": "JOHAB",
            "iso88598i": "ISO-8859-8", "iso88598e": "ISO-8859-8", "latin2": "ISO-8859-2", "latin9": "ISO-8859-15",
            "iso88599": "CP1254", "latin5": "CP1254",
        ]
        for part in [2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16] { names["iso8859\(part)"] = "ISO-8859-\(part)" }
        for page in [1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258] {
            for prefix in ["windows", "cp", "xcp", "win"] { names["\(prefix)\(page)"] = "CP\(page)" }
        }
        return names
    }()

    /// UTF-16 without a byte order mark is big endian (RFC 2781 §4.3); the system takes the machine's order.
    private static func withByteOrder(_ converter: String, _ bytes: [UInt8]) -> String {
        guard converter == "UTF-16", bytes.count >= 2 else { return converter }
        if bytes[0] == 0xff, bytes[1] == 0xfe { return converter }
        if bytes[0] == 0xfe, bytes[1] == 0xff { return converter }
        return "UTF-16BE"
    }

    private static func guess(_ bytes: [UInt8]) -> [UInt8] {
        bytes.isASCII || self.firstInvalid(bytes, from: 0) == nil ? bytes : self.windows1252(bytes)
    }

    // MARK: UTF-8

    /// Length of the well-formed character at `index` (Unicode table 3-7), or 0.
    @inline(__always)
    static func characterLength(_ bytes: [UInt8], at index: Int) -> Int {
        let first = bytes[index]
        if first < 0x80 { return 1 }
        let left = bytes.count - index
        guard first >= 0xc2, left >= 2 else { return 0 }
        let second = bytes[index + 1]
        if first < 0xe0 { return second & 0xc0 == 0x80 ? 2 : 0 }
        guard left >= 3, bytes[index + 2] & 0xc0 == 0x80 else { return 0 }
        if first < 0xf0 {
            let lower: UInt8 = first == 0xe0 ? 0xa0 : 0x80
            let upper: UInt8 = first == 0xed ? 0x9f : 0xbf
            return second >= lower && second <= upper ? 3 : 0
        }
        guard first <= 0xf4, left >= 4, bytes[index + 3] & 0xc0 == 0x80 else { return 0 }
        let lower: UInt8 = first == 0xf0 ? 0x90 : 0x80
        let upper: UInt8 = first == 0xf4 ? 0x8f : 0xbf
        return second >= lower && second <= upper ? 4 : 0
    }

    /// Where the first octet stands that begins no well-formed character.
    static func firstInvalid(_ bytes: [UInt8], from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            let length = self.characterLength(bytes, at: index)
            if length == 0 { return index }
            index += length
        }
        return nil
    }

    /// Each octet that begins no character becomes U+FFFD; a mark at the start goes.
    static func repairUTF8(_ bytes: [UInt8]) -> [UInt8] {
        let hasMark = bytes.count >= 3 && bytes[0] == 0xef && bytes[1] == 0xbb && bytes[2] == 0xbf
        var position = hasMark ? 3 : 0
        guard var invalid = self.firstInvalid(bytes, from: position) else { return hasMark ? [UInt8](bytes[3...]) : bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 8)
        while true {
            result.append(contentsOf: bytes[position..<invalid])
            result.append(contentsOf: self.replacement)
            position = invalid + 1
            guard let next = self.firstInvalid(bytes, from: position) else { break }
            invalid = next
        }
        result.append(contentsOf: bytes[position...])
        return result
    }

    // MARK: windows-1252

    /// 0x80 to 0x9f; the five free places become the C1 controls, as browsers have it.
    private static let windows1252Upper: [UInt16] = [
        0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d, 0x8f,
        0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e,
        0x0178,
    ]

    /// The code point that numeric references to C1 controls mean (HTML §13.2.5.80), or the same one.
    static func windows1252Scalar(_ octet: UInt8) -> UInt32 {
        octet >= 0x80 && octet < 0xa0 ? UInt32(self.windows1252Upper[Int(octet) - 0x80]) : UInt32(octet)
    }

    static func windows1252(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isASCII else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + bytes.count / 8)
        for octet in bytes {
            if octet < 0x80 {
                result.append(octet)
            } else {
                self.append(self.windows1252Scalar(octet), to: &result)
            }
        }
        return result
    }

    /// A code point in UTF-8; those that UTF-8 cannot hold become U+FFFD.
    static func append(_ scalar: UInt32, to result: inout [UInt8]) {
        switch scalar {
        case 0..<0x80:
            result.append(UInt8(scalar))
        case 0x80..<0x800:
            result.append(0xc0 | UInt8(scalar >> 6))
            result.append(0x80 | UInt8(scalar & 0x3f))
        case 0xd800..<0xe000:
            result.append(contentsOf: self.replacement)
        case 0x800..<0x10000:
            result.append(0xe0 | UInt8(scalar >> 12))
            result.append(0x80 | UInt8(scalar >> 6 & 0x3f))
            result.append(0x80 | UInt8(scalar & 0x3f))
        case 0x10000..<0x110000:
            result.append(0xf0 | UInt8(scalar >> 18))
            result.append(0x80 | UInt8(scalar >> 12 & 0x3f))
            result.append(0x80 | UInt8(scalar >> 6 & 0x3f))
            result.append(0x80 | UInt8(scalar & 0x3f))
        default:
            result.append(contentsOf: self.replacement)
        }
    }
}
