import Glibc

/// Holds owners and modes of files against those that they must have: a directory's contents belong to its owner, and to nobody else.
struct PermissionCheck {
    /// What the problems are called by.
    let store: String
    /// The directory; paths are told from here.
    let root: String
    let repairs: Bool
    private let owner: stat

    private static let directoryMode: mode_t = 0o700
    private static let fileMode: mode_t = 0o600

    /// nil when there is no such directory.
    init?(store: String, root: String, repairs: Bool) {
        var status = stat()
        guard stat(root, &status) == 0 else { return nil }
        self.store = store
        self.root = root
        self.repairs = repairs
        self.owner = status
    }

    /// None or one. A file that has gone has none.
    func problems(_ path: String, isDirectory: Bool) -> [StoreProblem] {
        let mode = isDirectory ? Self.directoryMode : Self.fileMode
        var status = stat()
        guard lstat(path, &status) == 0 else { return [] }
        let name = path == self.root ? "" : String(path.dropFirst(self.root.count + 1))
        guard status.st_mode & S_IFMT == (isDirectory ? S_IFDIR : S_IFREG) else {
            return [.of(self.store, .permissions, name, detail: isDirectory ? "no directory" : "no file")]
        }
        var faults: [String] = []
        if status.st_mode & 0o7777 != mode {
            faults.append("mode \(String(status.st_mode & 0o7777, radix: 8)) instead of \(String(mode, radix: 8))")
        }
        if status.st_uid != self.owner.st_uid { faults.append("owner \(status.st_uid) instead of \(self.owner.st_uid)") }
        guard !faults.isEmpty else { return [] }
        let problem = StoreProblem.of(self.store, .permissions, name, detail: faults.joined(separator: ", "))
        guard self.repairs else { return [problem] }
        return [self.correct(path, mode) ? problem.with(.done("corrected")) : problem]
    }

    /// By the open file, and not through a link: the gateway's user must not lead root elsewhere.
    private func correct(_ path: String, _ mode: mode_t) -> Bool {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR || status.st_nlink == 1 else { return false }
        if status.st_uid != self.owner.st_uid, fchown(descriptor, self.owner.st_uid, self.owner.st_gid) != 0 { return false }
        return fchmod(descriptor, mode) == 0
    }
}
