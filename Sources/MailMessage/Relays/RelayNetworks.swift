import MailTypes

/// Which hosts are whose, as the administrator says (`trusted_networks` and its relatives).
package struct RelayNetworks: Hashable, Sendable {
    /// Hosts that tell the truth in their Received fields, ours or not; nil when nobody said.
    package var trusted: NetworkSet?
    /// Hosts of our own; nil when nobody said.
    package var `internal`: NetworkSet?
    /// Hosts that take mail from users only: whatever is behind them is trusted, too.
    package var submission = NetworkSet()
    /// Fields with the address of a web mail user (`X-Originating-IP`): the hop in front of all that Received fields tell.
    package var originatingFields: [String] = []

    package init() {}

    /// The host itself is always trusted and internal.
    package static let loopback: NetworkSet = {
        var set = NetworkSet()
        _ = set.add("127.0.0.0/8")
        _ = set.add("::1")
        return set
    }()
}
