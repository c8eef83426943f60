import ContentStorage
import GRDB
import MailTypes
import SystemKit

/// The quarantine: messages as files, facts about them in SQLite.
///
/// Several processes may have it open at once: the gateway, and commands of an administrator. All times are
/// milliseconds since 1970.
package final class QuarantineStore: Sendable {
    static let databaseName = "quarantine.sqlite"
    /// Seconds that a file without a row is left alone: longer than any message takes to be written. What keeps a message safe that is on
    /// its way is its claim (`MessageFiles`), not this.
    package static let orphanAge = 3_600
    /// Milliseconds between two sweeps, so that a command does not read the whole directory each time.
    private static let sweepInterval: Int64 = 3_600_000
    /// Seconds that one process waits for another's transaction.
    private static let busySeconds = 10.0

    package let limits: QuarantineLimits
    let pool: DatabasePool
    let files: MessageFiles
    let clock: @Sendable () -> Int64
    private let holds: DurableWriter<QuarantineRecord>
    private let copies: CopyWriter

    /// Opens the quarantine, and makes it where there is none.
    /// - Parameter directory: `<data_directory>/quarantine`.
    /// - Throws: `QuarantineError.unusable`, `DatabaseError`.
    package convenience init(directory: String, limits: QuarantineLimits = QuarantineLimits()) throws {
        try self.init(directory: directory, limits: limits, clock: TimeText.now, step: { _ in })
    }

    init(
        directory: String,
        limits: QuarantineLimits,
        clock: @escaping @Sendable () -> Int64,
        step: @escaping @Sendable (StoreStep) -> Void = { _ in }
    ) throws {
        self.limits = limits
        self.clock = clock
        self.files = try MessageFiles(directory: directory, database: Self.databaseName)
        do {
            let lock = try self.files.lockForOpening()
            try self.files.prepareDatabase()
            self.pool = try DatabasePool(path: self.files.database, configuration: Self.databaseConfiguration)
            // WAL alone would let the last transactions go at a power failure; a held message's row must not.
            try self.pool.makeDurable()
            try QuarantineSchema.migrator.migrate(self.pool)
            try Self.sweepIfDue(self.pool, self.files, now: clock())
            withExtendedLifetime(lock) {}
        } catch let error as SystemError {
            throw QuarantineError.unusable(error.description)
        }
        self.holds = DurableWriter(pool: self.pool, files: self.files, table: Self.heldMessages(limits), step: step)
        self.copies = CopyWriter(pool: self.pool, files: self.files, limits: limits)
    }

    private static var databaseConfiguration: Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busySeconds)
        configuration.label = "quarantine"
        return configuration
    }

    private static func heldMessages(_ limits: QuarantineLimits) -> DurableTable<QuarantineRecord> {
        DurableTable(
            limit: limits.maxSize,
            stored: { try Int.fetchOne($0, sql: "SELECT octets FROM room WHERE kind = 'held'") ?? 0 },
            insert: { try RowCodec.insert($0, octets: $1, into: $2) },
            full: { QuarantineError.full(octets: $0, limit: $1) }
        )
    }

    /// Removes files that a crash left without a row, once an hour.
    func sweepIfDue() throws { try Self.sweepIfDue(self.pool, self.files, now: self.clock()) }

    private static func sweepIfDue(_ pool: DatabasePool, _ files: MessageFiles, now: Int64) throws {
        let last = try pool.read { try Int64.fetchOne($0, sql: "SELECT moment FROM moments WHERE name = 'sweep'") ?? 0 }
        // Also when the clock was put back since.
        guard abs(now - last) >= Self.sweepInterval else { return }
        _ = try files.sweep(age: Self.orphanAge) { id in
            try pool.read { database in
                let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE id = ? AND stored > 0)"
                return try Bool.fetchOne(database.cachedStatement(sql: sql), arguments: [id.text]) ?? false
            }
        }
        try pool.write { database in
            try database.execute(sql: "INSERT OR REPLACE INTO moments (name, moment) VALUES ('sweep', ?)", arguments: [now])
        }
    }

    // MARK: Taking messages

    /// Stores a message for good: when this returns, content and facts are on the disk, and not before.
    /// - Throws: `QuarantineError.full` when there is no room, `.exists`, or what the disk said. The message is then not
    ///   held, and the caller defers it.
    package func hold(_ record: QuarantineRecord, content: MessageContent) async throws {
        try await self.holds.store(record, content: content)
    }

    /// Keeps a copy of refused mail, after its sender got the reply. Does not wait for the disk.
    /// - Returns: false when there is no room; then nothing is kept.
    @discardableResult
    package func keepCopy(_ record: QuarantineRecord, content: MessageContent) async throws -> Bool {
        try await self.copies.keep(record, content: content)
    }
}
