import GRDB
import Glibc
import MailTypes
import SystemKit

/// Takes what SQLite can still read of a damaged database into a new one, and puts the damaged one aside.
///
/// The new one is complete, and has its name, before the old one is touched: a salvage that is cut off goes on from there.
struct DatabaseSalvage {
    let store: StoreCheck.Store
    let files: MessageFiles

    private var partial: String { self.files.database + ".salvaging" }

    /// While nobody else has the store open.
    /// - Returns: what was done.
    func run() throws -> String {
        let lock = try self.files.lockForOpening()
        defer { withExtendedLifetime(lock) {} }
        if access(self.files.salvaged, F_OK) != 0 { try self.makeSalvaged() }
        let (messages, files) = try self.separateFiles()
        let damaged = try self.replace()
        return "the database is in damaged/\(damaged); \(messages) messages could be read of it, "
            + "\(files) files of others are in damaged/"
    }

    private func makeSalvaged() throws {
        for suffix in ["", "-journal"] { unlink(self.partial + suffix) }
        let file = try File(creating: self.partial)
        try self.files.give(file.descriptor, self.partial)
        var configuration = Configuration()
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        let target = try DatabaseQueue(path: self.partial, configuration: configuration)
        try self.store.migrator.migrate(target)
        // A database that cannot even be opened has nothing to give.
        if let source = try? self.openDamaged() { try self.copyTables(from: source, to: target) }
        try target.close()
        guard rename(self.partial, self.files.salvaged) == 0 else { throw SystemError("rename \(self.partial)") }
        try File.synchronizeDirectory(self.files.directory)
    }

    private func openDamaged() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        return try DatabaseQueue(path: self.files.database, configuration: configuration)
    }

    /// Messages first: what belongs to one that was lost is left out.
    private var tables: [(name: String, order: String)] {
        switch self.store {
        case .quarantine:
            [("messages", "rowid"), ("names", "rowid"), ("audit", "rowid"), ("passes", "rowid")]
        case .spool: [("messages", "rowid"), ("recipients", "message"), ("told", "message")]
        }
    }

    private func copyTables(from source: DatabaseQueue, to target: DatabaseQueue) throws {
        for (table, order) in self.tables {
            guard let known = try? source.read({ try $0.columns(in: table).map(\.name) }) else { continue }
            let columns = try target.read { try $0.columns(in: table).map(\.name) }.filter { known.contains($0) }
            guard !columns.isEmpty else { continue }
            let list = columns.joined(separator: ", ")
            let belongsToMessage = ["recipients", "told", "names"].contains(table)
            let marks = columns.map { _ in "?" }.joined(separator: ", ")
            let condition = belongsToMessage ? "WHERE EXISTS (SELECT 1 FROM messages WHERE id = ?)" : ""
            let insert = "INSERT OR IGNORE INTO \(table) (\(list)) SELECT \(marks) \(condition)"
            // From both ends up to the damage.
            for direction in ["ASC", "DESC"] {
                let select = "SELECT \(list) FROM \(table) ORDER BY \(order) \(direction)"
                // Without a transaction: its end is an error of its own after the damage.
                let isWhole = try source.inDatabase { source in
                    try target.write { target in
                        try Self.copy(select, from: source, insert, into: target, belongsToMessage: belongsToMessage)
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

    /// The old database keeps a name at any time; its log, which would be taken for the new one's, goes with it.
    private func replace() throws -> String {
        let database = self.files.database
        let name = try self.files.freeName(self.store.databaseName)
        let path = "\(self.files.damaged)/\(name)"
        if access(database, F_OK) == 0, link(database, path) != 0 { throw SystemError("link \(path)") }
        for suffix in ["-wal", "-shm"] where access(database + suffix, F_OK) == 0 {
            guard rename(database + suffix, path + suffix) == 0 else { throw SystemError("rename \(database)\(suffix)") }
        }
        try File.synchronizeDirectory(self.files.damaged)
        guard rename(self.files.salvaged, database) == 0 else { throw SystemError("rename \(self.files.salvaged)") }
        try File.synchronizeDirectory(self.files.directory)
        return name
    }
}
