import Testing

@testable import MailMessage

@Suite("Character sets")
struct CharsetTests {
    struct Case: Sendable {
        var name: String?
        var bytes: [UInt8]
        var text: String
    }

    @Test(
        "Text becomes UTF-8",
        arguments: [
            Case(name: "utf-8", bytes: [0xc3, 0xa4], text: "ä"),
            Case(name: "UTF8", bytes: [0xef, 0xbb, 0xbf, 0x61], text: "a"),
            Case(name: "utf-8", bytes: [0x61, 0xff, 0x62], text: "a\u{fffd}b"),
            Case(name: "utf-8", bytes: [0xc0, 0xaf], text: "\u{fffd}\u{fffd}"),
            Case(name: "utf-8", bytes: [0xed, 0xa0, 0x80], text: "\u{fffd}\u{fffd}\u{fffd}"),
            Case(name: "utf-8", bytes: [0xf4, 0x90, 0x80, 0x80], text: "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            Case(name: "utf-8", bytes: [0xf0, 0x9f, 0x98, 0x80], text: "😀"),
            Case(name: nil, bytes: [0xc3, 0xa4], text: "ä"),
            Case(name: nil, bytes: [0xe4, 0x80], text: "ä€"),
            Case(name: "us-ascii", bytes: [0x93, 0x94], text: "“”"),
            Case(name: "iso-8859-1", bytes: [0xe9, 0x80], text: "é€"),
            Case(name: "windows-1252", bytes: [0x8a], text: "Š"),
            Case(name: "iso-8859-2", bytes: [0xb1], text: "ą"),
            Case(name: "ISO_8859-5", bytes: [0xd0], text: "а"),
            Case(name: "iso-8859-7", bytes: [0xe1], text: "α"),
            Case(name: "iso-8859-15", bytes: [0xa4], text: "€"),
            Case(name: "windows-1251", bytes: [0xcf], text: "П"),
            Case(name: "koi8-r", bytes: [0xd0], text: "п"),
            Case(name: "koi8-u", bytes: [0xa4], text: "є"),
            Case(name: "utf-16le", bytes: [0x61, 0x00], text: "a"),
            Case(name: "utf-16", bytes: [0xff, 0xfe, 0x61, 0x00], text: "a"),
            Case(name: "utf-16", bytes: [0x00, 0x61], text: "a"),
            Case(name: "utf-7", bytes: octets("+AOQ-"), text: "ä"),
            Case(name: "gb2312", bytes: [0xd6, 0xd0], text: "中"),
            Case(name: "GBK", bytes: [0x81, 0x40], text: "丂"),
            Case(name: "big5", bytes: [0xa4, 0xa4], text: "中"),
            Case(name: "shift_jis", bytes: [0x82, 0xb1], text: "こ"),
            Case(name: "euc-jp", bytes: [0xa4, 0xb3], text: "こ"),
            Case(name: "iso-2022-jp", bytes: octets("\u{1b}$B$3\u{1b}(B"), text: "こ"),
            Case(name: "euc-kr", bytes: [0xb0, 0xa1], text: "가"),
            Case(name: "x-who-knows", bytes: octets("plain"), text: "plain"),
            Case(name: "UTF-8//IGNORE", bytes: [0xe4], text: "ä"),
        ]
    )
    func decode(_ test: Case) {
        #expect(text(Charset.toUTF8(test.bytes, named: test.name)) == test.text)
    }

    @Test("A character cut off at the end, and octets that are none, are replaced and the rest is read")
    func broken() {
        #expect(text(Charset.toUTF8([0x61, 0x82], named: "shift_jis")) == "a\u{fffd}")
        #expect(text(Charset.toUTF8([0xff, 0x61], named: "euc-kr")) == "\u{fffd}a")
    }

    @Test("Shift states end with their text")
    func noStateLeak() {
        _ = Charset.toUTF8(octets("\u{1b}$B$3"), named: "iso-2022-jp")
        #expect(text(Charset.toUTF8(octets("abc"), named: "iso-2022-jp")) == "abc")
    }

    @Test("A text of invalid octets takes time in proportion to its length")
    func invalidText() {
        let result = Charset.toUTF8([UInt8](repeating: 0xff, count: 100_000), named: "shift_jis")
        #expect(result.count == 300_000)
    }
}
