import GRDB
import Glibc
import SystemKit

/// Takes what SQLite can still read of a damaged database into a new one, and gives that the old one's place.
///
/// The new one is complete, and has its name, before the old one is touched: a salvage that is cut off goes on from there. Nobody else may
/// have the database open.
struct DatabaseSalvage {
    /// A table whose rows are taken over.
    struct Table {
        var name: String
        var order = "rowid"
        /// Its rows belong to messages (column `message`); one whose message was lost is left out. Comes after `messages`.
        var belongsToMessage = false
    }

    /// The file.
    let database: String
    /// Makes the tables of a new database.
    let schema: (DatabaseQueue) throws -> Void
    let tables: [Table]

    /// The new database, once it is complete.
    var salvaged: String { self.database + Self.suffix }
    static let suffix = ".salvaged"
    private var partial: String { self.database + ".salvaging" }
    private var directory: String { self.database.lastIndex(of: "/").map { String(self.database[..<$0]) } ?? "." }

    /// Makes the new database, unless an earlier salvage did.
    func prepare() throws {
        if access(self.salvaged, F_OK) != 0 { try self.makeSalvaged() }
    }

    /// The old database gets this name; no file may have it. It keeps a name at any time; its log, which would be taken for the new
    /// one's, goes with it.
    func replace(movingTo path: String) throws {
        if access(self.database, F_OK) == 0, link(self.database, path) != 0 { throw SystemError("link \(path)") }
        for suffix in ["-wal", "-shm"] where access(self.database + suffix, F_OK) == 0 {
            guard rename(self.database + suffix, path + suffix) == 0 else {
                throw SystemError("rename \(self.database)\(suffix)")
            }
        }
        try File.synchronizeDirectory(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
        guard rename(self.salvaged, self.database) == 0 else { throw SystemError("rename \(self.salvaged)") }
        try File.synchronizeDirectory(self.directory)
    }

    // MARK: Rows

    private func makeSalvaged() throws {
        for suffix in ["", "-journal"] { unlink(self.partial + suffix) }
        try SharedDatabase.make(self.partial)
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        let target = try DatabaseQueue(path: self.partial, configuration: configuration)
        try self.schema(target)
        // A database that cannot even be opened has nothing to give.
        if let source = try? self.openDamaged() { try self.copyTables(from: source, to: target) }
        try target.close()
        guard rename(self.partial, self.salvaged) == 0 else { throw SystemError("rename \(self.partial)") }
        try File.synchronizeDirectory(self.directory)
    }

    private func openDamaged() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: self.database, configuration: configuration)
    }

    private func copyTables(from source: DatabaseQueue, to target: DatabaseQueue) throws {
        for table in self.tables {
            guard let known = try? source.read({ try $0.columns(in: table.name).map(\.name) }) else { continue }
            let columns = try target.read { try $0.columns(in: table.name).map(\.name) }.filter { known.contains($0) }
            guard !columns.isEmpty else { continue }
            let list = columns.joined(separator: ", ")
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            let condition = table.belongsToMessage ? "WHERE EXISTS (SELECT 1 FROM messages WHERE id = ?)" : ""
            let insert = "INSERT OR IGNORE INTO \(table.name) (\(list)) SELECT \(marks) \(condition)"
            // From both ends up to the damage.
            for direction in ["ASC", "DESC"] {
                let select = "SELECT \(list) FROM \(table.name) ORDER BY \(table.order) \(direction)"
                // Without a transaction: its end is an error of its own after the damage.
                let isWhole = try source.inDatabase { source in
                    try target.write { target in
                        try Self.copy(select, from: source, insert, into: target, belongsToMessage: table.belongsToMessage)
                    }
                }
                if isWhole { break }
            }
        }
    }

    /// - Returns: false when the damage was met.
    private static func copy(
        _ select: String,
        from source: Database,
        _ insert: String,
        into target: Database,
        belongsToMessage: Bool
    ) throws -> Bool {
        do {
            let rows = try Row.fetchCursor(source, sql: select)
            while let row = try rows.next() {
                var values = Array(row.databaseValues)
                if belongsToMessage { values.append(row["message"] as DatabaseValue) }
                try self.insert(values, insert, into: target)
            }
            return true
        } catch let error as DatabaseError where error.isDamage {
            return false
        }
    }

    private static func insert(_ values: [DatabaseValue], _ insert: String, into target: Database) throws {
        do {
            try target.execute(sql: insert, arguments: StatementArguments(values))
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            // The table would not have taken this row either.
        }
    }
}

/// The same for a store with its files.
struct StoreSalvage {
    let store: StoreCheck.Store
    let files: MessageFiles

    /// While nobody else has the store open.
    /// - Returns: what was done.
    func run() throws -> String {
        let lock = try self.files.lockForOpening()
        defer { withExtendedLifetime(lock) {} }
        let salvage = DatabaseSalvage(
            database: self.files.database,
            schema: { try self.store.migrator.migrate($0) },
            tables: self.tables
        )
        try salvage.prepare()
        let (messages, files) = try self.separateFiles()
        let damaged = try self.files.freeName(self.store.databaseName)
        try salvage.replace(movingTo: "\(self.files.damaged)/\(damaged)")
        return "the database is in damaged/\(damaged); \(messages) messages could be read of it, "
            + "\(files) files of others are in damaged/"
    }

    private var tables: [DatabaseSalvage.Table] {
        typealias Table = DatabaseSalvage.Table
        return switch self.store {
        case .quarantine:
            [
                Table(name: "messages"), Table(name: "names", belongsToMessage: true), Table(name: "audit"),
                Table(name: "passes"),
            ]
        case .spool:
            [
                Table(name: "messages"), Table(name: "recipients", order: "message", belongsToMessage: true),
                Table(name: "told", order: "message", belongsToMessage: true),
            ]
        }
    }

    /// Files whose rows are lost may be messages that were promised: in the new database they would be what a crash left.
    private func separateFiles() throws -> (messages: Int, files: Int) {
        let salvaged = try DatabaseQueue(path: self.files.salvaged)
        let ids = try salvaged.read { try Set(String.fetchAll($0, sql: "SELECT id FROM messages")) }
        try salvaged.close()
        var moved = 0
        for entry in try Directory.entries(self.files.messages) where !ids.contains(String(entry.name.prefix(12))) {
            if try self.files.putAside(entry.name) != nil { moved += 1 }
        }
        return (ids.count, moved)
    }
}
