import Foundation
import GRDB
import MailTypes

/// How many messages of one day are of one row.
package struct DMARCTally: Hashable, Sendable {
    /// `2026-11-23`, UTC.
    package var day: String
    package var observation: DMARCObservation
    package var count: Int

    package init(day: String, observation: DMARCObservation, count: Int) {
        self.day = day
        self.observation = observation
        self.count = count
    }
}

/// One domain's mail of one day.
package struct DMARCDomainDay: Hashable, Sendable {
    package var day: String
    /// What was published last on that day.
    package var published: DMARCPublished
    package var rows: Int
    package var messages: Int
    /// Messages that are in no row, because there were too many rows.
    package var dropped: Int
    /// Messages for which DMARC passed.
    package var passed: Int
}

/// What became of a report for one of its destinations.
package struct DMARCDelivery: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// On its way, or its process ended in the middle.
        case sending
        case sent
        /// It may have arrived: the connection broke when all was said. It is not sent again.
        case uncertain
        /// It did not go; the next run tries again.
        case failed
    }

    package var destination: String
    package var state: State
    /// Milliseconds since 1970.
    package var time: Int64
    package var detail: String
}

/// What reports of DMARC are made of, day by day, in a small database of its own: losing the last seconds of it at a power failure
/// harms nobody, and it never stands in the quarantine's way.
package final class DMARCStore: Sendable {
    /// Rows of one day. Whoever forges mail can make as many as there are messages: some 50 MB a day at most.
    package static let maximumRowsPerDay = 50_000
    /// Of these, rows of one domain: one that is forged a lot must not take the room of all others.
    package static let maximumRowsPerDomain = 10_000
    /// Milliseconds after which a delivery that did not end counts as cut off: longer than any takes.
    package static let abandoned: Int64 = 3_600_000

    private let queue: DatabaseQueue
    private let limits: (day: Int, domain: Int)

    /// Opens the database, and makes it where there is none.
    /// - Parameter directory: the data directory.
    package init(
        directory: String,
        rowsPerDay: Int = maximumRowsPerDay,
        rowsPerDomain: Int = maximumRowsPerDomain
    ) throws {
        self.limits = (rowsPerDay, rowsPerDomain)
        self.queue = try SharedDatabase.open(Self.file(in: directory), label: "dmarc", durability: .relaxed)
        try Self.makeTables(self.queue)
    }

    static func makeTables(_ queue: DatabaseQueue) throws {
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS domains (
                        day TEXT NOT NULL,
                        domain TEXT NOT NULL,
                        published TEXT NOT NULL,
                        rows INTEGER NOT NULL,
                        messages INTEGER NOT NULL,
                        passed INTEGER NOT NULL,
                        dropped INTEGER NOT NULL,
                        PRIMARY KEY (day, domain)
                    ) WITHOUT ROWID;
                    CREATE TABLE IF NOT EXISTS rows (
                        day TEXT NOT NULL,
                        domain TEXT NOT NULL,
                        facts TEXT NOT NULL,
                        messages INTEGER NOT NULL,
                        PRIMARY KEY (day, domain, facts)
                    ) WITHOUT ROWID;
                    CREATE TABLE IF NOT EXISTS deliveries (
                        day TEXT NOT NULL,
                        domain TEXT NOT NULL,
                        destination TEXT NOT NULL,
                        state TEXT NOT NULL,
                        time INTEGER NOT NULL,
                        detail TEXT NOT NULL,
                        PRIMARY KEY (day, domain, destination)
                    ) WITHOUT ROWID;
                    """
            )
        }
    }

    package static func file(in directory: String) -> String { directory + "/dmarc.sqlite" }

    // MARK: - Counting

    /// Adds to what is there, in one transaction, and drops what is older than `oldest`.
    package func add(_ tallies: [DMARCTally], oldest: String) async throws {
        let encoder = Self.encoder
        let encoded = try tallies.map { tally in
            (
                tally: tally,
                facts: String(decoding: try encoder.encode(tally.observation.row), as: UTF8.self),
                published: String(decoding: try encoder.encode(tally.observation.published), as: UTF8.self)
            )
        }
        let limits = self.limits
        try await self.queue.write { database in
            var room: [String: Int] = [:]
            for item in encoded {
                let tally = item.tally
                let day = tally.day
                let domain = tally.observation.published.domain
                if room[day] == nil {
                    let rows = try Int.fetchOne(database, sql: "SELECT SUM(rows) FROM domains WHERE day = ?", arguments: [day])
                    room[day] = limits.day - (rows ?? 0)
                }
                let update = try database.cachedStatement(
                    sql: "UPDATE rows SET messages = messages + ? WHERE day = ? AND domain = ? AND facts = ?"
                )
                try update.execute(arguments: [tally.count, day, domain, item.facts])
                var (newRows, dropped) = (0, 0)
                if database.changesCount == 0 {
                    let ofDomain = try Int.fetchOne(
                        database,
                        sql: "SELECT rows FROM domains WHERE day = ? AND domain = ?",
                        arguments: [day, domain]
                    )
                    if room[day, default: 0] > 0, ofDomain ?? 0 < limits.domain {
                        try database.cachedStatement(sql: "INSERT INTO rows (day, domain, facts, messages) VALUES (?, ?, ?, ?)")
                            .execute(arguments: [day, domain, item.facts, tally.count])
                        newRows = 1
                        room[day, default: 0] -= 1
                    } else if ofDomain == nil, room[day, default: 0] <= 0 {
                        // A domain that is not there yet is not even named: names, too, can be made up without end.
                        continue
                    } else {
                        dropped = tally.count
                    }
                }
                let row = tally.observation.row
                let passed = row.isDKIMAligned || row.isSPFAligned ? tally.count : 0
                try database.cachedStatement(
                    sql: """
                        INSERT INTO domains (day, domain, published, rows, messages, passed, dropped) VALUES (?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (day, domain) DO UPDATE SET published = excluded.published, rows = rows + excluded.rows,
                        messages = messages + excluded.messages, passed = passed + excluded.passed,
                        dropped = dropped + excluded.dropped
                        """
                ).execute(arguments: [day, domain, item.published, newRows, tally.count, passed, dropped])
            }
            for table in ["rows", "domains", "deliveries"] {
                try database.execute(sql: "DELETE FROM \(table) WHERE day < ?", arguments: [oldest])
            }
        }
    }

    // MARK: - Reports

    /// The domains of some days, by day and name.
    package func domains(from first: String, through last: String, domain: String? = nil) async throws -> [DMARCDomainDay] {
        try await self.queue.read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT day, published, rows, messages, passed, dropped FROM domains
                    WHERE day BETWEEN ? AND ? AND (? IS NULL OR domain = ?) ORDER BY day, domain
                    """,
                arguments: [first, last, domain, domain]
            ).map { row in
                DMARCDomainDay(
                    day: row["day"],
                    published: try Self.decode(row["published"]),
                    rows: row["rows"],
                    messages: row["messages"],
                    dropped: row["dropped"],
                    passed: row["passed"]
                )
            }
        }
    }

    /// The rows of one report; those with most messages first.
    package func rows(day: String, domain: String) async throws -> [(row: DMARCReportRow, count: Int)] {
        try await self.queue.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT facts, messages FROM rows WHERE day = ? AND domain = ? ORDER BY messages DESC, facts",
                arguments: [day, domain]
            ).map { row in (try Self.decode(row["facts"]), row["messages"]) }
        }
    }

    // MARK: - Deliveries

    package func deliveries(day: String, domain: String) async throws -> [DMARCDelivery] {
        try await self.queue.read { database in
            try Row.fetchAll(
                database,
                sql: "SELECT destination, state, time, detail FROM deliveries WHERE day = ? AND domain = ? ORDER BY destination",
                arguments: [day, domain]
            ).map { row in
                DMARCDelivery(
                    destination: row["destination"],
                    state: DMARCDelivery.State(rawValue: row["state"]) ?? .failed,
                    time: row["time"],
                    detail: row["detail"]
                )
            }
        }
    }

    /// Takes a delivery upon itself.
    /// - Returns: false when the report has gone there, or another process is just sending it.
    package func claim(day: String, domain: String, destination: String, now: Int64) async throws -> Bool {
        try await self.queue.write { database in
            try database.execute(
                sql: """
                    INSERT INTO deliveries (day, domain, destination, state, time, detail) VALUES (?, ?, ?, 'sending', ?, '')
                    ON CONFLICT (day, domain, destination) DO UPDATE SET state = 'sending', time = excluded.time, detail = ''
                    WHERE state = 'failed' OR (state = 'sending' AND time < ?)
                    """,
                arguments: [day, domain, destination, now, now - Self.abandoned]
            )
            return database.changesCount > 0
        }
    }

    /// Writes down what became of a delivery; on the disk before this returns, because a report is sent once.
    package func finish(
        day: String,
        domain: String,
        destination: String,
        _ state: DMARCDelivery.State,
        detail: String,
        now: Int64
    ) async throws {
        try await self.queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            defer { try? database.execute(sql: "PRAGMA synchronous = NORMAL") }
            try database.execute(
                sql: """
                    INSERT INTO deliveries (day, domain, destination, state, time, detail) VALUES (?, ?, ?, ?, ?, ?)
                    ON CONFLICT (day, domain, destination) DO UPDATE SET state = excluded.state, time = excluded.time,
                    detail = excluded.detail
                    """,
                arguments: [day, domain, destination, state.rawValue, now, detail]
            )
        }
    }

    // MARK: - Facts as text

    /// Equal facts must be equal text: the text is the key.
    private static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    private static func decode<Value: Decodable>(_ text: String) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }
}
