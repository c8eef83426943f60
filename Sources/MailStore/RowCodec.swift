import Foundation
import GRDB
import MailTypes

/// Records as rows and back.
enum RowCodec {
    static let summaryColumns = """
        id, kind, state, received, sender, recipients, header_from, subject, route, policy, reason, score, rules, signatures, \
        octets, note, released, released_by, doubtful
        """

    static func insert(_ record: QuarantineRecord, octets: Int, into database: Database) throws {
        let sender = self.oneLine(record.envelope.reversePath.description)
        let recipients = record.envelope.recipients.map { self.oneLine($0.forwardPath.text) }.joined(separator: "\n")
        let headerFrom = self.withoutNUL(record.headerFrom)
        let subject = self.withoutNUL(record.subject)
        let rules = record.hits.sorted { $0.score > $1.score }.map(\.rule)
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO messages (id, kind, state, received, sender, recipients, header_from, subject, folded_from, folded_to, \
                folded_subject, route, policy, reason, score, rules, signatures, octets, stored, content_hash, prefix, facts) \
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        let arguments: [(any DatabaseValueConvertible)?] = [
            record.id.text, record.kind.rawValue, QuarantineState.waiting.rawValue, record.received,
            sender, recipients, headerFrom, subject,
            "\(sender)\n\(headerFrom)".lowercased(), recipients.lowercased(), subject.lowercased(),
            record.route, record.policy, self.withoutNUL(record.reason),
            record.score.isNaN ? 0 : record.score, rules.joined(separator: "\n"), record.signatures.joined(separator: "\n"),
            octets, octets, Data(record.contentHash), Data(record.prefix), try StoredFacts(record).encoded(),
        ]
        try statement.execute(arguments: StatementArguments(arguments))
        let names = try database.cachedStatement(sql: "INSERT INTO names (message, kind, name) VALUES (?, ?, ?)")
        for rule in Set(rules) {
            try names.execute(arguments: [record.id.text, "rule", rule])
        }
        for signature in Set(record.signatures) {
            try names.execute(arguments: [record.id.text, "signature", signature])
        }
    }

    static func summary(_ row: Row) throws -> QuarantineSummary {
        let values = try self.state(row[0], row[1], row[2])
        return QuarantineSummary(
            id: values.id,
            kind: values.kind,
            state: values.state,
            received: row[3],
            sender: row[4],
            recipients: self.lines(row[5]),
            headerFrom: row[6],
            subject: row[7],
            route: row[8],
            policy: row[9],
            reason: row[10],
            score: row[11],
            rules: self.lines(row[12]),
            signatures: self.lines(row[13]),
            octets: row[14],
            note: row[15],
            released: row[16],
            releasedBy: row[17],
            mayHaveBeenDelivered: row[18]
        )
    }

    static func entry(_ row: Row) throws -> QuarantineEntry {
        let values = try self.state(row["id"], row["kind"], row["state"])
        let facts = try StoredFacts.decoded(row["facts"])
        let record = self.record(row, id: values.id, kind: values.kind, facts)
        return QuarantineEntry(
            record: record,
            state: values.state,
            note: row["note"],
            released: row["released"],
            releasedBy: row["released_by"],
            mayHaveBeenDelivered: row["doubtful"]
        )
    }

    /// From the columns that the quarantine's and the spool's tables share.
    static func record(
        _ row: Row,
        id: TransactionID,
        kind: QuarantineRecord.Kind,
        _ facts: StoredFacts
    ) -> QuarantineRecord {
        let hash: Data = row["content_hash"]
        let prefix: Data = row["prefix"]
        return QuarantineRecord(
            id: id,
            kind: kind,
            received: row["received"],
            envelope: facts.envelope,
            route: row["route"],
            policy: row["policy"],
            reason: row["reason"],
            score: row["score"],
            hits: facts.hits.map(\.hit),
            scan: facts.scan.findings,
            heldBy: facts.heldBy,
            contentHash: [UInt8](hash),
            octets: row["octets"],
            subject: row["subject"],
            headerFrom: row["header_from"],
            has8Bit: facts.has8Bit,
            prefix: [UInt8](prefix),
            unchecked: facts.unchecked
        )
    }

    private static func state(
        _ id: String,
        _ kind: String,
        _ state: String
    ) throws -> (id: TransactionID, kind: QuarantineRecord.Kind, state: QuarantineState) {
        guard let known = TransactionID(id),
            let kind = QuarantineRecord.Kind(rawValue: kind),
            let state = QuarantineState(rawValue: state)
        else { throw QuarantineError.unusable("a row that this version does not know: \(id.debugDescription)") }
        return (known, kind, state)
    }

    static func lines(_ text: String) -> [String] {
        text.isEmpty ? [] : text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }

    private static func oneLine(_ text: String) -> String {
        let text = self.withoutNUL(text)
        return text.utf8.contains(10) ? String(decoding: text.utf8.map { $0 == 10 ? 32 : $0 }, as: UTF8.self) : text
    }

    /// SQLite's text functions end at a NUL; what comes behind it must not become invisible to a search.
    private static func withoutNUL(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "\0" ? "\u{fffd}" : $0 }))
    }
}
