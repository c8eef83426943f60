import MailMessage
import MailTypes
import Testing

@testable import MailChecks

private let check = SenderCheck(
    SenderCheck.Context(hostname: "MX1.example.com", receivedFields: 3) { $0 == "example.com" || $0.hasSuffix(".example.com") }
)

private let outside = IPAddress(v4: 0xcb00_7105)

private func client(_ helo: String?, address: IPAddress = outside, login: String? = nil) -> ClientIdentity {
    ClientIdentity(address: address, localAddress: IPAddress(v4: 0xc000_0201), helo: helo, login: login)
}

private func message(_ lines: [String], body: String = "text") -> ParsedMessage {
    ParsedMessage([UInt8]((lines + ["", body, ""]).joined(separator: "\r\n").utf8))
}

private let complete = [
    "From: A <a@sender.example>", "To: b@example.com", "Date: Mon, 23 Nov 2026 18:30:31 +0000", "Message-ID: <1@sender.example>",
    "Subject: x",
]

private func envelope(
    _ reversePath: String = "a@sender.example",
    recipients: Int = 1,
    client identity: ClientIdentity = client("mail.sender.example")
)
    -> Envelope
{
    Envelope(
        client: identity,
        reversePath: MailAddress(reversePath).map { .mailbox($0) } ?? .null,
        recipients: (0..<recipients).compactMap { MailAddress("r\($0)@example.com").map { Recipient($0) } }
    )
}

private func names(_ lines: [String], _ envelope: Envelope = envelope()) -> [String] {
    check.run(message(lines), envelope: envelope).hits.map(\.rule)
}

@Suite("The sender check")
struct SenderCheckTests {
    @Test(
        "the argument of EHLO",
        arguments: [
            (nil, []), ("mail.sender.example", []), ("MAIL.SENDER.EXAMPLE", []), ("localhost", ["HELO_NOT_FULL_NAME"]),
            ("203.0.113.5", ["HELO_BARE_ADDRESS"]), ("[203.0.113.5]", []), ("[203.0.113.6]", ["HELO_LITERAL_MISMATCH"]),
            ("[IPv6:2001:db8::1]", ["HELO_LITERAL_MISMATCH"]), ("[203.0.113]", ["HELO_INVALID"]), ("a b", ["HELO_INVALID"]),
            ("", ["HELO_INVALID"]),
            ("-x.example", ["HELO_INVALID"]), ("mx1.example.com", ["HELO_FORGES_US"]), ("Example.com", ["HELO_FORGES_US"]),
            ("[192.0.2.1]", ["HELO_FORGES_US"]), ("192.0.2.1", ["HELO_FORGES_US"]),
        ] as [(String?, [String])]
    )
    func hello(helo: String?, expected: [String]) {
        #expect(check.helloSymbols(client(helo)).map(\.rawValue) == expected)
    }

    @Test("a trusted client, or one with a login, may speak in our name")
    func trusted() {
        #expect(check.helloSymbols(client("example.com", address: .loopback4)) == [])
        #expect(check.helloSymbols(client("example.com", login: "user")) == [])
        let ours = ["From: us@example.com"] + complete.dropFirst()
        #expect(names(ours, envelope("us@example.com", client: client("x", address: .loopback6))) == [])
        #expect(names(ours, envelope("us@example.com")) == ["OWN_DOMAIN_FORGED"])
        #expect(names(ours, envelope("list@lists.example")) == ["OWN_DOMAIN_IN_FROM"])
        #expect(names(["From: us@sub.example.com"] + complete.dropFirst(), envelope("")) == ["OWN_DOMAIN_IN_FROM"])
    }

    @Test("a whole and honest message has no hit")
    func clean() {
        let findings = check.run(message(complete), envelope: envelope())
        #expect(findings == CheckFindings(hits: [], reports: [CheckReport(check: "sender", result: "pass", microseconds: 0)]))
    }

    @Test(
        "the reverse path",
        arguments: [
            ("a@sender.example", 5, []), ("", 1, []), ("", 2, ["NULL_SENDER_MANY_RECIPIENTS"]),
            ("a@host", 1, ["REVERSE_PATH_NOT_FULL_NAME"]),
            ("a@[203.0.113.5]", 1, ["REVERSE_PATH_LITERAL"]),
        ] as [(String, Int, [String])]
    )
    func reversePath(text: String, recipients: Int, expected: [String]) {
        #expect(names(complete, envelope(text, recipients: recipients)) == expected)
    }

    @Test(
        "each field that is missing or doubled",
        arguments: [
            (0, "HEADER_MISSING_FROM", "HEADER_DUPLICATE_FROM"), (1, nil, "HEADER_DUPLICATE_FIELD"),
            (2, "HEADER_MISSING_DATE", "HEADER_DUPLICATE_DATE"), (3, "HEADER_MISSING_MESSAGE_ID", "HEADER_DUPLICATE_MESSAGE_ID"),
            (4, "HEADER_MISSING_SUBJECT", "HEADER_DUPLICATE_SUBJECT"),
        ] as [(Int, String?, String)]
    )
    func fields(index: Int, missing: String?, doubled: String) {
        var without = complete
        without.remove(at: index)
        #expect(names(without) == [missing].compactMap { $0 })
        #expect(names(complete + [complete[index]]) == [doubled])
    }

    @Test(
        "From",
        arguments: [
            ("A <a@sender.example>", []), ("undisclosed", ["HEADER_FROM_WITHOUT_ADDRESS"]), ("", ["HEADER_FROM_WITHOUT_ADDRESS"]),
            ("a@b.example, c@d.example", ["HEADER_FROM_WITHOUT_SENDER"]),
        ]
    )
    func from(value: String, expected: [String]) {
        #expect(names(["From: \(value)"] + complete.dropFirst()) == expected)
    }

    @Test("a message that goes in circles is refused")
    func loop() {
        let received = "Received: from a by b; Mon, 23 Nov 2026 18:30:31 +0000"
        #expect(names(Array(repeating: received, count: 3) + complete) == [])
        let hits = check.run(message(Array(repeating: received, count: 4) + complete), envelope: envelope()).hits
        #expect(hits.map(\.rule) == ["ROUTING_LOOP"])
        #expect(hits.first?.action == .reject(text: "554 5.4.6 Routing loop: this message has passed too many hosts"))
    }
}

@Suite("Dates")
struct DateSyntaxTests {
    @Test(
        "RFC 5322 and its obsolete forms",
        arguments: [
            ("Mon, 23 Nov 2026 18:30:31 +0000", true), ("23 Nov 2026 18:30 -0330", true), ("1 Jan 99 0:00:00 GMT", true),
            ("Thu, 29 Feb 2024 23:59:60 +0000 (UTC)", true), ("Thu,\t1 Feb 2024 23:59:00 Z", true),
            ("Tue, 1 (a (nested)) Apr 2025 10:00:00 EST", true),
            ("29 Feb 2023 10:00:00 +0000", false), ("32 Jan 2023 10:00:00 +0000", false), ("0 Jan 2023 10:00:00 +0000", false),
            ("1 Jan 2023 24:00:00 +0000", false), ("1 Jan 2023 10:60:00 +0000", false), ("1 Jan 2023 10:00:61 +0000", false),
            ("1 Jan 2023 10:00:00", false), ("1 Jan 2023 10:00:00 +1", false), ("1 Jan 2023 10:00:00 +0099", false),
            ("2023-01-01 10:00:00 +0000", false),
            ("", false), ("now", false), ("Xyz, 1 Jan 2023 10:00:00 +0000", false), ("1 Jan 1800 10:00:00 +0000", false),
            ("1 Jan 2023 10 +0000", false),
            ("1 Jan 2023 10:00:00 +0000 (open", false), (String(repeating: "(", count: 300), false),
        ]
    )
    func dates(text: String, isDate: Bool) {
        #expect(DateSyntax.isDate([UInt8](text.utf8)) == isDate)
    }
}
