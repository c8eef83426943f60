import Testing

@testable import MailMessage

@Suite("Text views")
struct MessageTextTests {
    private func body(_ source: String) -> [String] {
        MessageText(ParsedMessage(octets(source))).body.map { text($0.bytes) }
    }

    @Test("The body is the subject and paragraphs with white space run together")
    func paragraphs() {
        #expect(
            self.body("Subject: =?utf-8?q?H=C3=A4?=\n\none\ntwo\t three\n \n\nfour\n") == ["Hä\n", "one two three\n", "four "]
        )
        #expect(self.body("\na\u{a0}b\u{3000}c\n\n") == ["\n", "a b c\n"])
        #expect(self.body("Subject: s\n\n") == ["s\n"])
    }

    @Test("CRLF and LF give the same views")
    func lineEnds() {
        let source =
            "Subject: s\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n\ntwo\n--b\nContent-Type: text/html\n\n<p>x</p>\ny\n--b--\n"
        let left = MessageText(ParsedMessage(octets(source)))
        let right = MessageText(ParsedMessage(crlf(source)))
        #expect(left.body == right.body)
        #expect(left.rawBody == right.rawBody)
        #expect(left.rawBody.map { text($0.bytes) } == ["one\n\ntwo", "<p>x</p>\ny"])
        #expect(left.body.map(\.part) == [nil, 1, 1, 2, 2])
        let returns = MessageText(ParsedMessage(octets("Subject: s\r\n\r\na\r\r\nb\r\n")))
        #expect(returns.rawBody.map { text($0.bytes) } == ["a\r\nb\n"])
    }

    @Test("Of many empty lines in a row the first and the last stay", arguments: [1, 20, 21, 22, 63, 64, 65, 105, 300])
    func emptyLines(count: Int) {
        let run = (0..<count).map { String(repeating: " ", count: $0) + "\n" }.joined()
        func kept(_ body: String) -> [Int] {
            text(FilterMessage(octets("Subject: s\n\n" + body)).parts[0].raw)
                .split(separator: "\n", omittingEmptySubsequences: false).dropLast().filter { $0 != "text" }.map(\.count)
        }
        let last = Array(max(0, count - 19)..<count)
        #expect(kept("text\n" + run + "text\n") == (count > 20 ? [0] + last : Array(0..<count)))
        #expect(kept("text\n" + run) == (count > 20 ? [0] + last : Array(0..<count)))
        #expect(kept(run + "text\n") == (count > 21 ? [0, 1] + last : Array(0..<count)))
    }

    @Test("Body shows all text, visibleBody what is seen, invisible the rest")
    func invisible() {
        let views = MessageText(
            ParsedMessage(octets("Content-Type: text/html\n\nbuy<span style='display:none'>ham</span>now\n\n"))
        )
        #expect(views.body.map { text($0.bytes) } == ["\n", "buyhamnow "])
        #expect(views.visibleBody.map { text($0.bytes) } == ["\n", "buynow "])
        #expect(views.invisible.map { text($0.bytes) } == ["ham"])
    }

    @Test("Segments know where they come from")
    func offsets() {
        let views = MessageText(ParsedMessage(octets("Subject: s\n\n\n\n first\n\nsecond\n\n")))
        #expect(views.body.map(\.offset) == [0, 3, 3, 10])
    }

    @Test("Long lines are cut at spaces, raw text at line ends")
    func cuts() {
        let words = String(repeating: "word ", count: 1_000)
        let body = self.body("\n" + words + "\n\n")
        #expect(body.dropFirst().allSatisfy { $0.utf8.count <= ParagraphSplitter.maximumLength })
        #expect(body.dropFirst().dropLast().allSatisfy { $0.hasSuffix(" ") })
        #expect(body.dropFirst().joined() == words.dropLast() + " \n")
        let lines = String(repeating: "0123456789\n", count: 1_000)
        let raw = MessageText(ParsedMessage(octets("\n" + lines))).rawBody.map { text($0.bytes) }
        #expect(raw.joined() == lines)
        #expect(raw.dropLast().allSatisfy { $0.hasSuffix("\n") && $0.utf8.count > RawChunks.length })
    }

    @Test("Each part's text is limited")
    func limits() {
        var limits = TextLimits()
        limits.bodyPart = 10
        limits.rawBodyPart = 5
        let views = MessageText(ParsedMessage(octets("\n0123456789abc defghijkl")), limits: limits)
        #expect(views.body.map { text($0.bytes) } == ["\n", "0123456789abc "])
        #expect(views.rawBody.map { text($0.bytes) } == ["0123456789abc "])
        #expect(views.cuts == [.bodyText, .rawText])
    }

    @Test("Attachments are no text, HTML by its name is")
    func whichParts() {
        let source =
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\n\nPDF\n--b\n"
            + "Content-Type: application/x; name=a.HTML\n\n<b>bold</b>\n--b\nContent-Type: text/calendar\n\nCAL\n--b\n"
            + "Content-Type: text/x-vcard\n\nCARD\n--b--\n"
        let views = MessageText(ParsedMessage(octets(source)))
        #expect(views.body.map { text($0.bytes) } == ["\n", "bold\n"])
        #expect(views.rawBody.map { text($0.bytes) } == ["<b>bold</b>", "CARD"])
    }

    @Test("Broken encodings of text parts are reported")
    func brokenText() {
        let views = MessageText(ParsedMessage(octets("Content-Transfer-Encoding: base64\n\n!!Zm9v")))
        #expect(views.anomalies.map(\.kind) == [.brokenBase64])
        #expect(views.rawBody.map { text($0.bytes) } == ["foo"])
    }

    struct Links: Sendable {
        var source: String
        var uris: [String]
    }

    @Test(
        "Links are found in text and in HTML",
        arguments: [
            Links(source: "\nsee http://a.example.org/x.", uris: ["http://a.example.org/x"]),
            Links(source: "\n(www.example.org) and example.net", uris: ["http://www.example.org", "http://example.net"]),
            Links(source: "\njoe@example.org", uris: ["mailto:joe@example.org"]),
            Links(source: "\nhttp://www.example.org/%41", uris: ["http://www.example.org/%41", "http://www.example.org/A"]),
            Links(source: "Subject: http://s.example.org/\n\n", uris: ["http://s.example.org/"]),
            Links(source: "\nno.link.here.invalid a.b.c 1.2.3.4", uris: []),
            Links(
                source:
                    "Content-Type: text/html\n\n<base href='http://h.example.org/d/f.html'><a href='x'>y</a><img src='/z'><a href='//w.example.org/'>",
                uris: [
                    "http://h.example.org/d/f.html", "http://h.example.org/d/x", "x", "http://h.example.org/z",
                    "http://w.example.org/", "//w.example.org/", "http:////w.example.org/",
                ]
            ),
            Links(
                source: "Content-Type: text/html\n\n<a href='http://&#119;ww.example.org/?a=1&amp;b=2'>y</a>",
                uris: ["http://www.example.org/?a=1&b=2"]
            ),
        ]
    )
    func links(_ test: Links) {
        #expect(MessageText(ParsedMessage(octets(test.source))).uris.map { text($0.bytes) } == test.uris)
    }

    @Test("The number and length of links is limited")
    func linkLimits() {
        let many = (0..<3_000).map { "http://h\($0).example.org/" }.joined(separator: "\n\n")
        let views = MessageText(ParsedMessage(octets("\n" + many)))
        #expect(views.uris.count == 1_000)
        let long = MessageText(
            ParsedMessage(
                octets("Content-Type: text/html\n\n<a href=http://a.example.org/\(String(repeating: "x", count: 20_000))>")
            )
        )
        #expect(long.uris.map(\.bytes.count) == [URICanonical.maximumLength])
    }
}
