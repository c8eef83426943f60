import COutpostSystem
import Glibc

/// Who opened the other end of a Unix socket, as the kernel knows it (unix(7)).
package struct PeerCredentials: Hashable, Sendable {
    package var user: UInt32
    /// The main group and the further ones.
    package var groups: Set<UInt32>

    package init(user: UInt32, groups: Set<UInt32>) {
        self.user = user
        self.groups = groups
    }
}

extension StreamSocket {
    /// - Throws: when this is no Unix socket.
    package func peer() throws(SystemError) -> PeerCredentials {
        var user: uid_t = 0
        var group: gid_t = 0
        guard outpost_peer(self.descriptor, &user, &group) == 0 else { throw SystemError("ask who the peer is") }
        // A kernel before 4.13 does not tell the further groups: the peer then has none.
        let count = max(0, outpost_peer_groups(self.descriptor, nil, 0))
        let further = [gid_t](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
            let written = outpost_peer_groups(self.descriptor, buffer.baseAddress, count)
            initialized = Int(max(0, min(written, count)))
        }
        return PeerCredentials(user: user, groups: Set(further).union([group]))
    }
}

/// Users and groups of the system, by name or number.
package enum SystemAccount {
    /// - Throws: when there is no such user.
    package static func user(_ text: String) throws(SystemError) -> UInt32 {
        if let number = UInt32(text) { return number }
        return try CurrentProcess.entry(ofUser: text).pw_uid
    }

    /// - Throws: when there is no such group.
    package static func group(_ text: String) throws(SystemError) -> UInt32 {
        if let number = UInt32(text) { return number }
        errno = 0
        guard let entry = getgrnam(text) else { throw SystemError(code: errno == 0 ? ENOENT : errno, "find the group \(text)") }
        return entry.pointee.gr_gid
    }

    /// The user that the process is now.
    package static var own: UInt32 { geteuid() }
}
