import ContentStorage
import MailTypes

@testable import MailStore

enum Sample {
    static let start: Int64 = 1_795_392_000_000

    static func id(_ number: Int) -> TransactionID {
        TransactionID(milliseconds: UInt64(self.start) + UInt64(number), sequence: UInt32(number & 0x7fff))
    }

    static func record(
        _ number: Int,
        kind: QuarantineRecord.Kind = .held,
        sender: String = "sender@example.org",
        subject: String = "Hello",
        octets: Int = 0
    ) -> QuarantineRecord {
        QuarantineRecord(
            id: self.id(number),
            kind: kind,
            received: self.start + Int64(number),
            envelope: Envelope(
                client: ClientIdentity(address: IPAddress("192.0.2.7")!, helo: "mail.example.org"),
                reversePath: .mailbox(MailAddress(sender, allowUTF8: true)!),
                recipients: [Recipient(MailAddress("user@example.com")!)]
            ),
            route: "internal",
            policy: "default",
            reason: "score 8.5 >= hold_score 8",
            score: 8.5,
            hits: [
                Hit(
                    rule: "BIG_WIN",
                    score: 8.5,
                    description: "Promises a lot",
                    file: "Rules/10.cf",
                    line: 12,
                    locations: [MatchLocation(view: "body", part: "1", offset: 4, text: "you\u{1b}[2Jwon")]
                )
            ],
            scan: ScanFindings(status: .clean),
            contentHash: Array(repeating: UInt8(number & 0xff), count: 32),
            octets: octets,
            subject: subject,
            headerFrom: "A Person <a@example.org>"
        )
    }

    static func summary(_ number: Int, subject: String = "Hello") -> QuarantineSummary {
        QuarantineSummary(
            id: self.id(number),
            kind: .held,
            state: .waiting,
            received: self.start + Int64(number),
            sender: "sender@example.org",
            recipients: ["user@example.com", "b@example.com"],
            headerFrom: "A Person <a@example.org>",
            subject: subject,
            route: "internal",
            policy: "default",
            reason: "score 8.5 >= hold_score 8",
            score: 8.5,
            rules: ["BIG_WIN"],
            signatures: [],
            octets: 100,
            note: nil,
            released: nil,
            releasedBy: nil,
            mayHaveBeenDelivered: false
        )
    }

    static func message(_ subject: String, _ text: String) -> [UInt8] {
        Array("From: a@example.org\r\nSubject: \(subject)\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\(text)\r\n".utf8)
    }
}
