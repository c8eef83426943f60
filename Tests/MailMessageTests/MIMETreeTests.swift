import Testing

@testable import MailMessage

@Suite("MIME trees")
struct MIMETreeTests {
    /// One line for each part: path, type, and its body with line ends made visible.
    private func outline(_ message: ParsedMessage) -> [String] {
        message.parts.map { part in
            let body =
                part.isContainer
                ? "" : " " + text(message.content(of: part)).split(whereSeparator: \.isNewline).joined(separator: "|")
            return "\(part.path) \(part.mediaType)\(body)"
        }
    }

    private static let nested = """
        Content-Type: multipart/mixed; boundary="outer"

        preamble
        --outer
        Content-Type: multipart/alternative; boundary=inner

        --inner

        plain
        --inner
        Content-Type: text/html

        <b>
        --inner--
        epilogue of inner
        --outer\t
        Content-Type: message/rfc822

        Subject: within

        text
        --outer--
        epilogue

        """

    @Test("Nested parts are found and numbered as in IMAP", arguments: [false, true])
    func nested(usesCRLF: Bool) {
        let message = ParsedMessage(usesCRLF ? crlf(Self.nested) : octets(Self.nested))
        #expect(
            self.outline(message) == [
                " multipart/mixed", "1 multipart/alternative", "1.1 text/plain plain", "1.2 text/html <b>", "2 message/rfc822",
                "2.1 text/plain text",
            ]
        )
        #expect(message.parts.map(\.parent) == [nil, 0, 1, 1, 0, 4])
        #expect(message.anomalies.isEmpty)
        // The line end before a delimiter belongs to the delimiter.
        #expect(text(message.content(of: message.parts[2])) == "plain")
    }

    struct Case: Sendable {
        var what: String
        var source: String
        var outline: [String]
        var anomalies: [StructureAnomaly.Kind]
    }

    @Test(
        "Broken structures are read as far as they go and reported",
        arguments: [
            Case(
                what: "no closing delimiter",
                source: "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo",
                outline: [" multipart/mixed", "1 text/plain one", "2 text/plain two"],
                anomalies: [.unclosedMultipart]
            ),
            Case(
                what: "inner multipart ended by the outer delimiter",
                source:
                    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b--\n",
                outline: [" multipart/mixed", "1 multipart/mixed", "1.1 text/plain one"],
                anomalies: [.unclosedMultipart]
            ),
            Case(
                what: "no boundary",
                source: "Content-Type: multipart/mixed\n\ntext\n",
                outline: ["1 multipart/mixed text"],
                anomalies: [.missingBoundary]
            ),
            Case(
                what: "a part behind the closing delimiter",
                source: "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n",
                outline: [" multipart/mixed", "1 text/plain one"],
                anomalies: [.partAfterClose]
            ),
            Case(
                what: "a header ended by a delimiter",
                source: "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\ntwo\n--b--\n",
                outline: [" multipart/mixed", "1 text/html ", "2 text/plain two"],
                anomalies: [.missingHeaderEnd]
            ),
            Case(
                what: "the boundary of the multipart around it",
                source:
                    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b--\n",
                outline: [" multipart/mixed", "1 multipart/mixed", "1.1 text/plain one"],
                anomalies: [.duplicateBoundary]
            ),
            Case(
                what: "two types and two encodings",
                source:
                    "Content-Type: text/html\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nZm9v",
                outline: ["1 text/html foo"],
                anomalies: [.duplicateContentType, .duplicateTransferEncoding]
            ),
            Case(
                what: "an encoding that nobody knows",
                source: "Content-Transfer-Encoding: x-rot13\n\nabc",
                outline: ["1 text/plain abc"],
                anomalies: [.unknownTransferEncoding]
            ),
            Case(
                what: "an encoded multipart",
                source: "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\none\n--b--\n",
                outline: [" multipart/mixed", "1 text/plain one"],
                anomalies: [.encodedMultipart]
            ),
            Case(
                what: "a boundary that begins like the other",
                source:
                    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n",
                outline: [" multipart/mixed", "1 multipart/mixed", "1.1 text/plain one"],
                anomalies: []
            ),
            Case(
                what: "a digest",
                source: "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\none\n--b--\n",
                outline: [" multipart/digest", "1 message/rfc822", "1.1 text/plain one"],
                anomalies: []
            ),
            Case(
                what: "a message in a message, itself multipart",
                source: "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
                outline: ["1 message/rfc822", "1 multipart/mixed", "1.1 text/plain one"],
                anomalies: []
            ),
            Case(what: "a type without subtype", source: "Content-Type: text\n\nx", outline: ["1 text/plain x"], anomalies: []),
        ]
    )
    func broken(_ test: Case) {
        let message = ParsedMessage(octets(test.source))
        #expect(self.outline(message) == test.outline, "\(test.what)")
        #expect(message.anomalies.map(\.kind) == test.anomalies, "\(test.what)")
    }

    @Test("An encoded message within a message is opened on demand")
    func encodedMessage() throws {
        let message = ParsedMessage(
            octets("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaGkKCmZvbw==\n")
        )
        #expect(message.parts.count == 1)
        #expect(message.anomalies.map(\.kind) == [.encodedMessage])
        let inner = try #require(message.encodedMessage(in: message.parts[0]))
        #expect(text(inner.decodedValue(of: inner.fields(named: "subject")[0])) == "hi")
        #expect(MessageText(message).body.map { text($0.bytes) } == ["\n", "foo"])
    }

    @Test("File names come from the disposition, else from the type")
    func fileName() {
        let both = ParsedMessage(octets("Content-Type: a/b; name=t.txt\nContent-Disposition: Attachment; filename=d.txt\n\n"))
        #expect(both.parts[0].fileName == "d.txt")
        #expect(both.parts[0].disposition == "attachment")
        #expect(ParsedMessage(octets("Content-Type: a/b; name=t.txt\n\n")).parts[0].fileName == "t.txt")
    }

    @Test("Depth and number of parts are limited")
    func limits() {
        let deep = (0..<100).map { "Content-Type: multipart/mixed; boundary=b\($0)\n\n--b\($0)\n" }.joined()
        let message = ParsedMessage(octets(deep))
        #expect(message.parts.count == 64)
        #expect(message.anomalies.contains { $0.kind == .tooDeep })
        let many = ParsedMessage(
            octets("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 2_000))
        )
        #expect(many.parts.count == 1_000)
        #expect(many.anomalies.contains { $0.kind == .tooManyParts })
        #expect(many.anomalies.count <= AnomalyList.perKind + 1)
    }

    @Test(
        "The work for a hostile message is bound by its size",
        arguments: [
            "--b\n", "--\n", "--b--\n", "a:b\n", "junk\na:b\n", "\n", " \n", "--bbbbbbbb \n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n", "Content-Type: message/rfc822\n\n",
        ]
    )
    func work(_ repeated: String) {
        for repetitions in [1_000, 10_000] {
            let source = octets("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: repeated, count: repetitions))
            let tree = MIMETree(source, limits: ParserLimits())
            let lines = source.count { $0 == 0x0a }
            #expect(tree.work <= 3 * source.count + 64 * lines, "\(repeated)")
        }
    }
}
