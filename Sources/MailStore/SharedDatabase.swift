import GRDB
import Glibc
import SystemKit

/// A small database in the data directory that the gateway and an administrator's commands have open at the same time.
enum SharedDatabase {
    /// Seconds that one process waits for another's transaction.
    private static let busySeconds = 10.0

    /// How much of what was written a power failure may take.
    enum Durability: String {
        /// Nothing: for what a person has entered.
        case full = "FULL"
        /// The last transactions, and the file is whole nevertheless (in WAL mode only checkpoints are synchronized, by whoever
        /// writes): for what only saves work.
        case relaxed = "NORMAL"
    }

    static func open(_ file: String, label: String, durability: Durability) throws -> DatabaseQueue {
        guard access(file + DatabaseSalvage.suffix, F_OK) != 0 else {
            throw QuarantineError.unusable("\(file): a repair was cut off; `outpost fsck --repair` ends it")
        }
        try self.make(file)
        var configuration = Configuration()
        configuration.busyMode = .timeout(self.busySeconds)
        configuration.label = label
        configuration.journalMode = .wal
        let queue = try DatabaseQueue(path: file, configuration: configuration)
        try queue.makeDurable(durability)
        return queue
    }

    /// The same for what can be lost: a file that is no sound database is put aside (`.damaged`), and a new one begun.
    static func openOrReplace(_ file: String, label: String, prepare: (DatabaseQueue) throws -> Void) throws -> DatabaseQueue {
        func attempt() throws -> DatabaseQueue {
            let queue = try self.open(file, label: label, durability: .relaxed)
            try prepare(queue)
            return queue
        }
        do {
            return try attempt()
        } catch let error as DatabaseError where [.SQLITE_NOTADB, .SQLITE_CORRUPT].contains(error.resultCode) {
            for suffix in ["-wal", "-shm"] { unlink(file + suffix) }
            guard rename(file, file + ".damaged") == 0 else { throw SystemError("rename \(file)") }
            return try attempt()
        }
    }

    /// Makes an empty file that belongs to whom the directory belongs, also when root makes it; SQLite gives its other files
    /// the same owner.
    static func make(_ file: String) throws(SystemError) {
        let descriptor = Glibc.open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { return }
            throw SystemError("make \(file)")
        }
        defer { close(descriptor) }
        let directory = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        var status = stat()
        guard geteuid() == 0, stat(directory, &status) == 0, status.st_uid != 0 else { return }
        guard fchown(descriptor, status.st_uid, status.st_gid) == 0 else { throw SystemError("chown \(file)") }
    }
}

extension DatabaseWriter {
    /// To be called after opening: when GRDB turns WAL mode on, it sets `synchronous = NORMAL`, whatever was set before.
    func makeDurable(_ durability: SharedDatabase.Durability = .full) throws {
        try self.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = \(durability.rawValue)") }
    }
}
