import SystemKit

/// Giving up root after binding to port 25.
enum Privileges {
    /// Does nothing when the process is not root. The data directories go to the user first.
    static func become(_ name: String) throws {
        guard UserAccount.isRoot else { return }
        try UserAccount(named: name).become()
    }
}
