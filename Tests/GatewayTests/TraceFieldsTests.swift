import Foundation
import MailTypes
import Testing

@testable import Gateway

@Suite("Fields that are put before a message")
struct TraceFieldsTests {
    @Test(
        "dates",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (951_868_799, "Tue, 29 Feb 2000 23:59:59 +0000"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 +0000"),
            (1_795_428_000, "Mon, 23 Nov 2026 10:00:00 +0000"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 +0000"),
            (4_107_456_000, "Sun, 28 Feb 2100 00:00:00 +0000"), (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ]
    )
    func dates(_ seconds: Int, _ text: String) {
        #expect(MessageDate.text(secondsSince1970: seconds) == text)
    }

    private static func fields(
        _ client: ClientIdentity,
        recipients: [String] = ["bob@example.com"],
        smtpUTF8: Bool = false
    ) -> TraceFields {
        TraceFields(
            hostname: "mx.example.com",
            id: TransactionID(milliseconds: 0, sequence: 1),
            envelope: Envelope(
                client: client,
                reversePath: .null,
                parameters: MailParameters(smtpUTF8: smtpUTF8),
                recipients: recipients.compactMap { MailAddress($0).map { Recipient($0) } }
            ),
            time: 0
        )
    }

    private static let client = ClientIdentity(address: IPAddress("192.0.2.7") ?? .loopback4, helo: "client.example.org")

    @Test("Received names client, protocol, id and one recipient")
    func received() {
        #expect(
            Self.fields(Self.client).received
                == "Received: from client.example.org ([192.0.2.7])\r\n\tby mx.example.com with ESMTP id 000000000001\r\n"
                + "\tfor <bob@example.com>; Thu, 01 Jan 1970 00:00:00 +0000\r\n"
        )
    }

    @Test("several recipients are not told about one another")
    func severalRecipients() {
        let field = Self.fields(Self.client, recipients: ["bob@example.com", "carol@example.com"]).received
        #expect(!field.contains("for <"))
        #expect(!field.contains("carol"))
    }

    @Test("TLS, a verified name and the protocol's name")
    func protocols() {
        var client = Self.client
        client.tls = TLSFacts(version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384")
        client.reverseName = "mail.example.org"
        let field = Self.fields(client, smtpUTF8: true).received
        #expect(field.hasPrefix("Received: from client.example.org (mail.example.org [192.0.2.7])\r\n"))
        #expect(field.contains("with UTF8SMTPS id"))
        #expect(field.contains("\r\n\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"))
        client.isExtended = false
        #expect(Self.fields(client).received.contains("with SMTP id"))
    }

    @Test(
        "what a client calls itself cannot end a field or a comment",
        arguments: ["a\r\nX-Evil: 1", "a) (b", "a;b", "\u{e9}", "", "a\\b", "a b"]
    )
    func harmless(_ helo: String) throws {
        var client = Self.client
        client.helo = helo
        let first = try #require(Self.fields(client).received.components(separatedBy: "\r\n").first)
        let name = first.dropFirst("Received: from ".count).dropLast(" ([192.0.2.7])".count)
        #expect(first.hasSuffix(" ([192.0.2.7])"))
        #expect(!name.isEmpty && name.utf8.allSatisfy { (0x21...0x7e).contains($0) })
        #expect(!name.contains { "();\\".contains($0) })
    }

    @Test(
        "scores",
        arguments: [
            (0.0, "0.0"), (0.05, "0.1"), (-0.1, "-0.1"), (-0.04, "0.0"), (12.34, "12.3"), (1_000, "1000.0"),
            (.infinity, "999999"), (-.infinity, "-999999"),
        ]
    )
    func scores(_ value: Double, _ text: String) {
        #expect(TraceFields.score(value) == text)
    }

    @Test("marks stand in front of Received, and only on what is tagged")
    func marks() {
        let fields = Self.fields(Self.client)
        let hits = [Hit(rule: "ONE", score: 3, description: ""), Hit(rule: "TWO", score: 2.5, description: "")]
        var decision = PolicyDecision(disposition: .tag, policy: "default", reason: "", score: 5.5, unchecked: ["virus"])
        let tagged = String(decoding: fields.prefix(for: decision, hits: hits, tagScore: 5), as: UTF8.self)
        #expect(
            tagged == "X-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=5.5 required=5.0\r\n\ttests=ONE,\r\n\tTWO\r\n"
                + "X-Outpost-Score: 5.5\r\nX-Outpost-Unchecked: virus\r\nX-Outpost-Id: 000000000001\r\n" + fields.received
        )
        decision.disposition = .deliver
        decision.unchecked = []
        let delivered = String(decoding: fields.prefix(for: decision, hits: hits, tagScore: 5), as: UTF8.self)
        #expect(delivered == "X-Outpost-Score: 5.5\r\nX-Outpost-Id: 000000000001\r\n" + fields.received)
    }
}
