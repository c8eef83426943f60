import Foundation
import GRDB
import MailPolicy
import Synchronization

/// A line of the greylist for people.
package struct GreylistEntry: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, CaseIterable {
        /// Was asked to come again.
        case pending
        /// A sender that is known.
        case passed
    }

    package var id: Int64
    package var state: State
    package var source: String
    package var path: String
    /// Milliseconds since 1970.
    package var first: Int64
    package var last: Int64
    /// Visits so far.
    package var visits: Int
    package var expires: Int64
}

/// The greylist in SQLite. A visit does not wait for the disk: what a power failure takes costs a delay, and a file that is
/// damaged is put aside when it is opened.
///
/// Visits that wait are answered together, in one transaction on one thread.
package final class GreylistDatabase: GreylistStore {
    /// Records that are kept, some 200 octets each; beyond them those that were not used for longest go.
    package static let maximumRecords = 500_000
    /// Visits in one transaction.
    private static let batch = 256
    /// Milliseconds between two clearances of what has expired.
    private static let clearanceInterval: Int64 = 60_000

    private struct Job: Sendable {
        var key: GreylistKey
        var settings: GreylistSettings
        var now: Int64
        var done: CheckedContinuation<GreylistVerdict, any Error>
    }

    private let queue: DatabaseQueue
    private let limit: Int
    private let jobs = BatchQueue<Job>(label: "greylist", limit: batch)
    /// When expired records were removed last.
    private let cleared = Mutex<Int64>(0)

    /// Opens the greylist, and makes it where there is none.
    /// - Parameter directory: the data directory.
    package init(directory: String, limit: Int = GreylistDatabase.maximumRecords) throws {
        self.limit = limit
        self.queue = try SharedDatabase.openOrReplace(Self.file(in: directory), label: "greylist", prepare: Self.makeTables)
    }

    static func makeTables(_ queue: DatabaseQueue) throws {
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS records (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        state TEXT NOT NULL,
                        source TEXT NOT NULL,
                        path TEXT NOT NULL,
                        content BLOB NOT NULL,
                        first INTEGER NOT NULL,
                        last INTEGER NOT NULL,
                        visits INTEGER NOT NULL,
                        expires INTEGER NOT NULL
                    );
                    CREATE UNIQUE INDEX IF NOT EXISTS records_by_key ON records (source, path, content);
                    CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires);
                    CREATE INDEX IF NOT EXISTS records_by_use ON records (last);
                    """
            )
        }
    }

    package static func file(in directory: String) -> String { directory + "/greylist.sqlite" }

    // MARK: - Visits

    package func visit(_ key: GreylistKey, settings: GreylistSettings, now: Int64) async throws -> GreylistVerdict {
        try await withCheckedThrowingContinuation { done in
            self.jobs.add(Job(key: key, settings: settings, now: now, done: done)) { self.answer($0) }
        }
    }

    private func answer(_ jobs: [Job]) {
        let newest = jobs.map(\.now).max() ?? 0
        let clears = self.cleared.withLock { cleared in
            guard newest - cleared >= Self.clearanceInterval else { return false }
            cleared = newest
            return true
        }
        do {
            let verdicts = try self.queue.write { database in
                if clears { try self.clear(database, now: newest) }
                return try jobs.map { try Self.visit($0, database) }
            }
            for (job, verdict) in zip(jobs, verdicts) { job.done.resume(returning: verdict) }
        } catch {
            for job in jobs { job.done.resume(throwing: error) }
        }
    }

    private static func visit(_ job: Job, _ database: Database) throws -> GreylistVerdict {
        let key = job.key
        let content = Data(key.content)
        let pending = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT first, visits FROM records WHERE source = ? AND path = ? AND content = ?"),
            arguments: [key.source, key.path, content]
        )
        let passed = try Row.fetchOne(
            database.cachedStatement(
                sql: "SELECT first, visits, expires FROM records WHERE source = ? AND path = ? AND content = x''"
            ),
            arguments: [key.source, key.path]
        )
        var record = GreylistRecord(first: pending.map { $0["first"] }, knownUntil: passed.map { $0["expires"] })
        let verdict = record.visit(job.settings, now: job.now)
        if let first = record.first {
            let isSame = pending.map { $0["first"] == first } ?? false
            let visits: Int = isSame ? pending.map { $0["visits"] } ?? 0 : 0
            let expires = first + Int64(job.settings.windowSeconds) * 1_000
            try self.put(.pending, key, content, first: first, now: job.now, visits: visits + 1, expires: expires, database)
        } else if pending != nil {
            try database.execute(
                sql: "DELETE FROM records WHERE source = ? AND path = ? AND content = ?",
                arguments: [key.source, key.path, content]
            )
        }
        if let until = record.knownUntil {
            let first: Int64 = passed.map { $0["first"] } ?? job.now
            let visits: Int = passed.map { $0["visits"] } ?? 0
            try self.put(.passed, key, Data(), first: first, now: job.now, visits: visits + 1, expires: until, database)
        }
        return verdict
    }

    private static func put(
        _ state: GreylistEntry.State,
        _ key: GreylistKey,
        _ content: Data,
        first: Int64,
        now: Int64,
        visits: Int,
        expires: Int64,
        _ database: Database
    ) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO records (state, source, path, content, first, last, visits, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (source, path, content) DO UPDATE SET state = excluded.state, first = excluded.first, \
                last = excluded.last, visits = excluded.visits, expires = excluded.expires
                """
        ).execute(arguments: [state.rawValue, key.source, key.path, content, first, now, visits, expires])
    }

    private func clear(_ database: Database, now: Int64) throws {
        try database.execute(sql: "DELETE FROM records WHERE expires < ?", arguments: [now])
        let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM records") ?? 0
        guard count > self.limit else { return }
        try database.execute(
            sql: "DELETE FROM records WHERE id IN (SELECT id FROM records ORDER BY last LIMIT ?)",
            arguments: [count - self.limit]
        )
    }

    // MARK: - For people

    /// The newest visits first.
    package func list(_ state: GreylistEntry.State? = nil, limit: Int, now: Int64) async throws -> [GreylistEntry] {
        try await self.queue.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM records WHERE expires >= ? AND (? IS NULL OR state = ?) ORDER BY last DESC, id DESC LIMIT ?
                    """,
                arguments: [now, state?.rawValue, state?.rawValue, limit]
            ).compactMap { row in
                guard let state = GreylistEntry.State(rawValue: row["state"]) else { return nil }
                return GreylistEntry(
                    id: row["id"],
                    state: state,
                    source: row["source"],
                    path: row["path"],
                    first: row["first"],
                    last: row["last"],
                    visits: row["visits"],
                    expires: row["expires"]
                )
            }
        }
    }

    /// Makes the sender of a message known, as if the message had come again.
    /// - Returns: false when there is no such record.
    package func pass(_ id: Int64, settings: GreylistSettings, now: Int64) async throws -> Bool {
        try await self.queue.write { database in
            let sql = "SELECT source, path FROM records WHERE id = ?"
            guard let row = try Row.fetchOne(database, sql: sql, arguments: [id]) else { return false }
            let key = GreylistKey(source: row["source"], path: row["path"], content: [])
            try database.execute(sql: "DELETE FROM records WHERE id = ?", arguments: [id])
            let expires = now + Int64(settings.rememberSeconds) * 1_000
            try Self.put(.passed, key, Data(), first: now, now: now, visits: 0, expires: expires, database)
            return true
        }
    }

    /// - Returns: false when there is no such record.
    package func remove(_ id: Int64) async throws -> Bool {
        try await self.queue.write { database in
            try database.execute(sql: "DELETE FROM records WHERE id = ?", arguments: [id])
            return database.changesCount > 0
        }
    }
}
