/// Languages whose character sets are welcome (`ok_locales`).
struct CharsetLocales: Hashable, Sendable {
    /// nil: all are welcome.
    private var locales: [String]?

    /// - Parameter text: `all`, or languages as `en ja zh`; nil without a setting.
    init(_ text: String? = nil) {
        let words = (text ?? "all").split(whereSeparator: \.isWhitespace).map(String.init)
        self.locales = words.contains("all") ? nil : words
    }

    var acceptsAll: Bool { self.locales == nil }

    /// Whether text in a character set is to be expected. Sets of Latin letters and of Unicode always are.
    func accepts(charset: [UInt8]) -> Bool {
        guard let locales else { return true }
        // Of several sets the first counts; `3D` is left of quoted-printable.
        var name = String(decoding: charset, as: UTF8.self).uppercased().prefix { $0 != ":" }.filter {
            $0.isASCII && ($0.isLetter || $0.isNumber)
        }
        if name.hasPrefix("3D") { name = String(name.dropFirst(2)) }
        if Self.always.contains(name) || Self.alwaysPrefixes.contains(where: name.hasPrefix) { return true }
        return locales.contains { locale in
            // `zh_TW` is `zh`; `zh.big5` stands for itself only when written so.
            let language = Self.charsets[locale] == nil ? String(locale.prefix(2)) : locale
            return Self.charsets[language]?.contains(name) ?? false
        }
    }

    private static let always: Set<String> = ["USASCII", "ASCII", "IBM852", "XUNKNOWN", "ISO"]
    private static let alwaysPrefixes = [
        "ISO8859", "ISO10646", "UTF", "UCS", "CP125", "WINDOWS", "UNICODE11UTF7", "UNICODE11UTF8",
    ]

    /// Names without punctuation.
    private static let charsets: [String: Set<String>] = {
        let cyrillic: Set<String> = ["KOI8R", "KOI8U", "KOI8T", "ISOIR111", "CP1251", "GEORGIANPS", "PT154", "CP866"]
        let traditional: Set<String> = ["BIG5HKSCS", "BIG5", "EUCTW"]
        let simplified: Set<String> = ["GB1988", "GB2312", "GB231219800", "GB18030", "GBK", "ISO2022CN"]
        var table: [String: Set<String>] = [
            "ja": [
                "EUCJP", "JISX020119760", "JISX020819830", "JISX020819900", "JISX020819970", "JISX021219900", "JISX021320001",
                "JISX021320002", "SHIFT_JIS", "SHIFTJIS", "ISO2022JP", "SJIS", "JIS7", "JISX0201", "JISX0208", "JISX0212",
            ],
            "ko": ["EUCKR", "KSC56011987"],
            "th": ["TIS620"],
            "zh": simplified.union(traditional),
            "zh.big5": traditional,
            "zh.gb2312": simplified,
        ]
        for language in ["ru", "ka", "tg", "be", "uk", "bg"] { table[language] = cyrillic }
        return table
    }()
}
