import ContentStorage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Output for programs")
struct JSONTests {
    @Test("a line of a listing has exactly these keys")
    func summary() async throws {
        let directory = try TemporaryDirectory()
        let store = try Sample.store(directory)
        try await store.hold(Sample.record(1, subject: "a \"b\" \u{1b}\u{9b}\n/"), content: .memory(Sample.message))
        let line = try jsonLine(SummaryJSON(try #require(try await store.list().first)))
        let expected = """
            {"from":"A Person <a@example.org>","id":"\(Sample.id(1))","kind":"held","mayHaveBeenDelivered":false,"note":null,\
            "octets":45,"policy":"default","reason":"score 8.5 >= hold_score 8","received":"2026-11-23T00:00:00.001Z",\
            "recipients":["user@example.com"],"released":null,"releasedBy":null,"route":"internal","rules":["BIG_WIN"],\
            "score":8.5,"sender":"sender@example.org","signatures":[],"state":"waiting",\
            "subject":"a \\"b\\" \\u001b\\u009b\\n/"}
            """
        #expect(line == expected)
    }

    @Test("all about one message has exactly these keys")
    func entry() async throws {
        let directory = try TemporaryDirectory()
        let store = try Sample.store(directory)
        try await store.hold(Sample.record(1, signature: "Eicar", heldBy: ["BIG_WIN"]), content: .memory(Sample.message))
        try await store.mark(Sample.id(1), note: "ask", by: "ann")
        let line = try jsonLine(EntryJSON(try await store.record(Sample.id(1)), audit: try await store.audit(Sample.id(1))))
        let expected = """
            {"audit":[{"action":"noted","detail":"ask","when":"2026-11-23T00:16:40.000Z","who":"ann","why":""}],\
            "client":{"address":"192.0.2.7","helo":"mail.example.org","name":null,"port":4321,"tls":"TLSv1.3 TLS_AES_256_GCM_SHA384"},\
            "from":"A Person <a@example.org>","heldBy":["BIG_WIN"],"hits":[{"description":"Promises a lot","file":"Rules/10.cf",\
            "line":12,"matches":[{"offset":4,"part":"1","text":"you won","view":"body"}],"rule":"BIG_WIN","score":8.5}],\
            "id":"\(Sample.id(1))","kind":"held","mayHaveBeenDelivered":false,"note":"ask","octets":45,"policy":"default",\
            "reason":"score 8.5 >= hold_score 8","received":"2026-11-23T00:00:00.001Z","recipients":["user@example.com"],\
            "released":null,"releasedBy":null,"route":"internal","score":8.5,"sender":"sender@example.org",\
            "sha256":"\(String(repeating: "01", count: 32))","state":"waiting","subject":"Hello","unchecked":["virus"],\
            "virus":{"engine":"libclamav 1.4.6 / 27450","reason":null,"signature":"Eicar","status":"infected"}}
            """
        #expect(line == expected)
    }

    @Test("a line that is told member by member is the encoder's, to the octet")
    func line() throws {
        struct Inner: Encodable {
            var a_flag: Bool
            var none: String?
            var null: OrNull<String>
        }
        struct Outer: Encodable {
            var empty: [Inner]
            var inner: Inner
            var list: [Inner]
            var number: Int
            var numbers: [String: Double]
            var texts: [String]
        }
        let scalars = [0..<0x300, 0x2000..<0x2100, 0xfff0..<0x1_0010].joined().compactMap { Unicode.Scalar(UInt32($0)) }
        let texts = ["", "\u{c2}", "e\u{301}\r\n", String(String.UnicodeScalarView(scalars))]
        let inner = [true, false].map { Inner(a_flag: $0, none: $0 ? "some" : nil, null: OrNull($0 ? nil : "text")) }
        let numbers: [String: Double] = [
            "a": 5, "b": -0.125, "c": 1e20, "d": 1e-7, "e": -.infinity, "f": .nan, "g": -0.0, "h": 0.1 + 0.2,
        ]
        let outer = Outer(empty: [], inner: inner[0], list: inner, number: .min, numbers: numbers, texts: texts)
        func write(_ line: inout JSONLine, _ inner: Inner) {
            line.member("a_flag", inner.a_flag)
            line.member("none", ifPresent: inner.none)
            line.member("null", orNull: inner.null.value)
        }
        let line = JSONLine.object { line in
            line.list("empty") { _ in }
            line.member("inner") { write(&$0, outer.inner) }
            line.list("list") { line in
                for inner in outer.list { line.element { write(&$0, inner) } }
            }
            line.member("number", outer.number)
            line.member("numbers") {
                $0.member("a", 5.0)
                $0.member("b", -0.125)
                $0.member("c", 1e20)
                $0.member("d", 1e-7)
                $0.member("e", -Double.infinity)
                $0.member("f", Double.nan)
                $0.member("g", -0.0)
                $0.member("h", 0.1 + 0.2)
            }
            line.member("texts", outer.texts)
        }
        #expect(try line == jsonLine(outer))
    }
}
