import GRDB

/// What SQLite says of a database file as a whole.
struct DatabaseHealth {
    let path: String
    /// Whether it may be written to.
    let repairs: Bool

    /// Seconds that one process waits for another's transaction.
    private static let busySeconds = 10.0
    /// Lines of SQLite's about a damaged database: more help nobody.
    private static let damageLines = 5

    func open() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busySeconds)
        configuration.label = "check"
        configuration.readonly = !self.repairs
        configuration.prepareDatabase { database in
            guard self.repairs else { return }
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA foreign_keys = ON")
        }
        return try DatabaseQueue(path: self.path, configuration: configuration)
    }

    /// What SQLite says against the database; nil when nothing.
    /// - Parameter table: must be in it.
    func damage(requiring table: String? = nil) throws -> String? {
        do {
            let queue = try self.open()
            let lines = try queue.read { database in
                if let table, try !database.tableExists(table) { return ["there is no table of \(table) in it"] }
                return try String.fetchAll(database, sql: "PRAGMA integrity_check(\(Self.damageLines))")
            }
            try queue.close()
            return lines == ["ok"] ? nil : lines.joined(separator: "; ")
        } catch let error as DatabaseError where error.isDamage {
            return error.message ?? error.resultCode.description
        }
    }

    /// Damage that is in indexes only goes when they are made anew.
    /// - Returns: whether the database is sound now.
    func rebuildIndexes(requiring table: String? = nil) throws -> Bool {
        guard self.repairs else { return false }
        do {
            try self.open().write { try $0.execute(sql: "REINDEX") }
        } catch let error as DatabaseError where error.isDamage || error.resultCode == .SQLITE_CONSTRAINT {
            return false
        }
        return try self.damage(requiring: table) == nil
    }
}

extension DatabaseError {
    /// The file is no sound database.
    var isDamage: Bool { [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(self.resultCode) }
}
