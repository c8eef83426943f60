import GRDB
import MailPolicy

/// What a gateway has counted, written down: so that a restart forgets nothing, and commands can look at it and let somebody go.
///
/// Nothing here is on the way of a message. The gateway counts in memory (`RateTable`), reads this once at its start, and writes
/// behind. A command writes down which buckets it has made full; the gateway hears of that with its next batch.
package final class RateDatabase: RateArchive {
    /// Buckets that are kept, some 100 octets each; beyond them those that are nearly full go.
    package static let maximumBuckets = RateTable.maximumKeys
    /// Rows in one transaction, so that a command that has the file open, too, need not wait for long.
    private static let batch = 5_000
    private static let columns = "subject, unit, most, window, key"

    private let queue: DatabaseQueue
    private let limit: Int

    /// Opens the counts, and makes them where there are none.
    /// - Parameter directory: the data directory.
    package init(directory: String, limit: Int = RateDatabase.maximumBuckets) throws {
        self.limit = limit
        self.queue = try SharedDatabase.openOrReplace(Self.file(in: directory), label: "rates", prepare: Self.makeTables)
    }

    static func makeTables(_ queue: DatabaseQueue) throws {
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS buckets (
                        subject TEXT NOT NULL,
                        unit TEXT NOT NULL,
                        most INTEGER NOT NULL,
                        window INTEGER NOT NULL,
                        key TEXT NOT NULL,
                        full INTEGER NOT NULL,
                        PRIMARY KEY (key, subject, unit, most, window)
                    ) WITHOUT ROWID;
                    CREATE INDEX IF NOT EXISTS buckets_by_time ON buckets (full);
                    CREATE TABLE IF NOT EXISTS resets (
                        id INTEGER PRIMARY KEY,
                        subject TEXT NOT NULL,
                        unit TEXT NOT NULL,
                        most INTEGER NOT NULL,
                        window INTEGER NOT NULL,
                        key TEXT NOT NULL
                    );
                    """
            )
        }
    }

    package static func file(in directory: String) -> String { directory + "/rates.sqlite" }

    // MARK: - The gateway

    /// Buckets that are not full, for a gateway that starts and has nothing else to do meanwhile; the emptiest at the end.
    /// - Parameter now: milliseconds since 1970.
    package func bucketsAtStart(now: Int64) throws -> [RateBucket] {
        try self.queue.write { database in
            // Who was let go while no gateway ran has no bucket any more.
            try database.execute(sql: "DELETE FROM resets")
            return try Row.fetchAll(
                database,
                sql: "SELECT * FROM buckets WHERE full > ? ORDER BY full DESC LIMIT ?",
                arguments: [now * 1_000, self.limit]
            ).reversed().compactMap(Self.bucket)
        }
    }

    /// Writes what has changed.
    /// - Returns: buckets that a command has made full meanwhile, also where they are among `buckets`.
    package func write(_ buckets: [RateBucket]) async throws -> [RateCharge] {
        for start in stride(from: 0, to: buckets.count, by: Self.batch) {
            let batch = buckets[start..<min(start + Self.batch, buckets.count)]
            try await self.queue.write { database in
                let statement = try database.cachedStatement(
                    sql: """
                        INSERT INTO buckets (\(Self.columns), full) VALUES (?, ?, ?, ?, ?, ?)
                        ON CONFLICT (key, subject, unit, most, window) DO UPDATE SET full = excluded.full
                        """
                )
                for bucket in batch { try statement.execute(arguments: Self.arguments(bucket.charge) + [bucket.full]) }
            }
        }
        let isAsked = try await self.queue.read { try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM resets)") ?? false }
        guard isAsked else { return [] }
        return try await self.queue.write { database in
            let charges = try Row.fetchAll(database, sql: "SELECT * FROM resets").compactMap(Self.charge)
            for charge in charges { try Self.remove(charge, database) }
            try database.execute(sql: "DELETE FROM resets")
            return charges
        }
    }

    /// Forgets buckets that are full again, and those that will be first beyond the bound.
    /// - Parameter now: milliseconds since 1970.
    package func clear(now: Int64) async throws {
        try await self.queue.write { database in
            try database.execute(sql: "DELETE FROM buckets WHERE full <= ?", arguments: [now * 1_000])
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM buckets") ?? 0
            guard count > self.limit else { return }
            try database.execute(
                sql: """
                    DELETE FROM buckets WHERE (\(Self.columns)) IN \
                    (SELECT \(Self.columns) FROM buckets ORDER BY full LIMIT ?)
                    """,
                arguments: [count - self.limit]
            )
        }
    }

    // MARK: - For people

    /// Buckets that are not full, those first of which the largest part is used.
    /// - Parameters:
    ///   - isEmpty: only those that have no token left.
    ///   - now: milliseconds since 1970.
    package func list(isEmpty: Bool = false, limit: Int, now: Int64) async throws -> [RateBucket] {
        try await self.queue.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM buckets WHERE full > :now
                    AND (NOT :empty OR full - :now + max(1, window * 1000000 / most) > window * 1000000)
                    ORDER BY 1.0 * (full - :now) / window DESC, key, subject, unit LIMIT :limit
                    """,
                arguments: ["now": now * 1_000, "empty": isEmpty, "limit": limit]
            ).compactMap(Self.bucket)
        }
    }

    /// Makes all buckets of a key full: who it names can begin anew. A running gateway follows with its next batch.
    /// - Returns: how many there were.
    package func reset(_ key: String) async throws -> Int {
        try await self.queue.write { database in
            let sql = "INSERT INTO resets (\(Self.columns)) SELECT \(Self.columns) FROM buckets WHERE key = ?"
            try database.execute(sql: sql, arguments: [key])
            try database.execute(sql: "DELETE FROM buckets WHERE key = ?", arguments: [key])
            return database.changesCount
        }
    }

    // MARK: - Rows

    private static func remove(_ charge: RateCharge, _ database: Database) throws {
        try database.cachedStatement(
            sql: "DELETE FROM buckets WHERE subject = ? AND unit = ? AND most = ? AND window = ? AND key = ?"
        ).execute(arguments: Self.arguments(charge))
    }

    private static func arguments(_ charge: RateCharge) -> StatementArguments {
        let limit = charge.limit
        return [limit.per.rawValue, limit.of.rawValue, limit.limit, limit.windowSeconds, charge.key]
    }

    /// nil: another version has written it.
    private static func charge(_ row: Row) -> RateCharge? {
        guard let per = RateSubject(rawValue: row["subject"]), let of = RateUnit(rawValue: row["unit"]) else { return nil }
        return RateCharge(limit: RateLimit(per: per, of: of, limit: row["most"], windowSeconds: row["window"]), key: row["key"])
    }

    private static func bucket(_ row: Row) -> RateBucket? {
        self.charge(row).map { RateBucket(charge: $0, full: row["full"]) }
    }
}
