import SystemKit

/// Who may ask: root, the gateway's own user, and those that the configuration names.
package struct AdminPermission: Hashable, Sendable {
    private var users: Set<UInt32>
    private var groups: Set<UInt32>

    /// - Parameters:
    ///   - users: names or numbers.
    ///   - groups: names or numbers.
    /// - Throws: when one of them does not exist.
    package init(users: [String] = [], groups: [String] = []) throws(SystemError) {
        self.users = []
        self.groups = []
        for user in users { self.users.insert(try SystemAccount.user(user)) }
        for group in groups { self.groups.insert(try SystemAccount.group(group)) }
    }

    /// Others than root and the gateway's own user may ask.
    var isWide: Bool { !self.users.isEmpty || !self.groups.isEmpty }

    func allows(_ peer: PeerCredentials) -> Bool {
        peer.user == 0 || peer.user == SystemAccount.own || self.users.contains(peer.user)
            || !self.groups.isDisjoint(with: peer.groups)
    }
}
