import Glibc

/// A file that one process at a time holds, and that says which. The kernel takes it back when that process ends, however it
/// does; the file stays.
package final class LockFile: Sendable {
    package enum Outcome: Sendable {
        case taken(LockFile)
        /// The process that has it, as far as it has said so yet.
        case held(by: Int32?)
    }

    private let file: File

    private init(_ file: File) {
        self.file = file
    }

    /// - Parameter owner: whose a file becomes that root makes here; nil: the directory's owner's.
    package static func take(_ path: String, owner: String? = nil) throws(SystemError) -> Outcome {
        let isNew = access(path, F_OK) != 0
        // Programs that are started later must not hold it as well.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        let file = File(owning: descriptor)
        if isNew, CurrentProcess.isRoot { try self.give(file, path, to: owner) }
        guard try file.tryLock() else { return .held(by: try self.process(in: file)) }
        guard ftruncate(descriptor, 0) == 0 else { throw SystemError("write \(path)") }
        try file.write(Array("\(getpid())\n".utf8), at: 0)
        return .taken(LockFile(file))
    }

    private static func give(_ file: File, _ path: String, to owner: String?) throws(SystemError) {
        if let owner { return try Directory.give(path, to: owner) }
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(directory, &status) == 0, fchown(file.descriptor, status.st_uid, status.st_gid) == 0 else {
            throw SystemError("give \(path) to the owner of its directory")
        }
    }

    private static func process(in file: File) throws(SystemError) -> Int32? {
        let text = String(decoding: try file.read(count: 32, at: 0), as: UTF8.self)
        return Int32(text.prefix { $0 != "\n" })
    }
}
