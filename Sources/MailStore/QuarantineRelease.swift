import Foundation
import GRDB
import MailTypes

/// The right to deliver a held message, for one process.
package struct ReleaseClaim: Hashable, Sendable {
    /// What is delivered; its envelope has the recipients of this release.
    package var record: QuarantineRecord
    /// An earlier release was cut off after it may have delivered the message.
    package var mayHaveBeenDelivered: Bool
    package var by: String
    package var why: String
    /// Tells this claim from any other.
    let owner: String
    let since: Int64

    package var id: TransactionID { self.record.id }
}

/// How a release ended.
package enum ReleaseOutcome: Hashable, Sendable {
    /// The downstream took the message; its reply.
    case delivered(String)
    /// The downstream, or the virus scan, said no for good.
    case refused(String)
    /// It may work later.
    case failed(String)
    /// The connection was lost when the downstream may have had the message.
    case uncertain(String)
}

extension QuarantineStore {
    /// Takes the right to deliver a held message. Whoever gets it must call `finishRelease`; when the process dies before,
    /// the next one takes over and is told that the message may have been delivered.
    /// - Parameters:
    ///   - recipients: where the message goes instead of its own recipients.
    ///   - again: also when it was released before.
    /// - Throws: `QuarantineError.alreadyReleased`, `.beingReleased`, `.deleted`, `.reviewOnly`, `.notFound`.
    package func beginRelease(
        _ id: TransactionID,
        by: String,
        why: String = "",
        to recipients: [MailAddress]? = nil,
        again: Bool = false
    ) async throws -> ReleaseClaim {
        let owner = ReleaseOwner.current.text
        let now = self.clock()
        return try await self.pool.write { database in
            var entry = try Self.entry(id, in: database)
            guard entry.record.kind == .held else { throw QuarantineError.reviewOnly(id) }
            let isTakenOver = try self.checkReleasable(entry, again: again, in: database)
            if let recipients { entry.record.envelope.recipients = recipients.map { Recipient($0) } }
            // What a release that was cut off started from stays what a failure falls back to.
            let before = isTakenOver ? "release_from" : "state"
            try database.execute(
                sql: """
                    UPDATE messages SET release_from = \(before), state = 'releasing', release_owner = ?, release_by = ?, \
                    release_since = ?, doubtful = max(doubtful, ?) WHERE id = ?
                    """,
                arguments: [owner, by, now, isTakenOver, id.text]
            )
            try self.addPass(entry.record, now: now, in: database)
            let detail = recipients.map { "to \($0.map(\.text).joined(separator: ", "))" } ?? ""
            try self.note(isTakenOver ? .releaseTakenOver : .releaseBegun, id, by: by, why: why, detail: detail, in: database)
            return ReleaseClaim(
                record: entry.record,
                mayHaveBeenDelivered: isTakenOver || entry.mayHaveBeenDelivered,
                by: by,
                why: why,
                owner: owner,
                since: now
            )
        }
    }

    /// True when another process's release was cut off and is taken over.
    private func checkReleasable(_ entry: QuarantineEntry, again: Bool, in database: Database) throws -> Bool {
        let id = entry.record.id
        switch entry.state {
        case .waiting:
            return false
        case .deleted:
            throw QuarantineError.deleted(id)
        case .released:
            if again { return false }
            throw QuarantineError.alreadyReleased(id, at: entry.released ?? 0, by: entry.releasedBy ?? "")
        case .releasing:
            try self.checkOwnerIsGone(id, in: database)
            return true
        }
    }

    /// - Throws: `QuarantineError.beingReleased` while the process that releases the message lives.
    func checkOwnerIsGone(_ id: TransactionID, in database: Database) throws {
        let row = try Row.fetchOne(
            database,
            sql: "SELECT release_owner, release_since, release_by FROM messages WHERE id = ?",
            arguments: [id.text]
        )
        guard let row else { throw QuarantineError.notFound(id.text) }
        let since: Int64 = row["release_since"] ?? 0
        if ReleaseOwner.isAlive(row["release_owner"] ?? "", since: since, now: self.clock()) {
            throw QuarantineError.beingReleased(id, since: since, by: row["release_by"] ?? "")
        }
    }

    /// Says how a release ended: the message is released, or waits again.
    /// - Throws: `QuarantineError.claimLost` when another process took over; what this one did is in the audit trail
    ///   all the same.
    package func finishRelease(_ claim: ReleaseClaim, _ outcome: ReleaseOutcome) async throws {
        let now = self.clock()
        let isOurs = try await self.pool.write { database in
            let isOurs =
                try Bool.fetchOne(
                    database,
                    sql: "SELECT state = 'releasing' AND release_owner = ? AND release_since = ? FROM messages WHERE id = ?",
                    arguments: [claim.owner, claim.since, claim.id.text]
                ) ?? false
            switch outcome {
            case .delivered(let detail):
                // Delivered is delivered, whoever holds the claim now.
                try database.execute(
                    sql: """
                        UPDATE messages SET state = 'released', released = ?, released_by = ?, release_owner = NULL, doubtful = 0 \
                        WHERE id = ? AND state <> 'deleted'
                        """,
                    arguments: [now, claim.by, claim.id.text]
                )
                try self.note(.released, claim.id, by: claim.by, why: claim.why, detail: detail, in: database)
            case .refused(let detail), .failed(let detail):
                try self.giveBack(claim, isOurs: isOurs, detail: detail, isDoubtful: false, in: database)
            case .uncertain(let detail):
                try self.giveBack(claim, isOurs: isOurs, detail: detail, isDoubtful: true, in: database)
            }
            return isOurs
        }
        if !isOurs { throw QuarantineError.claimLost(claim.id) }
    }

    private func giveBack(_ claim: ReleaseClaim, isOurs: Bool, detail: String, isDoubtful: Bool, in database: Database) throws {
        try self.note(.releaseFailed, claim.id, by: claim.by, why: claim.why, detail: detail, in: database)
        guard isOurs else { return }
        try database.execute(
            sql: "UPDATE messages SET state = release_from, release_owner = NULL, doubtful = max(doubtful, ?) WHERE id = ?",
            arguments: [isDoubtful, claim.id.text]
        )
        if !isDoubtful {
            try database.execute(
                sql: "DELETE FROM passes WHERE message = ? AND (SELECT state FROM messages WHERE id = ?) = 'waiting'",
                arguments: [claim.id.text, claim.id.text]
            )
        }
    }

    // MARK: Passes

    private func addPass(_ record: QuarantineRecord, now: Int64, in database: Database) throws {
        let recipients = record.envelope.recipients.map(\.forwardPath.folded).sorted()
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO passes (message, content_hash, sender, recipients, rules, expires) VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                record.id.text, Data(record.contentHash), record.envelope.reversePath.address?.folded ?? "",
                recipients.joined(separator: "\n"), record.skippedRules.joined(separator: "\n"),
                now + Int64(self.limits.passSeconds) * 1_000,
            ]
        )
    }

    /// Whether this very message was released to these recipients: the rules that a release skips, or nil. The gateway
    /// asks before it holds a message, so that one that comes by again is not caught again by the same rules.
    package func isReleased(contentHash: [UInt8], reversePath: ReversePath, recipients: [MailAddress]) async throws -> [String]? {
        let wanted = Set(recipients.map(\.folded))
        let sender = reversePath.address?.folded ?? ""
        let now = self.clock()
        return try await self.pool.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT recipients, rules FROM passes WHERE content_hash = ? AND sender = ? AND expires > ?",
                arguments: [Data(contentHash), sender, now]
            )
            for row in rows where wanted.isSubset(of: RowCodec.lines(row["recipients"])) {
                return RowCodec.lines(row["rules"])
            }
            return nil
        }
    }
}
