import GRDB
import Glibc
import MailTypes
import SystemKit

extension StoreCheck {
    /// Microseconds between two looks at a file whose row has just gone: the file goes next.
    private static let secondLook: UInt32 = 200_000

    // MARK: Files without rows

    /// A file whose row was never written belongs to a message whose sender was never told that we have it; one whose row is gone
    /// to a message that was delivered or deleted. Both may go, once no process can be about to write the row.
    func ownerlessFiles(_ queue: DatabaseQueue) throws -> [StoreProblem] {
        var suspects: [(kind: StoreProblem.Kind, folder: String, entry: Directory.Entry)] = []
        for entry in try Directory.entries(self.files.temporary) {
            suspects.append((.unfinishedFile, self.files.temporary, entry))
        }
        for entry in try Directory.entries(self.files.messages)
        where try !queue.read({ try self.isOwned(entry.name, in: $0) }) {
            suspects.append((.fileWithoutRow, self.files.messages, entry))
        }
        if suspects.isEmpty { return [] }
        usleep(Self.secondLook)
        let now: Int = time(nil)
        var problems: [StoreProblem] = []
        for (kind, folder, entry) in suspects where access("\(folder)/\(entry.name)", F_OK) == 0 {
            let age = now - entry.modified / 1_000_000_000
            let path = "\(folder == self.files.messages ? "messages" : "temporary")/\(entry.name)"
            let problem = StoreProblem.of(self.store, kind, path, detail: "\(entry.size) octets, \(age) s old")
            if age < self.orphanAge || self.files.isClaimed(entry.name, in: folder) {
                problems.append(problem.with(.mayBeOnItsWay))
            } else if !self.repairs {
                problems.append(problem)
            } else if try self.remove(entry.name, in: folder, queue) {
                problems.append(problem.with(.done("removed")))
            }
        }
        return problems
    }

    private func isOwned(_ name: String, in database: Database) throws -> Bool {
        guard let id = self.files.message(name, in: self.files.messages) else { return false }
        let condition = self.store == .quarantine ? "AND stored > 0" : ""
        return try Bool.fetchOne(
            database,
            sql: "SELECT 1 FROM messages WHERE id = ? \(condition)",
            arguments: [id.text]
        ) ?? false
    }

    /// With the database held, so that nobody can write the row in between.
    private func remove(_ name: String, in folder: String, _ queue: DatabaseQueue) throws -> Bool {
        var isRemoved = false
        try queue.writeWithoutTransaction { database in
            try database.inTransaction(.immediate) {
                isRemoved = try self.files.removeOrphan(name, in: folder) {
                    try folder == self.files.messages && self.isOwned(name, in: database)
                }
                return .commit
            }
        }
        return isRemoved
    }

    // MARK: Permissions

    func permissionProblems() throws -> [StoreProblem] {
        let directory = self.files.directory
        guard let check = PermissionCheck(store: self.store.rawValue, root: directory, repairs: self.repairs) else {
            throw SystemError(directory)
        }
        var problems = check.problems(directory, isDirectory: true)
        for suffix in ["", "-wal", "-shm"] { problems += check.problems(self.files.database + suffix, isDirectory: false) }
        for folder in [self.files.messages, self.files.temporary, self.files.damaged] where access(folder, F_OK) == 0 {
            problems += check.problems(folder, isDirectory: true)
            for entry in try Directory.entries(folder) {
                problems += check.problems("\(folder)/\(entry.name)", isDirectory: false)
            }
        }
        return problems
    }
}

extension MessageFiles {
    /// Moves a message's file to `damaged/`, for good.
    /// - Returns: its name there; nil when there is no such file.
    @discardableResult
    func putAside(_ name: String) throws -> String? {
        let source = "\(self.messages)/\(name)"
        guard access(source, F_OK) == 0 else { return nil }
        let free = try self.freeName(name)
        guard rename(source, "\(self.damaged)/\(free)") == 0 else { throw SystemError("rename \(source)") }
        try File.synchronizeDirectory(self.damaged)
        try self.synchronizeMessages()
        return free
    }

    /// Writes a file into `damaged/`, for good.
    func putAside(text: String, _ name: String) throws -> String {
        let free = try self.freeName(name)
        let path = "\(self.damaged)/\(free)"
        let file = try File(creating: path)
        try self.give(file.descriptor, path)
        try file.write(Array(text.utf8), at: 0)
        try file.synchronize()
        try File.synchronizeDirectory(self.damaged)
        return free
    }

    /// A name in `damaged/` that nothing has: what was put aside before is never replaced.
    func freeName(_ name: String) throws -> String {
        if access(self.damaged, F_OK) != 0 {
            try self.makeDirectory(self.damaged)
            try File.synchronizeDirectory(self.directory)
        }
        var free = name
        var number = 1
        while access("\(self.damaged)/\(free)", F_OK) == 0 {
            number += 1
            free = "\(name).\(number)"
        }
        return free
    }
}
