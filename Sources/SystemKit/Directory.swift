import Glibc

/// Directories: made, listed, removed.
package enum Directory {
    package struct Entry: Hashable, Sendable {
        package var name: String
        package var inode: UInt64
        package var size: Int
        /// Nanoseconds since 1970.
        package var modified: Int
        package var isDirectory: Bool
    }

    /// What is in it, sorted by name; an entry that goes away meanwhile is left out.
    package static func entries(_ path: String) throws(SystemError) -> [Entry] {
        guard let directory = opendir(path) else { throw SystemError("open \(path)") }
        defer { closedir(directory) }
        var entries: [Entry] = []
        while let next = readdir(directory) {
            let name = withUnsafePointer(to: &next.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            var status = stat()
            guard lstat("\(path)/\(name)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFLNK { stat("\(path)/\(name)", &status) }
            entries.append(
                Entry(
                    name: name,
                    inode: UInt64(status.st_ino),
                    size: Int(status.st_size),
                    modified: status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec,
                    isDirectory: status.st_mode & S_IFMT == S_IFDIR
                )
            )
        }
        return entries.sorted { $0.name < $1.name }
    }

    /// Makes it and what is missing above it; one that is there already is left as it is.
    package static func make(_ path: String, mode: mode_t = 0o700) throws(SystemError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw SystemError("make \(path)")
        }
        try self.make(String(path[..<slash]), mode: mode)
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw SystemError("make \(path)") }
    }

    /// Makes it for one user; one that is there already is left as it is.
    /// - Parameter owner: whose a directory becomes that was made here; nil: the running user's.
    package static func make(_ path: String, owner: String?) throws(SystemError) {
        let isNew = access(path, F_OK) != 0
        try self.make(path)
        if isNew, let owner { try self.give(path, to: owner) }
    }

    /// Removes it with everything in it; links are removed, not followed. What cannot be removed stays.
    package static func removeTree(_ path: String) {
        for entry in (try? self.entries(path)) ?? [] {
            let inner = "\(path)/\(entry.name)"
            if unlink(inner) != 0 && entry.isDirectory { self.removeTree(inner) }
        }
        rmdir(path)
    }

    /// Gives a file or directory to a user and its group.
    package static func give(_ path: String, to user: String) throws(SystemError) {
        let entry = try CurrentProcess.entry(ofUser: user)
        guard chown(path, entry.pw_uid, entry.pw_gid) == 0 else { throw SystemError("give \(path) to \(user)") }
    }
}
