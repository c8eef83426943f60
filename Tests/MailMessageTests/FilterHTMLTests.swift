import Testing

@testable import MailMessage

@Suite("HTML as SpamAssassin renders it")
struct FilterHTMLTests {
    private func render(_ html: String) -> FilterHTML {
        let text = FilterCharset.decode(octets(html), charset: octets("utf-8"))
        return FilterHTML(text, octets: octets(html).count)
    }

    @Test(
        "Text, with broken markup as HTML::Parser takes it",
        arguments: [
            ("plain  text\n here", "plain text here"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<p>one</p> <p>two</p>", "\n\none\n\n\n\ntwo\n\n"),
            ("a &amp; b &lt;c&gt; &#65;&#x42; &euro; &nbsp;x", "a & b <c> AB € x"),
            ("&copyfoo &unknown; &#0; &thetasym &thetasym;", "©foo &unknown; &#0; &thetasym ϑ"),
            ("&#150;é", "\u{96}é"),
            ("&#55357;&#56832;", "😀"),
            ("x<!-- hidden -->y<!doctype z>z<?pi?>", "xyz"),
            ("x<!-->y<!--->z", "xz"),
            ("x<!-- never ended <b>y", "xy"),
            ("x<a href=\"never ended>y</a>", "x"),
            ("a<script>if (a<b) '</b>'</script>b<style>p {}</style>c", "abc"),
            ("a<style>never ended</p>", "a"),
            ("a<title>never ended<p>x", "a\n\nnever ended\n\n\n\nx"),
            ("a<iframe><b>x</iframe>b", "a<b>xb"),
            ("a<plaintext><b>x</plaintext>", "a\n\n<b>x</plaintext>"),
            ("a<![CDATA[ <b> ]]>c", "a <b> c"),
            ("a<![if x]>b<![endif]>c", "abc"),
            ("a<![IGNORE[ b <i> ]]>c", "ac"),
            ("1 < 2 <3 > a<", "1 < 2 <3 > a"),
            ("a<_x>b<:y>c<1>", "abc<1>"),
            ("a<span style='display:none'>b</span>c", "abc"),
            ("<td>a</td> <td>b</td>", " a  b "),
            ("\u{201c}a\u{201d}", "\"a\""),
            ("", ""),
        ]
    )
    func rendered(html: String, text expected: String) {
        #expect(text(self.render(html).rendered) == expected)
    }

    @Test(
        "Colours and sizes that hide text",
        arguments: [
            ("<font color=white>x", true, false), ("<font color=#fefefe>x", true, false), ("<font color=fefefe>x", false, true),
            ("<p style='color: '>x", false, true), ("<p style='color:'>x", false, false),
            ("<p style='color: rgb(255, 255, 255)'>x", true, false), ("<p style='color:white !important'>x", true, false),
            ("<p style='background: url(a.png) #000'>x", true, false), ("<p style='color:inherit'>x", false, false),
            ("<p style='color:transparent'>x", true, false), ("<body bgcolor=black>x", false, false),
            ("<font color=white> </font>x", false, false), ("<table><tr><td><font color=white><td>x", false, false),
        ]
    )
    func colors(html: String, isLow: Bool, isInvalid: Bool) {
        let result = self.render(html)
        #expect(result.hasLowContrast == isLow)
        #expect(result.hasInvalidColor == isInvalid)
    }

    @Test("Links keep their elements, targets and anchors")
    func links() {
        let result = self.render(
            """
            <a href="http://a.example/./x/../y"> one<img src=//www.b.example/i.gif></a><a>none</a>
            <base href=http://c.example/d/e.html><a href=f>two</a><meta http-equiv=refresh content="1; url=http://g.example/; x">
            """
        )
        #expect(
            result.links.map { "\(text($0.uri)) \($0.types.sorted()) \($0.anchorTexts.map { text($0) })" } == [
                "http://a.example/y [\"a\"] []", "http://a.example/./x/../y [] [\" one<img>\\n\"]",
                "http://www.b.example/i.gif [\"img\"] []", " [] [\"none\"]", "http://c.example/d/e.html [\"base\"] []",
                "http://c.example/d/f [\"a\"] []", "f [] [\"two\"]", "http://g.example/ [\"meta\"] []",
            ]
        )
    }

    @Test(
        "The work for hostile HTML is bound by its size",
        arguments: [
            "<", "<b>", "<div><p></b></div>", "<!--", "<a href=\"", "&a", "<![x[", "<![--", "]]", "<style>", "<font face='a,a",
            "<x y=z ",
        ]
    )
    func hostile(repeated: String) {
        let time = ContinuousClock().measure { _ = self.render(String(repeating: repeated, count: 20_000)) }
        // A fraction of a second, where looking at each pair of repetitions would take minutes.
        #expect(time < .seconds(5), "\(repeated)")
    }
}

@Suite("Character sets as SpamAssassin decodes them")
struct FilterCharsetTests {
    @Test(
        "What is declared counts when it fits",
        arguments: [
            ([0x41], "us-ascii", "A", false), ([0xc3, 0xa9], "us-ascii", "é", true), ([0xe9], "us-ascii", "é", true),
            ([0xe9], "utf-8", "é", true), ([0xc3, 0xa9], "iso-8859-1", "é", true), ([0xf0], "koi8-r", "П", true),
            ([0xf0], "windows-1251", "р", true), ([0x81], "iso-8859-1", "\u{fffd}", true), ([0xc4, 0xe3], "gb2312", "你", true),
            ([0x1b, 0x24, 0x42, 0x24, 0x22], "iso-2022-jp", "あ", true), ([0xff], "gb2312", "ÿ", true),
            ([0x41, 0, 0x20, 0, 0x42, 0], "utf-16", "A B", true), ([0, 0x41, 0, 0x20], "utf-16", "A ", true),
            ([0x41], "nonsense", "A", false), ([0x93], "nonsense", "“", true),
        ] as [([UInt8], String, String, Bool)]
    )
    func decode(bytes: [UInt8], charset: String, expected: String, isDecoded: Bool) {
        let result = FilterCharset.decode(bytes, charset: octets(charset))
        #expect(text(result.bytes) == expected)
        #expect(result.isDecoded == isDecoded)
    }
}
