import COutpostSystem
import Glibc

/// The running process: facts about it, and rights that it gives up.
package enum CurrentProcess {
    package static var id: Int32 { getpid() }
    package static var isRoot: Bool { geteuid() == 0 }
    package static var coreCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// The path of the program that runs.
    package static func executablePath() throws(SystemError) -> String {
        guard let path = realpath("/proc/self/exe", nil) else { throw SystemError("find the running program") }
        defer { free(path) }
        return String(cString: path)
    }

    /// True while a process with this number exists, whoever it belongs to.
    package static func exists(_ id: Int32) -> Bool {
        kill(id, 0) == 0 || errno == EPERM
    }

    package static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Becomes a user, with its groups, for good. Only root can.
    package static func become(user: String) throws(SystemError) {
        let entry = try self.entry(ofUser: user)
        guard outpost_become_user(user, entry.pw_uid, entry.pw_gid) == 0 else { throw SystemError("become the user \(user)") }
    }

    /// Programs that are started from now on get none of this process's capabilities, such as that for low ports.
    package static func keepCapabilities() throws(SystemError) {
        guard outpost_keep_capabilities() == 0 else { throw SystemError("keep capabilities to this process") }
    }

    /// No core dumps, and no look from other processes of the same user. A change of user undoes the second (prctl(2)).
    package static func keepMemoryPrivate() throws(SystemError) {
        guard outpost_keep_memory_private() == 0 else { throw SystemError("keep memory private") }
    }

    /// That, and no new privileges by starting other programs; this for the calling thread and those that it starts.
    package static func harden() throws(SystemError) {
        try self.keepMemoryPrivate()
        guard outpost_no_new_privileges() == 0 else { throw SystemError("give up new privileges") }
    }

    /// The kernel ends this process when the thread that started it ends. After any change of user, which undoes it (prctl(2)).
    package static func dieWithParent() throws(SystemError) {
        guard outpost_die_with_parent(SIGKILL) == 0 else { throw SystemError("follow the parent's end") }
    }

    /// What the kernel keeps this process from.
    package struct Confinement: Hashable, Sendable, CustomStringConvertible {
        /// The version of Landlock's interface; 0: files and network are kept back by the user's rights alone.
        package var landlock: Int
        package var filtersSystemCalls: Bool

        /// `landlock-7+seccomp`, `seccomp`, `none`.
        package var description: String {
            let words = [self.landlock > 0 ? "landlock-\(self.landlock)" : nil, self.filtersSystemCalls ? "seccomp" : nil]
            let present = words.compactMap { $0 }
            return present.isEmpty ? "none" : present.joined(separator: "+")
        }
    }

    /// For good: no file but below `directory`, those below `readable` to read, no new socket, no program, no other process; as
    /// far as the kernel can, which the result says. It holds for this thread and those that it starts, so it comes first. After
    /// `harden`.
    package static func confine(to directory: String, readable: [String]) throws(SystemError) -> Confinement {
        let paths = readable.map { strdup($0) }
        defer { for path in paths { free(path) } }
        let landlock = outpost_restrict_files(directory, paths.map { UnsafePointer($0) }, paths.count)
        guard landlock >= 0 else { throw SystemError("give up all files but those below \(directory)") }
        let filter = outpost_filter_system_calls()
        guard filter >= 0 else { throw SystemError("give up system calls") }
        return Confinement(landlock: Int(landlock), filtersSystemCalls: filter > 0)
    }

    /// - Throws: when there is no such user.
    package static func checkUser(_ name: String) throws(SystemError) { _ = try self.entry(ofUser: name) }

    static func entry(ofUser name: String) throws(SystemError) -> passwd {
        errno = 0
        guard let entry = getpwnam(name) else { throw SystemError(code: errno == 0 ? ENOENT : errno, "find the user \(name)") }
        return entry.pointee
    }
}
