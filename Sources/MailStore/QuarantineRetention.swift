import ContentStorage
import GRDB
import MailTypes
import SystemKit

/// What a purge removes.
package enum PurgeScope: Hashable, Sendable {
    /// What the limits say: too old, or copies of refused mail beyond their room.
    case retention
    /// Older than so many seconds, of one kind or of both.
    case olderThan(Int, QuarantineRecord.Kind?)
    /// Everything of one kind.
    case all(QuarantineRecord.Kind)
}

extension QuarantineStore {
    /// Messages removed in one transaction, so that held messages need not wait for a long purge.
    private static let purgeBatch = 500
    /// How full, of 100, a purge leaves the room of copies once it ran over: the next copies have a place again.
    private static let copiesLeft = 90
    private static let day: Int64 = 86_400_000

    // MARK: Single messages

    /// Removes a message's content; its facts and trail stay until they are too old.
    /// - Throws: `QuarantineError.notFound`, `.deleted`, `.beingReleased`.
    package func delete(_ id: TransactionID, by: String, why: String = "") async throws {
        try await self.pool.write { database in
            let entry = try Self.entry(id, in: database)
            if entry.state == .deleted { throw QuarantineError.deleted(id) }
            if entry.state == .releasing { try self.checkOwnerIsGone(id, in: database) }
            try database.execute(sql: "UPDATE messages SET state = 'deleted', stored = 0 WHERE id = ?", arguments: [id.text])
            let isDoubtful = entry.state == .releasing || entry.mayHaveBeenDelivered
            try self.note(.deleted, id, by: by, why: why, detail: isDoubtful ? "may have been delivered" : "", in: database)
        }
        self.files.remove(id)
    }

    /// Writes a remark beside a message; an empty one removes it.
    package func mark(_ id: TransactionID, note: String, by: String) async throws {
        try await self.pool.write { database in
            try database.execute(
                sql: "UPDATE messages SET note = ? WHERE id = ?",
                arguments: [note.isEmpty ? nil : note, id.text]
            )
            guard database.changesCount == 1 else { throw QuarantineError.notFound(id.text) }
            try self.note(.noted, id, by: by, why: "", detail: note, in: database)
        }
    }

    /// Writes the stored bytes to a new file that only this user can read.
    /// - Throws: `SystemError` (EEXIST when there is such a file), and what `content(of:)` throws.
    package func export(_ id: TransactionID, to path: String, by: String) async throws {
        let content = try await self.content(of: id)
        let file = try File(creating: path)
        try self.files.copy(content, to: file)
        try await self.pool.write { database in
            try self.note(.exported, id, by: by, why: "", detail: path, in: database)
        }
    }

    // MARK: Many messages

    /// Removes messages with their facts; the audit trail keeps a line of each.
    /// - Returns: how many were removed, or would be in a dry run.
    @discardableResult
    package func purge(_ scope: PurgeScope, by: String, why: String = "", dryRun: Bool = false) async throws -> Int {
        let now = self.clock()
        var count = 0
        for (condition, bound) in self.conditions(scope, now: now) {
            count += try await self.purge(where: condition, bound, by: by, why: why, dryRun: dryRun)
        }
        guard case .retention = scope else { return count }
        count += try await self.purgeCopiesBeyondRoom(by: by, dryRun: dryRun)
        if dryRun { return count }
        try await self.forgetOldTrails(now: now)
        try await MessageFiles.besideOthers { try self.sweepIfDue() }
        return count
    }

    private func conditions(_ scope: PurgeScope, now: Int64) -> [(String, Int64)] {
        switch scope {
        case .retention:
            [
                ("kind = 'held' AND received < ?", now - Int64(self.limits.keepDays) * Self.day),
                ("kind = 'rejected' AND received < ?", now - Int64(self.limits.keepRejectedDays) * Self.day),
            ]
        case .olderThan(let seconds, nil): [("received < ?", now - Int64(seconds) * 1_000)]
        case .olderThan(let seconds, let kind?): [("kind = '\(kind.rawValue)' AND received < ?", now - Int64(seconds) * 1_000)]
        case .all(let kind): [("kind = '\(kind.rawValue)' AND received < ?", Int64.max)]
        }
    }

    private func purge(where condition: String, _ bound: Int64, by: String, why: String, dryRun: Bool) async throws -> Int {
        // A message that is being released is in use; the next purge finds it.
        let condition = "\(condition) AND state <> 'releasing'"
        if dryRun {
            return try await self.pool.read { database in
                try Int.fetchOne(database, sql: "SELECT count(*) FROM messages WHERE \(condition)", arguments: [bound]) ?? 0
            }
        }
        var count = 0
        while true {
            let removed = try await self.pool.write { database in
                let ids = try String.fetchAll(
                    database,
                    sql: "SELECT id FROM messages WHERE \(condition) ORDER BY received LIMIT \(Self.purgeBatch)",
                    arguments: [bound]
                ).compactMap { TransactionID($0) }
                try self.forget(ids, by: by, why: why, in: database)
                return ids
            }
            for id in removed { self.files.remove(id) }
            count += removed.count
            if removed.count < Self.purgeBatch { return count }
        }
    }

    private func forget(_ ids: [TransactionID], by: String, why: String, in database: Database) throws {
        for id in ids {
            try database.execute(sql: "DELETE FROM messages WHERE id = ?", arguments: [id.text])
            try self.note(.purged, id, by: by, why: why, in: database)
        }
    }

    /// Removes the oldest copies once they are beyond their room.
    private func purgeCopiesBeyondRoom(by: String, dryRun: Bool) async throws -> Int {
        let used = try await self.octets().rejected
        guard used > self.limits.maxRejectedSize else { return 0 }
        let excess = used - self.limits.maxRejectedSize / 100 * Self.copiesLeft
        let ids = try await self.pool.read { [excess] database in
            var excess = excess
            var ids: [TransactionID] = []
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT id, stored FROM messages WHERE kind = 'rejected' AND stored > 0 ORDER BY received, id"
            )
            while excess > 0, let row = try rows.next() {
                excess -= row["stored"]
                if let id = TransactionID(row["id"] as String) { ids.append(id) }
            }
            return ids
        }
        if dryRun { return ids.count }
        for start in stride(from: 0, to: ids.count, by: Self.purgeBatch) {
            let batch = Array(ids[start..<min(start + Self.purgeBatch, ids.count)])
            try await self.pool.write { try self.forget(batch, by: by, why: "more copies than there is room for", in: $0) }
            for id in batch { self.files.remove(id) }
        }
        return ids.count
    }

    private func forgetOldTrails(now: Int64) async throws {
        let oldest = now - Int64(self.limits.keepAuditDays) * Self.day
        try await self.pool.write { database in
            try database.execute(sql: "DELETE FROM audit WHERE moment < ?", arguments: [oldest])
            try database.execute(sql: "DELETE FROM passes WHERE expires < ?", arguments: [now])
        }
    }
}
