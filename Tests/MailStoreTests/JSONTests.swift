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
}
