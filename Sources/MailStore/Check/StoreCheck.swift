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
        } else if let damage = try self.health.damage(requiring: Self.table) {
            let problem = StoreProblem.of(self.store, .databaseDamaged, detail: damage)
            if try self.health.rebuildIndexes(requiring: Self.table) {
                report.problems.append(problem.with(.done("indexes made anew")))
            } else if try !self.replaceDatabase(problem, &report) {
                return report
            }
        }
        let queue = try self.health.open()
        report.problems += try self.strayRows(queue)
        try self.checkRows(queue, &report)
        report.problems += try self.ownerlessFiles(queue)
        report.problems += try self.roomProblems(queue)
        try queue.close()
        return report
    }

    // MARK: The database as a whole

    /// Without it there is no store.
    private static let table = "messages"

    private var health: DatabaseHealth { DatabaseHealth(path: self.files.database, repairs: self.repairs) }

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
        let result = try StoreSalvage(store: self.store, files: self.files).run()
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
