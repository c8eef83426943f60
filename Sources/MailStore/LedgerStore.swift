import Foundation
import GRDB
import MailTypes
import Synchronization

/// A message that was taken: for whom, and what its client was told.
package struct LedgerEntry: Hashable, Sendable {
    /// Rises with time; given by the writer.
    package var number: Int64
    /// Names sender and content.
    package var key: [UInt8]
    /// Folded addresses.
    package var recipients: Set<String>
    /// Of the transaction that took it.
    package var id: TransactionID
    package var reply: SMTPReply
    /// Milliseconds since 1970.
    package var moment: Int64

    package init(number: Int64, key: [UInt8], recipients: Set<String>, id: TransactionID, reply: SMTPReply, moment: Int64) {
        self.number = number
        self.key = key
        self.recipients = recipients
        self.id = id
        self.reply = reply
        self.moment = moment
    }
}

/// Messages whose clients may not have heard that they were taken, in a database of their own. An entry is on the disk when `record`
/// returns; entries that come at one time share a transaction and its synchronization, and those that are settled meanwhile leave
/// with them.
package final class LedgerStore: Sendable {
    /// Changes in one transaction: enough to share its cost, few enough that nobody waits long.
    private static let batch = 256
    /// Settled entries that wait for a transaction to leave with; with more of them one begins.
    private static let settledTogether = 1_000
    /// Entries that are forgotten in one transaction, so that those that come need not wait for long.
    private static let forgottenAtOnce = 5_000

    private enum Job: Sendable {
        case record(LedgerEntry, CheckedContinuation<Void, any Error>)
        case read([Int64], CheckedContinuation<[LedgerEntry], any Error>)
        /// Nothing but what each transaction does: to remove what was settled.
        case settle
    }

    private let database: DatabaseQueue
    /// Numbers of entries that go with the next transaction.
    private let settled = Mutex<[Int64]>([])
    private let jobs = BatchQueue<Job>(label: "ledger", limit: batch)

    package static func file(in directory: String) -> String { directory + "/ledger.sqlite" }

    /// Opens the ledger, and makes it where there is none.
    /// - Parameter directory: the data directory.
    package init(directory: String) throws {
        // An entry that a power failure took back would let a message be delivered twice.
        self.database = try SharedDatabase.open(Self.file(in: directory), label: "ledger", durability: .full)
        try Self.makeTables(self.database)
    }

    static func makeTables(_ queue: DatabaseQueue) throws { try self.migrator.migrate(queue) }

    /// No index by key: whoever asks knows the numbers, and an index would double what is written for each message.
    /// A migration that was ever released is never changed: a new one follows it.
    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("entries") { database in
            try database.execute(
                sql: """
                    CREATE TABLE entries (
                        number INTEGER PRIMARY KEY,
                        key BLOB NOT NULL,
                        recipients TEXT NOT NULL,
                        id TEXT NOT NULL,
                        code INTEGER NOT NULL,
                        text TEXT NOT NULL,
                        moment INTEGER NOT NULL
                    )
                    """
            )
        }
        return migrator
    }

    // MARK: Entries

    /// Returns when the entry is on the disk.
    package func record(_ entry: LedgerEntry) async throws {
        try await withCheckedThrowingContinuation { self.add(.record(entry, $0)) }
    }

    /// The client of these entries has heard: they leave the ledger with one of the next writes. A crash before that leaves them.
    package func settle(_ numbers: [Int64]) {
        let count = self.settled.withLock { settled in
            settled += numbers
            return settled.count
        }
        if count >= Self.settledTogether { self.add(.settle) }
    }

    /// The entries with these numbers that are there and not settled, in the same order.
    package func entries(_ numbers: [Int64]) async throws -> [LedgerEntry] {
        try await withCheckedThrowingContinuation { self.add(.read(numbers, $0)) }
    }

    private func add(_ job: Job) {
        self.jobs.add(job) { self.carryOut($0) }
    }

    private func takeSettled() -> [Int64] {
        self.settled.withLock { settled in
            defer { settled = [] }
            return settled
        }
    }

    /// Everything in one transaction. Nobody is answered before it is committed.
    private func carryOut(_ jobs: [Job]) {
        let settled = self.takeSettled()
        var found: [[LedgerEntry]] = []
        do {
            try self.database.write { database in
                try self.remove(settled, database)
                for job in jobs {
                    switch job {
                    case .record(let entry, _): try Self.insert(entry, database)
                    case .read(let numbers, _):
                        found.append(try numbers.compactMap { try Self.select($0, database) })
                    case .settle: break
                    }
                }
            }
        } catch {
            for job in jobs {
                switch job {
                case .record(_, let done): done.resume(throwing: error)
                case .read(_, let done): done.resume(throwing: error)
                case .settle: break
                }
            }
            // They leave with a later transaction.
            self.settled.withLock { $0 += settled }
            return
        }
        var reads = found.makeIterator()
        for job in jobs {
            switch job {
            case .record(_, let done): done.resume()
            case .read(_, let done): done.resume(returning: reads.next() ?? [])
            case .settle: break
            }
        }
    }

    private func remove(_ numbers: [Int64], _ database: Database) throws {
        guard !numbers.isEmpty else { return }
        let statement = try database.cachedStatement(sql: "DELETE FROM entries WHERE number = ?")
        for number in numbers { try statement.execute(arguments: [number]) }
    }

    private static func insert(_ entry: LedgerEntry, _ database: Database) throws {
        let status = entry.reply.enhanced.map { "\($0) " } ?? ""
        let statement = try database.cachedStatement(
            sql: "INSERT INTO entries (number, key, recipients, id, code, text, moment) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        try statement.execute(arguments: [
            entry.number, Data(entry.key), entry.recipients.sorted().joined(separator: "\n"), entry.id.text, entry.reply.code,
            entry.reply.lines.map { status + $0 }.joined(separator: "\n"), entry.moment,
        ])
    }

    private static func select(_ number: Int64, _ database: Database) throws -> LedgerEntry? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM entries WHERE number = ?")
        guard let row = try Row.fetchOne(statement, arguments: [number]) else { return nil }
        let recipients: String = row["recipients"]
        let text: String = row["text"]
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let id = TransactionID(row["id"] as String), let reply = SMTPReply.received(code: row["code"], lines: lines)
        else { return nil }
        return LedgerEntry(
            number: number,
            key: [UInt8](row["key"] as Data),
            recipients: Set(recipients.split(separator: "\n").map(String.init)),
            id: id,
            reply: reply,
            moment: row["moment"]
        )
    }

    // MARK: All of it

    /// Each entry's number and key, the oldest first.
    package func keys() async throws -> [(number: Int64, key: [UInt8])] {
        try await self.database.read { database in
            try Row.fetchAll(database, sql: "SELECT number, key FROM entries ORDER BY number").map { row in
                (row["number"], [UInt8](row["key"] as Data))
            }
        }
    }

    /// Forgets what is older, and the oldest beyond a number.
    /// - Returns: what was forgotten; there may be more.
    package func forget(before moment: Int64, keeping maximum: Int) async throws -> [(number: Int64, key: [UInt8])] {
        try await self.database.write { database in
            // Numbers rise with time, so the oldest stand first and old ones beside each other.
            let last = try Int64.fetchOne(
                database,
                sql: "SELECT number FROM entries ORDER BY number DESC LIMIT 1 OFFSET ?",
                arguments: [maximum]
            )
            let rows = try Row.fetchAll(
                database,
                sql: """
                    DELETE FROM entries WHERE number IN (
                        SELECT number FROM entries ORDER BY number LIMIT \(Self.forgottenAtOnce)
                    ) AND (moment < ? OR number <= ?) RETURNING number, key
                    """,
                arguments: [moment, last ?? -1]
            )
            return rows.map { ($0["number"], [UInt8]($0["key"] as Data)) }
        }
    }

    /// Writes down what was settled.
    package func flush() async throws {
        let settled = self.takeSettled()
        guard !settled.isEmpty else { return }
        try await self.database.write { try self.remove(settled, $0) }
    }
}
