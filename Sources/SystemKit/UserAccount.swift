import COutpostSystem
import Glibc

/// A user of this system.
package struct UserAccount: Hashable, Sendable {
    package let name: String
    package let userID: uid_t
    package let groupID: gid_t

    /// Looks a user up by name.
    package init(named name: String) throws(SystemError) {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        // 16 KiB is many times what any entry takes.
        var buffer = [CChar](repeating: 0, count: 16_384)
        let code = getpwnam_r(name, &entry, &buffer, buffer.count, &result)
        guard code == 0, result != nil else {
            throw SystemError(code: code == 0 ? ENOENT : code, "there is no user \(name)")
        }
        self.name = name
        self.userID = entry.pw_uid
        self.groupID = entry.pw_gid
    }

    package static var isRoot: Bool { geteuid() == 0 }

    /// Becomes this user and its groups, in all threads, for good.
    package func become() throws(SystemError) {
        guard outpost_become_user(self.name, self.userID, self.groupID) == 0 else {
            throw SystemError("become user \(self.name)")
        }
    }

    /// Gives a file or directory to this user.
    package func own(_ path: String) throws(SystemError) {
        guard lchown(path, self.userID, self.groupID) == 0 else { throw SystemError("chown \(path)") }
    }
}

/// Keeps other processes of the same user, and core dumps, away from what this process holds in memory, and gives up every
/// way to new privileges.
package func hardenProcess() throws(SystemError) {
    guard outpost_harden_process() == 0 else { throw SystemError("prctl") }
}
