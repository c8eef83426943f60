import ContentStorage
import GRDB
import SystemKit

/// How often a rule hit on one day.
package struct RuleHitCount: Hashable, Sendable {
    package var rule: String
    /// `2026-11-23`, UTC.
    package var day: String
    /// Messages in which a hit counted.
    package var live: Int
    /// Messages in which the rule was on trial.
    package var shadow: Int

    package init(rule: String, day: String, live: Int, shadow: Int) {
        self.rule = rule
        self.day = day
        self.live = live
        self.shadow = shadow
    }

    /// The day of a time in milliseconds since 1970.
    package static func day(_ milliseconds: Int64) -> String { String(TimeText.utc(milliseconds).prefix(10)) }
}

/// The hits of rules, day by day, in a small database of its own: losing the last seconds of it at a power failure harms nobody,
/// and it never stands in the quarantine's way.
package final class RuleHitStore: Sendable {
    /// Days that are kept.
    package static let keptDays = 400

    private let queue: DatabaseQueue

    /// Opens the counts, and makes them where there are none.
    /// - Parameter directory: the data directory.
    package init(directory: String) throws {
        self.queue = try SharedDatabase.open(Self.file(in: directory), label: "rule hits", durability: .relaxed)
        try Self.makeTables(self.queue)
    }

    static func makeTables(_ queue: DatabaseQueue) throws {
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS hits (
                        rule TEXT NOT NULL,
                        day TEXT NOT NULL,
                        live INTEGER NOT NULL,
                        shadow INTEGER NOT NULL,
                        PRIMARY KEY (rule, day)
                    ) WITHOUT ROWID
                    """
            )
        }
    }

    package static func file(in directory: String) -> String { directory + "/rule-hits.sqlite" }

    /// Adds to what is there, in one transaction, and drops days that are too old.
    /// - Parameter now: milliseconds since 1970.
    package func add(_ counts: [RuleHitCount], now: Int64) async throws {
        let oldest = RuleHitCount.day(now - Int64(Self.keptDays) * 86_400_000)
        try await self.queue.write { database in
            let statement = try database.makeStatement(
                sql: """
                    INSERT INTO hits (rule, day, live, shadow) VALUES (?, ?, ?, ?)
                    ON CONFLICT (rule, day) DO UPDATE SET live = live + excluded.live, shadow = shadow + excluded.shadow
                    """
            )
            for count in counts { try statement.execute(arguments: [count.rule, count.day, count.live, count.shadow]) }
            try database.execute(sql: "DELETE FROM hits WHERE day < ?", arguments: [oldest])
        }
    }

    /// All counts, by rule and day.
    package func counts() async throws -> [RuleHitCount] {
        try await self.queue.read { database in
            try Row.fetchAll(database, sql: "SELECT rule, day, live, shadow FROM hits ORDER BY rule, day").map { row in
                RuleHitCount(rule: row["rule"], day: row["day"], live: row["live"], shadow: row["shadow"])
            }
        }
    }
}
