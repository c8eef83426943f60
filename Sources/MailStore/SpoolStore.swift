import ContentStorage
import GRDB
import MailTypes
import SystemKit

/// The spool: messages whose mail server was away when they came, as files, and facts about them in SQLite.
///
/// Several processes may have it open at once: the gateway, which alone delivers, and commands of an administrator.
package final class SpoolStore: Sendable {
    static let databaseName = "spool.sqlite"
    private static let busySeconds = 10.0

    let pool: DatabasePool
    private let files: MessageFiles
    private let limits: SpoolLimits
    private let writer: DurableWriter<SpooledMessage>
    private let attempts = BatchQueue<Attempt>(label: "spool.attempts", limit: batch)

    /// An attempt that has ended and is to be noted.
    private struct Attempt: Sendable {
        var id: TransactionID
        var results: [SpoolResult]
        var next: Int64
        var done: CheckedContinuation<Bool, any Error>
    }

    /// Attempts that are noted in one transaction; there are never more than deliveries at once.
    private static let batch = 256

    package static func directory(in dataDirectory: String) -> String { dataDirectory + "/spool" }

    /// Opens the spool, and makes it where there is none.
    /// - Throws: `QuarantineError.unusable`, `DatabaseError`.
    package convenience init(directory: String, limits: SpoolLimits = SpoolLimits()) throws {
        try self.init(directory: directory, limits: limits, step: { _ in })
    }

    init(directory: String, limits: SpoolLimits, step: @escaping @Sendable (StoreStep) -> Void) throws {
        self.limits = limits
        self.files = try MessageFiles(directory: directory, database: Self.databaseName)
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busySeconds)
        configuration.label = "spool"
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA foreign_keys = ON")
        }
        do {
            let lock = try self.files.lockForOpening()
            try self.files.prepareDatabase()
            self.pool = try DatabasePool(path: self.files.database, configuration: configuration)
            // The row of a message that was promised must survive a power failure.
            try self.pool.makeDurable()
            try SpoolSchema.migrator.migrate(self.pool)
            withExtendedLifetime(lock) {}
        } catch let error as SystemError {
            throw QuarantineError.unusable(error.description)
        }
        let table = DurableTable<SpooledMessage>(
            limit: limits.maxSize,
            stored: { try Int.fetchOne($0, sql: "SELECT octets FROM room") ?? 0 },
            insert: { try SpoolRow.insert($0, octets: $1, into: $2) },
            full: { _, _ in SpoolError.full }
        )
        self.writer = DurableWriter(pool: self.pool, files: self.files, table: table, step: step)
    }

    // MARK: Taking messages

    /// Stores a message for good: when this returns, content and facts are on the disk, and not before.
    package func store(_ message: SpooledMessage, content: MessageContent) async throws {
        guard self.files.freeSpace() - content.octets >= self.limits.minimumFree else { throw SpoolError.full }
        try await self.writer.store(message, content: content)
    }

    package func room() async throws -> SpoolRoom {
        let free = self.files.freeSpace()
        return try await self.pool.read { database in
            let row = try Row.fetchOne(database, sql: "SELECT messages, octets FROM room")
            return SpoolRoom(messages: row?["messages"] ?? 0, octets: row?["octets"] ?? 0, free: free)
        }
    }

    /// When the oldest message came; nil: there is none.
    package func oldest() async throws -> Int64? {
        try await self.pool.read { try Int64.fetchOne($0, sql: "SELECT MIN(received) FROM messages") }
    }

    /// Whether a message may still be promised a place.
    package func hasRoom() async throws -> Bool {
        let room = try await self.room()
        return room.messages < self.limits.maxMessages && room.octets < self.limits.maxSize && room.free > self.limits.minimumFree
    }

    /// Removes files that a crash left without a row.
    package func sweep() async throws {
        _ = try await MessageFiles.besideOthers {
            try self.files.sweep(age: QuarantineStore.orphanAge) { id in
                try self.pool.read { database in
                    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?)"
                    return try Bool.fetchOne(database.cachedStatement(sql: sql), arguments: [id.text]) ?? false
                }
            }
        }
    }

    /// Whether a notice was stored once, though it may have left since. Its id is given again: where it was not, a file that a crash
    /// left is removed, which would stand in its way. Nobody may be storing the notice meanwhile.
    package func hasMade(_ notice: TransactionID, about message: TransactionID) async throws -> Bool {
        let isMade = try await self.pool.read { database in
            try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM told WHERE message = ? AND notice = ?) \
                    OR EXISTS (SELECT 1 FROM messages WHERE id = ?)
                    """,
                arguments: [message.text, notice.text, notice.text]
            ) ?? false
        }
        if !isMade { self.files.remove(notice) }
        return isMade
    }

    // MARK: Reading

    /// Routes for which messages wait, with how many.
    package func routes() async throws -> [String: Int] {
        try await self.pool.read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT route, COUNT(*) AS number FROM messages GROUP BY route")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["route"], $0["number"]) })
        }
    }

    /// Messages whose turn has come: those that were tried least, and among them fair among senders, the oldest of each, then the
    /// second oldest of each, and so on. One that makes a server fail so never stands before the others. The order lies in an index
    /// (`SpoolSchema.turns`), so that asking costs what is returned, and what is put off, but nothing for those that wait behind.
    /// - Parameter withExpired: also those whose time is over.
    package func due(route: String, at now: Int64, withExpired: Bool, limit: Int) async throws -> [TransactionID] {
        try await self.pool.read { database in
            try String.fetchAll(
                database,
                sql: Self.dueQuery,
                arguments: [route, now, now + SpooledMessage.longestWait, withExpired ? 0 : now, limit]
            ).compactMap { TransactionID($0) }
        }
    }

    /// Messages whose time is over and that are not put off because nobody could be told.
    package func expired(route: String, at now: Int64, limit: Int) async throws -> [TransactionID] {
        try await self.pool.read { database in
            try String.fetchAll(
                database,
                sql: Self.expiredQuery,
                arguments: [route, now, now + SpooledMessage.longestWait, now, limit]
            ).compactMap { TransactionID($0) }
        }
    }

    static let dueQuery = """
        SELECT id FROM messages WHERE \(isDue) AND expires > ? ORDER BY attempts, turn, received, id LIMIT ?
        """
    static let expiredQuery = "SELECT id FROM messages WHERE \(isDue) AND expires <= ? ORDER BY expires, id LIMIT ?"
    /// Of a route; `SpooledMessage.isDue`.
    private static let isDue = "route = ? AND held = 0 AND (next_attempt <= ? OR next_attempt > ?)"

    package func message(_ id: TransactionID) async throws -> SpooledMessage {
        try await self.pool.read { database in
            guard let row = try Row.fetchOne(database, sql: "SELECT * FROM messages WHERE id = ?", arguments: [id.text]) else {
                throw SpoolError.notFound(id.text)
            }
            return try SpoolRow.message(row, in: database)
        }
    }

    package func content(of message: SpooledMessage) throws -> MessageContent {
        try self.files.content(of: message.id, octets: message.record.octets)
    }

    package func list(_ selection: SpoolSelection = .all, limit: Int = 1_000) async throws -> [SpooledMessage] {
        try await self.pool.read { database in
            let (condition, arguments) = selection.condition
            let rows = try Row.fetchAll(
                database,
                sql: "SELECT * FROM messages WHERE \(condition) ORDER BY received, id LIMIT \(limit)",
                arguments: arguments
            )
            return try rows.map { try SpoolRow.message($0, in: database) }
        }
    }

    /// Those whose transactions began last, the newest first.
    package func latest(limit: Int) async throws -> [SpooledMessage] {
        try await self.pool.read { database in
            // Ids begin with the time.
            let rows = try Row.fetchAll(database, sql: "SELECT * FROM messages ORDER BY id DESC LIMIT ?", arguments: [limit])
            return try rows.map { try SpoolRow.message($0, in: database) }
        }
    }

    package func count(_ selection: SpoolSelection) async throws -> Int {
        try await self.pool.read { database in
            let (condition, arguments) = selection.condition
            return try Int.fetchOne(database, sql: "SELECT count(*) FROM messages WHERE \(condition)", arguments: arguments) ?? 0
        }
    }

    // MARK: Delivering

    /// Notes what an attempt has brought. When nobody waits any more, the message leaves the spool: first the row, for good, then
    /// the file, so that no crash brings it back. Attempts that end at one time share a transaction: none waits for it longer than it
    /// would for its turn to write.
    /// - Returns: whether the message has left.
    @discardableResult
    package func attempted(_ id: TransactionID, _ results: [SpoolResult], next: Int64) async throws -> Bool {
        try await withCheckedThrowingContinuation { done in
            self.attempts.add(Attempt(id: id, results: results, next: next, done: done)) { self.note($0) }
        }
    }

    private func note(_ attempts: [Attempt]) {
        let isOver: [Bool]
        do {
            isOver = try self.pool.write { database in try attempts.map { try Self.note($0, in: database) } }
        } catch {
            for attempt in attempts { attempt.done.resume(throwing: error) }
            return
        }
        for (attempt, isOver) in zip(attempts, isOver) {
            if isOver { self.files.remove(attempt.id) }
            attempt.done.resume(returning: isOver)
        }
    }

    private static func note(_ attempt: Attempt, in database: Database) throws -> Bool {
        let id = attempt.id.text
        for result in attempt.results {
            try database.cachedStatement(sql: "UPDATE recipients SET state = ?, reply = ? WHERE message = ? AND number = ?")
                .execute(arguments: [result.state.rawValue, result.reply, id, result.number])
        }
        let waits = "SELECT EXISTS (SELECT 1 FROM recipients WHERE message = ? AND state = 'waiting')"
        if try Bool.fetchOne(database.cachedStatement(sql: waits), arguments: [id]) == true {
            try database.cachedStatement(sql: "UPDATE messages SET attempts = attempts + 1, next_attempt = ? WHERE id = ?")
                .execute(arguments: [attempt.next, id])
            return false
        }
        try database.cachedStatement(sql: "DELETE FROM messages WHERE id = ?").execute(arguments: [id])
        return true
    }

    /// Messages of a route that have waited since then and whose delay nobody was told of.
    package func undelayed(route: String, receivedBefore time: Int64, limit: Int) async throws -> [SpooledMessage] {
        try await self.pool.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM messages WHERE route = ? AND held = 0 AND delay_reported = 0 AND received <= ?
                    ORDER BY received, id LIMIT ?
                    """,
                arguments: [route, time, limit]
            )
            return try rows.map { try SpoolRow.message($0, in: database) }
        }
    }

    package func delayReported(_ id: TransactionID) async throws {
        try await self.pool.write { database in
            try database.execute(sql: "UPDATE messages SET delay_reported = 1 WHERE id = ?", arguments: [id.text])
        }
    }

    // MARK: An administrator's wishes

    /// Lets messages be tried now; those that are held stay held. Returns how many.
    package func retry(_ selection: SpoolSelection) async throws -> Int {
        try await self.change("next_attempt = 0", selection, where: "held = 0")
    }

    /// Stops messages. Returns how many were not yet.
    package func hold(_ selection: SpoolSelection, at now: Int64 = TimeText.now()) async throws -> Int {
        try await self.change("held = 1, held_since = \(now)", selection, where: "held = 0")
    }

    /// Lets stopped messages go on waiting, as much longer as they were stopped. Returns how many.
    package func release(_ selection: SpoolSelection, at now: Int64 = TimeText.now()) async throws -> Int {
        try await self.change(
            "held = 0, expires = expires + max(0, \(now) - coalesce(held_since, \(now))), held_since = NULL",
            selection,
            where: "held = 1"
        )
    }

    /// Removes messages for good; nobody is told. Returns which.
    package func remove(_ selection: SpoolSelection) async throws -> [TransactionID] {
        let removed = try await self.pool.write { database in
            let (condition, arguments) = selection.condition
            let ids = try String.fetchAll(database, sql: "SELECT id FROM messages WHERE \(condition)", arguments: arguments)
            try database.execute(sql: "DELETE FROM messages WHERE \(condition)", arguments: arguments)
            return ids.compactMap { TransactionID($0) }
        }
        for id in removed { self.files.remove(id) }
        return removed
    }

    private func change(_ assignment: String, _ selection: SpoolSelection, where state: String) async throws -> Int {
        try await self.pool.write { database in
            let (condition, arguments) = selection.condition
            try database.execute(
                sql: "UPDATE messages SET \(assignment) WHERE \(state) AND \(condition)",
                arguments: arguments
            )
            return database.changesCount
        }
    }
}

extension SpoolSelection {
    fileprivate var condition: (String, StatementArguments) {
        switch self {
        case .all: ("1", [])
        case .route(let route): ("route = ?", [route])
        case .ids(let ids): ("id IN (\(ids.map { _ in "?" }.joined(separator: ", ")))", StatementArguments(ids.map(\.text)))
        }
    }
}
