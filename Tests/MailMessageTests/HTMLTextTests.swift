import Testing

@testable import MailMessage

@Suite("HTML as text")
struct HTMLTextTests {
    struct Case: Sendable {
        var html: String
        var visible: String
        var invisible = ""
    }

    @Test(
        "Text is rendered",
        arguments: [
            Case(html: "plain  text\n here", visible: "plain text here"),
            Case(html: "<b>b</b><i>i</i>", visible: "bi"),
            Case(html: "a<br>b<br/>c", visible: "a\nb\nc"),
            Case(html: "<p>one</p><p>two</p>", visible: "\n\none\n\n\n\ntwo\n\n"),
            Case(html: "a &amp; b &lt;c&gt; &#65;&#x42; &euro; &nbsp;x", visible: "a & b <c> AB € x"),
            Case(html: "&copy &unknown; &#0; &#150;", visible: "© &unknown; \u{fffd} –"),
            Case(html: "x<!-- hidden -->y<!doctype z>z<?pi?>", visible: "xyz"),
            Case(html: "x<!-->y<!--->z", visible: "xyz"),
            Case(html: "a<script>if (a<b) '</b>'</script>b<style>p {}</style>c", visible: "abc"),
            Case(html: "1 < 2 <3 > a<", visible: "1 < 2 <3 > a<"),
            Case(html: "<a href=\"x>y\">t</a>", visible: "t"),
            Case(html: "<a href=\"x>t", visible: "t"),
            Case(html: "<title>T &amp; <b></title>x", visible: "\n\nT & <b>\n\nx"),
            Case(html: "<td>a</td><td>b</td>", visible: " a  b "),
            Case(html: "<B>x</B", visible: "x"),
            Case(html: "", visible: ""),
        ]
    )
    func visible(_ test: Case) {
        let html = HTMLText(octets(test.html))
        #expect(text(html.visible) == test.visible)
        #expect(html.rendered == html.visible)
        #expect(html.invisible.isEmpty)
    }

    @Test(
        "What nobody sees is kept apart",
        arguments: [
            Case(html: "a<span style=\"display:none\">b</span>c", visible: "ac", invisible: "b"),
            Case(html: "a<span style=\"display: NONE !important\">b</span>c", visible: "ac", invisible: "b"),
            Case(html: "a<p style='visibility:hidden'>b<i>c</i></p>d", visible: "a\n\n\n\nd", invisible: "bc\n"),
            Case(html: "a<font size=1>b</font>c", visible: "ac", invisible: "b"),
            Case(html: "a<span style=\"font-size:0px\">b</span>c", visible: "ac", invisible: "b"),
            Case(html: "a<span style=\"font-size:10px\">b</span>c", visible: "abc"),
            Case(html: "a<span style=\"font-size:1.5em\">b</span>c", visible: "abc"),
            Case(html: "a<font color=white>b</font>c", visible: "ac", invisible: "b"),
            Case(html: "a<font color=#fefefe>b</font>c", visible: "ac", invisible: "b"),
            Case(html: "<td bgcolor=black><font color=white>b</font></td>", visible: " b "),
            Case(html: "<body bgcolor=#000><span style=\"color: rgb(1,1,1)\">b</span>", visible: "", invisible: "b"),
            Case(html: "<div hidden>b</div>c", visible: "\n\nc", invisible: "b\n"),
            Case(html: "a<span style=\"opacity:0\">b</span><span style=\"opacity:0.9\">c</span>", visible: "ac", invisible: "b"),
        ]
    )
    func invisible(_ test: Case) {
        let html = HTMLText(octets(test.html))
        #expect(text(html.visible) == test.visible)
        #expect(text(html.invisible) == test.invisible)
    }

    @Test("Elements with an end tag left out do not pass their style on")
    func impliedEnds() {
        let html = HTMLText(octets("<table><tr><td bgcolor=black>a<td>b</table><p style='display:none'>c<p>d"))
        #expect(text(html.visible).contains("b"))
        #expect(text(html.visible).contains("d"))
        #expect(!text(html.visible).contains("c"))
    }

    @Test("Facts are collected")
    func facts() {
        let facts = HTMLText(
            octets(
                """
                <html><head><title> My page </title><base href="http://base.example/dir/">
                <meta http-equiv="refresh" content="5; URL='http://next.example/'"></head>
                <body onload="x()"><a href=" http://a.example/?x=1&amp;y=2 ">Click <b>here</b></a>
                <img src=cid:1 alt="A &amp; B" width=1 height="20"><form action=/post><iframe src=f></iframe>
                <script src=s.js></script><!-- c -->
                """
            )
        ).facts
        #expect(text(facts.title) == "My page")
        #expect(facts.anchors.map { [text($0.reference), text($0.text)] } == [["http://a.example/?x=1&y=2", "Click here"]])
        #expect(facts.images.map { text($0.alternative) } == ["A & B"])
        #expect(facts.images[0].width == 1)
        #expect(facts.formActions.map { text($0) } == ["/post"])
        #expect(facts.refreshTarget.map { text($0) } == "http://next.example/")
        #expect(facts.baseReference.map { text($0) } == "http://base.example/dir/")
        #expect(facts.hasScript && facts.hasForm && facts.hasFrame && facts.hasEventHandler)
        #expect(facts.commentCount == 1)
        #expect(facts.links.map(\.origin) == [.base, .refresh, .anchor, .image, .form, .frame, .script])
    }
}
