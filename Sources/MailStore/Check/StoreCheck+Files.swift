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
            if age < self.orphanAge {
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
        guard let id = TransactionID(name.prefix(12)), name == "\(id.text).eml" else { return false }
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
                if try folder == self.files.temporary || !self.isOwned(name, in: database) {
                    isRemoved = unlink("\(folder)/\(name)") == 0
                }
                return .commit
            }
        }
        return isRemoved
    }

    // MARK: Permissions

    private static let directoryMode: mode_t = 0o700
    private static let fileMode: mode_t = 0o600

    func permissionProblems() throws -> [StoreProblem] {
        var root = stat()
        guard stat(self.files.directory, &root) == 0 else { throw SystemError(self.files.directory) }
        var problems = self.permissionProblem(self.files.directory, isDirectory: true, owner: root)
        for suffix in ["", "-wal", "-shm"] {
            problems += self.permissionProblem(self.files.database + suffix, isDirectory: false, owner: root)
        }
        for folder in [self.files.messages, self.files.temporary, self.files.damaged] where access(folder, F_OK) == 0 {
            problems += self.permissionProblem(folder, isDirectory: true, owner: root)
            for entry in try Directory.entries(folder) {
                problems += self.permissionProblem("\(folder)/\(entry.name)", isDirectory: false, owner: root)
            }
        }
        return problems
    }

    /// None or one. A file that has gone has none.
    private func permissionProblem(_ path: String, isDirectory: Bool, owner: stat) -> [StoreProblem] {
        let mode = isDirectory ? Self.directoryMode : Self.fileMode
        var status = stat()
        guard lstat(path, &status) == 0 else { return [] }
        let name = path == self.files.directory ? "" : String(path.dropFirst(self.files.directory.count + 1))
        guard status.st_mode & S_IFMT == (isDirectory ? S_IFDIR : S_IFREG) else {
            return [.of(self.store, .permissions, name, detail: isDirectory ? "no directory" : "no file")]
        }
        var faults: [String] = []
        if status.st_mode & 0o7777 != mode {
            faults.append("mode \(String(status.st_mode & 0o7777, radix: 8)) instead of \(String(mode, radix: 8))")
        }
        if status.st_uid != owner.st_uid { faults.append("owner \(status.st_uid) instead of \(owner.st_uid)") }
        guard !faults.isEmpty else { return [] }
        let problem = StoreProblem.of(self.store, .permissions, name, detail: faults.joined(separator: ", "))
        guard self.repairs else { return [problem] }
        return [Self.correct(path, mode, owner) ? problem.with(.done("corrected")) : problem]
    }

    /// By the open file, and not through a link: the gateway's user must not lead root elsewhere.
    private static func correct(_ path: String, _ mode: mode_t, _ owner: stat) -> Bool {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR || status.st_nlink == 1 else { return false }
        if status.st_uid != owner.st_uid, fchown(descriptor, owner.st_uid, owner.st_gid) != 0 { return false }
        return fchmod(descriptor, mode) == 0
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
