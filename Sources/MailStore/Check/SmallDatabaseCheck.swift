import GRDB
import Glibc
import SystemKit

/// Checks one small database, and repairs it: indexes and permissions beside a running gateway, anything else while none runs.
package struct SmallDatabaseCheck {
    package struct Report: Hashable, Sendable {
        /// Rows of all its tables.
        package var rows = 0
        package var problems: [StoreProblem] = []
    }

    private let database: SmallDatabase
    private let dataDirectory: String
    private let repairs: Bool
    private let health: DatabaseHealth

    /// - Parameters:
    ///   - dataDirectory: `data_directory`.
    ///   - repairs: without it nothing is changed.
    /// - Returns: nil when there is no such database yet.
    package init?(_ database: SmallDatabase, dataDirectory: String, repairs: Bool) {
        self.database = database
        self.dataDirectory = dataDirectory
        self.repairs = repairs
        self.health = DatabaseHealth(path: "\(dataDirectory)/\(database.name).sqlite", repairs: repairs)
        guard access(self.health.path, F_OK) == 0 || access(self.salvage.salvaged, F_OK) == 0 else { return nil }
    }

    private var salvage: DatabaseSalvage {
        DatabaseSalvage(
            database: self.health.path,
            schema: self.database.schema,
            tables: self.database.tables.map { DatabaseSalvage.Table(name: $0.name, order: $0.order) }
        )
    }

    /// - Throws: `SystemError`, `DatabaseError` when the check itself cannot go on.
    package func run() throws -> Report {
        var report = Report()
        report.problems += self.permissionProblems()
        if access(self.salvage.salvaged, F_OK) == 0 {
            report.problems.append(try self.replace(self.problem(.databaseDamaged, "a repair was cut off")))
        } else if let damage = try self.health.damage() {
            let problem = self.problem(.databaseDamaged, damage)
            if try self.health.rebuildIndexes() {
                report.problems.append(problem.with(.done("indexes made anew")))
            } else {
                report.problems.append(try self.replace(problem))
            }
        } else if let fault = try self.schemaFault() {
            report.problems.append(try self.replace(self.problem(.schemaUnknown, fault)))
        }
        if try self.health.damage() == nil { report.rows = try self.countRows() }
        return report
    }

    private func problem(_ kind: StoreProblem.Kind, _ detail: String) -> StoreProblem {
        .of(self.database.name, kind, detail: detail)
    }

    private func permissionProblems() -> [StoreProblem] {
        guard let check = PermissionCheck(store: self.database.name, root: self.dataDirectory, repairs: self.repairs) else {
            return []
        }
        return ["", "-wal", "-shm"].flatMap { check.problems(self.health.path + $0, isDirectory: false) }
    }

    /// A table without a column that this version reads; a table that is not there yet is made when the database is opened.
    private func schemaFault() throws -> String? {
        let known = try DatabaseQueue()
        try self.database.schema(known)
        let queue = try self.health.open()
        defer { try? queue.close() }
        for table in self.database.tables.map(\.name) {
            let wanted = try known.read { try $0.columns(in: table).map(\.name) }
            let found = try queue.read { try $0.tableExists(table) ? Set($0.columns(in: table).map(\.name)) : nil }
            guard let found, let missing = wanted.first(where: { !found.contains($0) }) else { continue }
            return "\(table) has no column \(missing)"
        }
        return nil
    }

    private func countRows() throws -> Int {
        let queue = try self.health.open()
        defer { try? queue.close() }
        return try queue.read { database in
            try self.database.tables.reduce(0) { sum, table in
                guard try database.tableExists(table.name) else { return sum }
                return sum + (try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table.name)") ?? 0)
            }
        }
    }

    // MARK: Repair

    private func replace(_ problem: StoreProblem) throws -> StoreProblem {
        guard self.repairs else { return problem }
        var problem = problem
        let gateway: DataDirectoryLock
        do {
            gateway = try DataDirectoryLock(self.dataDirectory)
        } catch let error as DataDirectoryLock.Taken {
            problem.detail += "; stop the gateway for this repair: \(error)"
            return problem
        }
        defer { withExtendedLifetime(gateway) {} }
        let aside = self.freeName()
        try self.salvage.prepare()
        try self.salvage.replace(movingTo: aside)
        let name = aside.dropFirst(self.dataDirectory.count + 1)
        return problem.with(
            .putAside(
                "the database is now \(name); \(try self.countRows()) rows could be read of it; of others \(self.database.loss)"
            )
        )
    }

    /// What was put aside before is never replaced.
    private func freeName() -> String {
        var path = self.health.path + ".damaged"
        var number = 1
        while access(path, F_OK) == 0 {
            number += 1
            path = "\(self.health.path).damaged.\(number)"
        }
        return path
    }
}
