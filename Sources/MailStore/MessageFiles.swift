import ContentStorage
import Dispatch
import Foundation
import Glibc
import MailTypes
import SystemKit

/// A directory of messages, the quarantine's or the spool's: one file a message in `messages/`, files on their way there in `temporary/`, the database
/// beside them.
///
/// Directories are 0700 and files 0600. A process of root leaves everything it makes to the directory's owner, so that
/// an administrator's command never locks the gateway out.
struct MessageFiles: Sendable {
    let directory: String
    /// `<directory>/quarantine.sqlite`
    let database: String
    /// Set when this process is root and the directory belongs to somebody else.
    private let owner: Owner?

    private struct Owner: Sendable {
        var user: uid_t
        var group: gid_t

        init?(_ status: stat) {
            guard geteuid() == 0, status.st_uid != 0 else { return nil }
            self.user = status.st_uid
            self.group = status.st_gid
        }
    }

    /// Octets copied at once.
    private static let chunk = 1 << 20

    /// - Parameter database: the file's name.
    init(directory: String, database: String) throws {
        self.directory = directory
        self.database = directory + "/" + database
        var status = stat()
        if stat(directory, &status) != 0 {
            let parent = directory.split(separator: "/").dropLast().joined(separator: "/")
            let above = directory.hasPrefix("/") ? "/" + parent : parent.isEmpty ? "." : parent
            guard stat(above, &status) == 0 else { throw QuarantineError.unusable(SystemError(above).description) }
        }
        self.owner = Owner(status)
        for path in [directory, self.messages, self.temporary] {
            try self.makeDirectory(path)
        }
    }

    /// A directory that is there, to look at: nothing is made and nothing changed.
    init(inspecting directory: String, database: String) throws(SystemError) {
        self.directory = directory
        self.database = directory + "/" + database
        var status = stat()
        guard stat(directory, &status) == 0 else { throw SystemError(directory) }
        self.owner = Owner(status)
    }

    var messages: String { self.directory + "/messages" }
    var temporary: String { self.directory + "/temporary" }
    /// What a repair has put aside; made when there is something.
    var damaged: String { self.directory + "/damaged" }
    /// What could be read of a damaged database, complete, before it takes that one's place.
    var salvaged: String { self.database + DatabaseSalvage.suffix }

    func path(of id: TransactionID) -> String { "\(self.messages)/\(id.text).eml" }

    func makeDirectory(_ path: String) throws {
        let isNew = mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else { throw QuarantineError.unusable(SystemError("create \(path)").description) }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw QuarantineError.unusable(SystemError("open \(path)").description) }
        defer { close(descriptor) }
        if isNew {
            try self.give(descriptor, path)
            // A power failure must not take it away with what lies in it.
            try File.synchronizeDirectory(path + "/..")
        }
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & 0o777 != 0o700, status.st_uid == geteuid() || geteuid() == 0 {
            guard fchmod(descriptor, 0o700) == 0 else { throw QuarantineError.unusable(SystemError("chmod \(path)").description) }
        }
    }

    func give(_ descriptor: Int32, _ path: String) throws {
        guard let owner = self.owner else { return }
        guard fchown(descriptor, owner.user, owner.group) == 0 else { throw SystemError("chown \(path)") }
    }

    /// Makes the database's file before SQLite does, for its mode and owner; SQLite gives both to the files beside it.
    /// - Throws: where there are messages and no database for them, or a half-repaired one: in a new one they would be nobody's,
    ///   and swept.
    func prepareDatabase() throws {
        if access(self.salvaged, F_OK) == 0 {
            throw QuarantineError.unusable("\(self.directory): a repair was cut off; `outpost fsck --repair` ends it")
        }
        if self.isDatabaseLost, try !self.names(in: self.messages).isEmpty {
            throw QuarantineError.unusable("\(self.directory): messages without their database; `outpost fsck` says more")
        }
        do {
            let file = try File(creating: self.database)
            try self.give(file.descriptor, self.database)
        } catch let error as SystemError where error.code == EEXIST {
            return
        }
    }

    /// There is no database, or nothing in it. A new one has its first page before the first message can be stored.
    var isDatabaseLost: Bool {
        [self.database, self.database + "-wal"].allSatisfy {
            var status = stat()
            return stat($0, &status) != 0 || status.st_size == 0
        }
    }

    /// Holds other processes back while the store is opened; ends with the returned file.
    func lockForOpening() throws -> File {
        let descriptor = open(self.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(self.directory)") }
        let file = File(owning: descriptor)
        try file.lock()
        return file
    }

    // MARK: Writing

    /// Makes the file in which a message is written, where no reader looks. As long as the file is open it is claimed: it is kept until
    /// its row is committed, and no other process removes it before, however old the clock makes it look.
    func createTemporary(for id: TransactionID) throws -> (file: File, path: String) {
        let path = "\(self.temporary)/\(id.text).\(getpid()).\(UInt32.random(in: 0...UInt32.max))"
        let file = try File(creating: path)
        try self.give(file.descriptor, path)
        try file.lock()
        return (file, path)
    }

    func copy(_ content: MessageContent, to file: File) throws {
        if case .memory(let bytes) = content {
            try file.write(bytes, at: 0)
            return
        }
        var offset = 0
        while offset < content.octets {
            let piece = try content.read(count: Self.chunk, at: offset)
            guard !piece.isEmpty else { throw SystemError(code: EIO, "read the message: it is shorter than it was") }
            try file.write(piece, at: offset)
            offset += piece.count
        }
    }

    /// Gives a written file its place. Ids are never used twice, so a file that is there already is somebody's message.
    func place(_ temporary: String, for id: TransactionID) throws {
        let path = self.path(of: id)
        guard access(path, F_OK) != 0 else { throw QuarantineError.exists(id) }
        guard rename(temporary, path) == 0 else { throw SystemError("rename \(temporary)") }
    }

    func synchronizeMessages() throws { try File.synchronizeDirectory(self.messages) }

    /// A message's content, whole, or `.damaged`.
    func content(of id: TransactionID, octets: Int) throws -> MessageContent {
        let file: File
        do {
            file = try File(reading: self.path(of: id))
        } catch  where error.code == ENOENT {
            throw QuarantineError.damaged(id)
        }
        guard try file.size() == octets else { throw QuarantineError.damaged(id) }
        return octets <= ContentWriter.defaultThreshold
            ? .memory(try file.read(count: octets, at: 0)) : .file(file, octets: octets)
    }

    func remove(_ id: TransactionID) { unlink(self.path(of: id)) }

    func discard(_ temporary: String) { unlink(temporary) }

    /// Octets free for this process on the file system.
    func freeSpace() -> Int {
        var status = statvfs()
        guard statvfs(self.directory, &status) == 0 else { return 0 }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    // MARK: What a crash leaves

    /// Removes what a crash left behind: files that no row owns, once they are older than any message on its way, and that no process
    /// has claimed. The age is no proof: clocks jump.
    /// - Parameters:
    ///   - age: seconds since the last change.
    ///   - isOwned: whether there is a row now, with what has been committed when it is asked. It is asked twice of a file that goes.
    /// - Returns: how many.
    func sweep(age: Int, isOwned: (TransactionID) throws -> Bool) throws -> Int {
        var removed = 0
        for folder in [self.temporary, self.messages] {
            for name in try self.names(in: folder) where self.isOlder("\(folder)/\(name)", than: age) {
                func hasRow() throws -> Bool { try self.message(name, in: folder).map(isOwned) ?? false }
                if try !hasRow(), try self.removeOrphan(name, in: folder, unless: hasRow) { removed += 1 }
            }
        }
        return removed
    }

    /// Reads a whole directory on a thread where that keeps nobody waiting.
    static func besideOthers<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { done in
            DispatchQueue.global(qos: .utility).async { done.resume(with: Swift.Result { try work() }) }
        }
    }

    /// Removes a file of which no row knows. A file on its way is claimed until its row is committed: who gets the claim sees that row, or
    /// there will be none.
    /// - Parameter isOwned: asked under the claim; must begin a new transaction.
    /// - Returns: whether it was removed; false also when it is claimed.
    func removeOrphan(_ name: String, in folder: String, unless isOwned: () throws -> Bool) throws -> Bool {
        let path = "\(folder)/\(name)"
        guard let file = try? File(inspecting: path) else { return false }
        guard try file.tryLock(), try !isOwned() else { return false }
        return withExtendedLifetime(file) { unlink(path) == 0 }
    }

    /// Whether a process writes this file, or is about to commit its row.
    func isClaimed(_ name: String, in folder: String) -> Bool {
        guard let file = try? File(inspecting: "\(folder)/\(name)") else { return false }
        return (try? file.tryLock()) == false
    }

    /// Whose content a file is; nil: nobody's.
    func message(_ name: String, in folder: String) -> TransactionID? {
        guard folder == self.messages, let id = TransactionID(name.prefix(12)), name == "\(id.text).eml" else { return nil }
        return id
    }

    private func isOlder(_ path: String, than age: Int) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else { return false }
        return status.st_mtim.tv_sec + age < time(nil)
    }

    func names(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder)
    }
}
