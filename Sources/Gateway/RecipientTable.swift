import MailPolicy
import MailTypes

/// Recipients with equal groups can share a transaction: one route, one policy, so one reply (design: one policy and one
/// route per transaction).
struct RecipientGroup: Hashable, Sendable {
    var route: GatewayConfiguration.Route
    var policy: String
    /// Which entries of the lists may hold for the recipient and not for others (`SenderGate.scopeKey`).
    var lists = ""
}

/// Says where a recipient's mail goes and which policy it falls under; nil for domains that are not ours.
struct RecipientTable: Sendable {
    private struct Entry: Sendable {
        var group: RecipientGroup
        var recipientPolicies: [String: String]
    }

    private let domains: DomainTable<Entry>
    /// `<postmaster>` without a domain must be accepted (RFC 5321 §4.5.1): the first domain's server gets it.
    private let postmaster: RecipientGroup?

    init(_ domains: [GatewayConfiguration.Domain]) {
        self.domains = DomainTable(
            entries: domains.flatMap { domain in
                domain.names.map { name in
                    (
                        pattern: name,
                        value: Entry(
                            group: RecipientGroup(route: domain.route, policy: domain.policy),
                            recipientPolicies: domain.recipientPolicies
                        )
                    )
                }
            }
        )
        self.postmaster = domains.first.map { RecipientGroup(route: $0.route, policy: $0.policy) }
    }

    func group(for address: MailAddress) -> RecipientGroup? {
        if address.domain.isEmpty { return self.postmaster }
        guard let entry = self.domains.value(for: address.domain) else { return nil }
        var group = entry.group
        if !entry.recipientPolicies.isEmpty,
            let policy = entry.recipientPolicies[address.folded] ?? entry.recipientPolicies[address.localPart.lowercased() + "@"]
        {
            group.policy = policy
        }
        return group
    }

    func isOurs(_ domain: String) -> Bool { self.domains.value(for: domain) != nil }
}
