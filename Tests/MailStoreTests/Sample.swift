import ContentStorage
import GRDB
import MailTypes
import OutpostTestKit

@testable import MailStore

/// Records and stores for the tests.
enum Sample {
    /// 2026-11-23T00:00:00Z
    static let start: Int64 = 1_795_392_000_000

    static func id(_ number: Int) -> TransactionID {
        TransactionID(milliseconds: UInt64(self.start) + UInt64(number), sequence: UInt32(number & 0x7fff))
    }

    static let message: [UInt8] = Array("From: a@example.org\r\nSubject: Hello\r\n\r\nText\r\n".utf8)

    static func envelope(
        from: String? = "sender@example.org",
        to: [String] = ["user@example.com"]
    ) -> Envelope {
        Envelope(
            client: ClientIdentity(
                address: IPAddress("192.0.2.7")!,
                port: 4_321,
                helo: "mail.example.org",
                tls: TLSFacts(version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384")
            ),
            reversePath: from.map { .mailbox(MailAddress($0, allowUTF8: true)!) } ?? .null,
            parameters: MailParameters(size: 46, body: .eightBitMIME),
            recipients: to.map { Recipient(MailAddress($0, allowUTF8: true)!, notify: "FAILURE", orcpt: "rfc822;\($0)") }
        )
    }

    static func record(
        _ number: Int,
        kind: QuarantineRecord.Kind = .held,
        received: Int64? = nil,
        envelope: Envelope = Sample.envelope(),
        subject: String = "Hello",
        rules: [String] = ["BIG_WIN"],
        signature: String? = nil,
        heldBy: [String] = [],
        octets: Int = Sample.message.count
    ) -> QuarantineRecord {
        QuarantineRecord(
            id: self.id(number),
            kind: kind,
            received: received ?? self.start + Int64(number),
            envelope: envelope,
            route: "internal",
            policy: "default",
            reason: "score 8.5 >= hold_score 8",
            score: 8.5,
            hits: rules.enumerated().map { index, name in
                Hit(
                    rule: name,
                    score: 8.5 - Double(index),
                    description: "Promises a lot",
                    file: "Rules/10.cf",
                    line: 12 + index,
                    locations: [MatchLocation(view: "body", part: "1", offset: 4, text: "you won")],
                    action: index == 0 ? .reject(text: "no") : nil
                )
            },
            scan: ScanFindings(
                status: signature.map { .found([$0]) } ?? .clean,
                engine: "libclamav 1.4.6 / 27450",
                microseconds: 400
            ),
            heldBy: heldBy,
            contentHash: Array(repeating: UInt8(number & 0xff), count: 32),
            octets: octets,
            subject: subject,
            headerFrom: "A Person <a@example.org>",
            has8Bit: true,
            prefix: Array("X-Outpost-Id: 1\r\n".utf8),
            unchecked: ["virus"]
        )
    }

    static func store(
        _ directory: TemporaryDirectory,
        limits: QuarantineLimits = QuarantineLimits(),
        clock: @escaping @Sendable () -> Int64 = { Sample.start + 1_000_000 }
    ) throws -> QuarantineStore {
        try QuarantineStore(directory: directory.path + "/quarantine", limits: limits, clock: clock)
    }
}

extension QuarantineStore {
    func hold(_ number: Int) async throws {
        try await self.hold(Sample.record(number), content: .memory(Sample.message))
    }

    /// How the writing connection waits for the disk: 1 is NORMAL, 2 is FULL.
    func synchronousSetting() async throws -> Int? {
        try await self.pool.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    }
}
