import GRDB
import Glibc
import SystemKit

/// Holds a store's rows against its files, and repairs what can be repaired, also beside a running gateway and commands.
///
/// Whatever is found is looked at a second time, the row together with its file. For a repair that happens in a write
/// transaction, which no other process can have at that time. Rows are written after their files and removed before them, so a
/// file that is missing then is missing for good. A database is only replaced while no gateway runs.
///
/// A check that is ended at any point is simply run again: files are put aside before their rows go, and a new database is
/// complete before it takes the old one's place.
package struct StoreCheck: Sendable {
    package enum Store: String, Hashable, Sendable, CaseIterable {
        case quarantine
        case spool
    }

    package struct Report: Hashable, Sendable {
        /// Rows that were looked at.
        package var messages = 0
        package var problems: [StoreProblem] = []
    }

    let store: Store
    let dataDirectory: String
    let repairs: Bool
    let files: MessageFiles
    /// Seconds that a file without a row is left alone.
    let orphanAge: Int

    /// Seconds that one process waits for another's transaction.
    private static let busySeconds = 10.0
    /// Lines of SQLite's about a damaged database: more help nobody.
    private static let damageLines = 5

    /// - Parameters:
    ///   - directory: `data_directory`.
    ///   - repairs: without it nothing is changed.
    /// - Returns: nil when there is no such store yet.
    package init?(
        _ store: Store,
        dataDirectory: String,
        repairs: Bool,
        orphanAge: Int = QuarantineStore.orphanAge
    ) throws {
        let directory = "\(dataDirectory)/\(store.rawValue)"
        guard access(directory, F_OK) == 0 else { return nil }
        self.store = store
        self.dataDirectory = dataDirectory
        self.repairs = repairs
        self.orphanAge = orphanAge
        self.files = try MessageFiles(inspecting: directory, database: store.databaseName)
    }

    /// - Throws: `SystemError`, `DatabaseError` when the check itself cannot go on.
    package func run() throws -> Report {
        var report = Report()
        report.problems += try self.permissionProblems()
        if access(self.files.salvaged, F_OK) == 0 {
            let problem = StoreProblem.of(self.store, .databaseDamaged, detail: "a repair was cut off")
            guard try self.replaceDatabase(problem, &report) else { return report }
        } else if self.files.isDatabaseLost {
            report.problems += try self.messagesWithoutDatabase()
            return report
        } else if let damage = try self.damage() {
            let problem = StoreProblem.of(self.store, .databaseDamaged, detail: damage)
            guard try self.rebuildIndexes(problem, &report) || self.replaceDatabase(problem, &report) else { return report }
        }
        let queue = try self.open()
        report.problems += try self.strayRows(queue)
        try self.checkRows(queue, &report)
        report.problems += try self.ownerlessFiles(queue)
        report.problems += try self.roomProblems(queue)
        try queue.close()
        return report
    }

    // MARK: The database as a whole

    private func open() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(Self.busySeconds)
        configuration.label = "check"
        configuration.readonly = !self.repairs
        configuration.prepareDatabase { database in
            guard self.repairs else { return }
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(sql: "PRAGMA foreign_keys = ON")
        }
        return try DatabaseQueue(path: self.files.database, configuration: configuration)
    }

    /// What SQLite says against the database; nil when nothing.
    private func damage() throws -> String? {
        do {
            let queue = try self.open()
            let lines = try queue.read { database in
                guard try database.tableExists("messages") else { return ["there is no table of messages in it"] }
                return try String.fetchAll(database, sql: "PRAGMA integrity_check(\(Self.damageLines))")
            }
            return lines == ["ok"] ? nil : lines.joined(separator: "; ")
        } catch let error as DatabaseError where error.isDamage {
            return error.message ?? error.resultCode.description
        }
    }

    /// Damage that is in indexes only goes when they are made anew.
    private func rebuildIndexes(_ problem: StoreProblem, _ report: inout Report) throws -> Bool {
        guard self.repairs else { return false }
        do {
            try self.open().write { try $0.execute(sql: "REINDEX") }
        } catch let error as DatabaseError where error.isDamage || error.resultCode == .SQLITE_CONSTRAINT {
            return false
        }
        guard try self.damage() == nil else { return false }
        report.problems.append(problem.with(.done("indexes made anew")))
        return true
    }

    /// - Returns: whether there is a sound database now.
    private func replaceDatabase(_ problem: StoreProblem, _ report: inout Report) throws -> Bool {
        guard self.repairs else {
            report.problems.append(problem)
            return false
        }
        let gateway: DataDirectoryLock
        do {
            gateway = try DataDirectoryLock(self.dataDirectory)
        } catch let error as DataDirectoryLock.Taken {
            var problem = problem
            problem.detail += "; stop the gateway for this repair: \(error)"
            report.problems.append(problem)
            return false
        }
        let result = try DatabaseSalvage(store: self.store, files: self.files).run()
        withExtendedLifetime(gateway) {}
        report.problems.append(problem.with(.putAside(result)))
        return true
    }

    /// Nothing says to whom they go; a new database must not take them for what a crash left.
    private func messagesWithoutDatabase() throws -> [StoreProblem] {
        let count = try Directory.entries(self.files.messages).count
        guard count > 0 else { return [] }
        let problem = StoreProblem.of(
            self.store,
            .databaseMissing,
            detail: "\(count) files in messages/ and no \(self.store.databaseName)"
        )
        guard self.repairs else { return [problem] }
        for entry in try Directory.entries(self.files.messages) { try self.files.putAside(entry.name) }
        return [problem.with(.putAside("the files are in damaged/"))]
    }
}

extension StoreProblem {
    static func of(_ store: StoreCheck.Store, _ kind: Kind, _ name: String = "", detail: String) -> StoreProblem {
        StoreProblem(store: store, kind: kind, name: name, detail: detail, remedy: .none)
    }

    func with(_ remedy: Remedy) -> StoreProblem {
        var problem = self
        problem.remedy = remedy
        return problem
    }
}

extension DatabaseError {
    /// The file is no sound database.
    var isDamage: Bool { [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(self.resultCode) }
}

extension StoreCheck.Store {
    var databaseName: String {
        switch self {
        case .quarantine: QuarantineStore.databaseName
        case .spool: SpoolStore.databaseName
        }
    }

    var migrator: DatabaseMigrator {
        switch self {
        case .quarantine: QuarantineSchema.migrator
        case .spool: SpoolSchema.migrator
        }
    }
}
