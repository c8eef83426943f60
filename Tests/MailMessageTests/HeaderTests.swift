import Testing

@testable import MailMessage

@Suite("Header sections")
struct HeaderTests {
    @Test("Fields are ranges, whatever the line ends", arguments: [false, true])
    func fields(usesCRLF: Bool) {
        let source = "From: a@b.example\nSubject : folded\n\tvalue\nX-Empty:\nfrom: second\n\nbody\n"
        let message = ParsedMessage(usesCRLF ? crlf(source) : octets(source))
        #expect(message.headerFields.map { message.name(of: $0) } == ["From", "Subject", "X-Empty", "from"])
        #expect(message.fields(named: "FROM").map { text(message.decodedValue(of: $0)) } == ["a@b.example", "second"])
        #expect(text(message.decodedValue(of: message.fields(named: "subject")[0])) == "folded value")
        #expect(
            text(message.rawValue(of: message.fields(named: "subject")[0]))
                == (usesCRLF ? " folded\r\n\tvalue" : " folded\n\tvalue")
        )
        #expect(message.decodedValue(of: message.fields(named: "x-empty")[0]).isEmpty)
        #expect(text(message.content(of: message.parts[0])) == (usesCRLF ? "body\r\n" : "body\n"))
        #expect(message.anomalies.isEmpty)
    }

    @Test("Names that are as long and begin and end alike are told apart")
    func names() {
        let message = ParsedMessage(octets("Sender: 1\nServer: 2\nX: 3\nSENDER: 4\nsurfer: 5\nsender: 6\n\n"))
        let found = ["sender", "Sender", "server", "surfer", "x", "X", "sailor", "send", "y", ""].map { name in
            message.fields(named: name).map { text(message.decodedValue(of: $0)) }.joined()
        }
        #expect(found == ["146", "146", "2", "5", "3", "3", "", "", "", ""])
    }

    struct Odd: Sendable {
        var source: String
        var names: [String]
        var body: String
        var anomalies: [StructureAnomaly.Kind]
    }

    @Test(
        "Odd header sections are read and reported",
        arguments: [
            Odd(source: "", names: [], body: "", anomalies: []),
            Odd(source: "\nbody", names: [], body: "body", anomalies: []),
            Odd(source: "A: 1", names: ["A"], body: "", anomalies: []),
            Odd(source: "From me@x Mon\nA: 1\n\nb", names: ["A"], body: "b", anomalies: []),
            Odd(source: "just text\nmore text\n", names: [], body: "just text\nmore text\n", anomalies: [.missingHeaderEnd]),
            Odd(source: "A: 1\njunk\nB: 2\n\nb", names: ["A", "B"], body: "b", anomalies: [.headerLineWithoutColon]),
            Odd(
                source: "A: 1\nHello there\nhow are you\n",
                names: ["A"],
                body: "Hello there\nhow are you\n",
                anomalies: [.missingHeaderEnd]
            ),
            Odd(source: " lost\nA: 1\n\nb", names: ["A"], body: "b", anomalies: []),
            Odd(source: "A: \u{0}1\n\nb", names: ["A"], body: "b", anomalies: [.nulInHeader]),
            Odd(source: "A: ä\n\nb", names: ["A"], body: "b", anomalies: [.eightBitHeader]),
            Odd(source: "A\t: 1\n: 2\nB: 3\n\nb", names: ["A", "B"], body: "b", anomalies: [.headerLineWithoutColon]),
        ]
    )
    func odd(_ test: Odd) {
        let message = ParsedMessage(octets(test.source))
        #expect(message.headerFields.map { message.name(of: $0) } == test.names)
        #expect(text(message.content(of: message.parts[0])) == test.body)
        #expect(message.anomalies.map(\.kind) == test.anomalies)
    }

    @Test("A header section beyond the limit is cut, and the body is found all the same")
    func headerLimit() {
        var limits = ParserLimits()
        limits.headerSize = 40
        let message = ParsedMessage(octets("A: 1\nB: " + String(repeating: "x", count: 60) + "\nC: 3\n\nbody"), limits: limits)
        #expect(message.headerFields.map { message.name(of: $0) } == ["A"])
        #expect(message.anomalies.map(\.kind) == [.headerTooLong])
        #expect(text(message.content(of: message.parts[0])) == "body")
    }

    struct Word: Sendable {
        var input: String
        var output: String
    }

    @Test(
        "Encoded words become UTF-8",
        arguments: [
            Word(input: "plain", output: "plain"),
            Word(input: "=?utf-8?q?a_b=3D?=", output: "a b="),
            Word(input: "=?UTF-8?B?w6Q=?=", output: "ä"),
            Word(input: "=?utf-8*en?Q?x?=", output: "x"),
            Word(input: "=?iso-8859-1?q?=E4?= =?iso-8859-1?q?=F6?=", output: "äö"),
            Word(input: "=?utf-8?q?=C3?= =?utf-8?q?=A4?=", output: "ä"),
            Word(input: "=?utf-8?b?w6?= =?UTF-8?b?w6Q=?=", output: "\u{fffd}ä"),
            Word(input: "a =?utf-8?q?b?= c", output: "a b c"),
            Word(input: "=?utf-8?q?a?=b", output: "ab"),
            Word(input: "=?utf-8?q?a?= =?iso-8859-1?q?=E4?=", output: "aä"),
            Word(input: "=?koi8-r?b?0NLJ18XU?=", output: "привет"),
            Word(input: "=?ISO-2022-JP?B?GyRCJDMbKEI=?=", output: "こ"),
            Word(input: "=?utf-8?x?a?=", output: "=?utf-8?x?a?="),
            Word(input: "=?utf-8?q?open", output: "=?utf-8?q?open"),
            Word(input: "=??q?a?=", output: "=??q?a?="),
            Word(input: "=?utf-8?q?with space?=", output: "with space"),
            Word(input: "=?nonsense-7?q?a?=", output: "a"),
        ]
    )
    func encodedWords(_ test: Word) {
        #expect(text(EncodedWord.decode(octets(test.input))) == test.output)
    }

    struct Mailboxes: Sendable {
        var input: String
        var mailboxes: [HeaderMailbox]

        init(_ input: String, _ mailboxes: [(String, String)]) {
            self.input = input
            self.mailboxes = mailboxes.map { HeaderMailbox(name: $0.0, address: $0.1) }
        }
    }

    @Test(
        "Address lists yield mailboxes",
        arguments: [
            Mailboxes("", []),
            Mailboxes("joe@x.example", [("", "joe@x.example")]),
            Mailboxes("Joe <joe@x.example>", [("Joe", "joe@x.example")]),
            Mailboxes("\"Doe, Joe\" <joe@x.example>, <b@y.example>", [("Doe, Joe", "joe@x.example"), ("", "b@y.example")]),
            Mailboxes("joe@x.example (Joe)", [("Joe", "joe@x.example")]),
            Mailboxes(
                "team: a@x.example, B <b@x.example>;, c@x.example",
                [("", "a@x.example"), ("B", "b@x.example"), ("", "c@x.example")]
            ),
            Mailboxes("undisclosed-recipients:;", []),
            Mailboxes("\"joe doe\"@x.example", [("", "\"joe doe\"@x.example")]),
            Mailboxes("\"joe@x.example\"", [("", "joe@x.example")]),
            Mailboxes("\"evil@bank.example\" <joe@x.example>", [("evil@bank.example", "joe@x.example")]),
            Mailboxes("<@relay.example:joe@x.example>", [("", "joe@x.example")]),
            Mailboxes("=?utf-8?q?J=C3=B6?= <j@x.example>", [("Jö", "j@x.example")]),
            Mailboxes("=?utf-8?q?a,b?= <j@x.example>", [("a,b", "j@x.example")]),
            Mailboxes("Joe <joe@x.example", [("", "joe@x.example")]),
            Mailboxes("\"open <joe@x.example>", [("open", "joe@x.example")]),
            Mailboxes("<>", []),
            Mailboxes("Joe", [("Joe", "")]),
            Mailboxes("a(c)b@x.example", [("c", "ab@x.example")]),
        ]
    )
    func mailboxes(_ test: Mailboxes) {
        #expect(MailboxList(octets(test.input)).mailboxes == test.mailboxes)
    }

    @Test("A mailbox knows its domain")
    func domain() {
        #expect(HeaderMailbox(name: "", address: "a@b@X.Example").domain == "x.example")
        #expect(HeaderMailbox(name: "a", address: "").domain == nil)
    }

    struct Parameters: Sendable {
        var input: String
        var value: String
        var parameters: [String: String]
        var hasDuplicates = false
    }

    @Test(
        "Parameters are read with their extensions",
        arguments: [
            Parameters(input: "text/plain", value: "text/plain", parameters: [:]),
            Parameters(input: "Text / HTML ; Charset=UTF-8", value: "text/html", parameters: ["charset": "UTF-8"]),
            Parameters(input: "a/b; x=\"q \\\" ;r\"; y=2", value: "a/b", parameters: ["x": "q \" ;r", "y": "2"]),
            Parameters(input: "a/b (comment; x=1); y=2 (c)", value: "a/b", parameters: ["y": "2"]),
            Parameters(input: "a/b; n*0=\"one\"; n*1=two", value: "a/b", parameters: ["n": "onetwo"]),
            Parameters(input: "a/b; n*1=two; n*0=one", value: "a/b", parameters: ["n": "onetwo"]),
            Parameters(input: "a/b; n*=utf-8'en'%C3%A4", value: "a/b", parameters: ["n": "ä"]),
            Parameters(input: "a/b; n*0*=iso-8859-1''%E4; n*1=%41; n*2*=%41", value: "a/b", parameters: ["n": "ä%41A"]),
            Parameters(input: "a/b; n=\"=?utf-8?q?=C3=A4?=\"", value: "a/b", parameters: ["n": "ä"]),
            Parameters(input: "a/b; n=C:\\dir\\file.exe", value: "a/b", parameters: ["n": "C:\\dir\\file.exe"]),
            Parameters(input: "a/b; n=\"open; x=1", value: "a/b", parameters: ["n": "open", "x": "1"]),
            Parameters(input: "a/b;; ;x=1;junk;y = 2", value: "a/b", parameters: ["x": "1", "y": "2"]),
            Parameters(input: "a/b; n=my file.txt", value: "a/b", parameters: ["n": "my file.txt"]),
            Parameters(input: "a/b x=1 y=\"2\" z=3", value: "a/b", parameters: ["x": "1", "y": "2", "z": "3"]),
            Parameters(input: "a/b; =1; =", value: "a/b", parameters: [:]),
            Parameters(input: "a/b; x=1; x=2", value: "a/b", parameters: ["x": "1"], hasDuplicates: true),
        ]
    )
    func parameters(_ test: Parameters) {
        let value = ParameterizedValue(octets(test.input))
        #expect(text(value.value) == test.value)
        #expect(value.parameters == test.parameters)
        #expect(value.hasDuplicates == test.hasDuplicates)
    }
}
