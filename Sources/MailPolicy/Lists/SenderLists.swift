import MailTypes

/// The entry that decides, and by what.
package struct ListMatch: Hashable, Sendable, CustomStringConvertible {
    package var entry: ListEntry
    package var evidence: ListEvidence

    package init(entry: ListEntry, evidence: ListEvidence) {
        self.entry = entry
        self.evidence = evidence
    }

    /// `17 example.org (SPF of example.org): our printer`
    package var description: String {
        let comment = self.entry.comment.isEmpty ? "" : ": \(self.entry.comment)"
        return "\(self.entry.id) \(self.entry.text) (\(self.evidence))\(comment)"
    }
}

/// Entries, compiled: however many there are, a look-up costs a few hashes. Only patterns of text are tried one by one.
package struct SenderLists: Sendable {
    package let entries: [ListEntry]
    private var byAddress: [String: [Int]] = [:]
    private var byDomain: [String: [Int]] = [:]
    /// By the name behind `*.`.
    private var belowDomain: [String: [Int]] = [:]
    private var byNetwork: [IPNetwork: [Int]] = [:]
    private var lengths4: Set<Int> = []
    private var lengths6: Set<Int> = []
    private var patterns: [Int] = []
    /// Until when there are allow entries that may fit a client of which only the address is known.
    private(set) var lateAllowUntil: Int64 = .min
    private var byRecipient: [String: [Int]] = [:]
    private var byRecipientDomain: [String: [Int]] = [:]
    private var belowRecipientDomain: [String: [Int]] = [:]

    package init(_ entries: [ListEntry] = []) {
        self.entries = entries
        for (index, entry) in entries.enumerated() {
            switch entry.subject {
            case .network(let network):
                self.byNetwork[network, default: []].append(index)
                if network.base.isIPv4 {
                    self.lengths4.insert(network.prefixLength)
                } else {
                    self.lengths6.insert(network.prefixLength)
                }
            case .address(let address): self.byAddress[address, default: []].append(index)
            case .domain(let pattern): Self.insert(pattern, index, &self.byDomain, &self.belowDomain)
            case .helo, .from: self.patterns.append(index)
            }
            if entry.action == .allow, entry.namesSender || entry.scope != .all {
                self.lateAllowUntil = max(self.lateAllowUntil, entry.expires ?? .max)
            }
            switch entry.scope {
            case .all: break
            case .recipient(let address): self.byRecipient[address, default: []].append(index)
            case .domain(let pattern): Self.insert(pattern, index, &self.byRecipientDomain, &self.belowRecipientDomain)
            }
        }
    }

    private static func insert(
        _ pattern: String,
        _ index: Int,
        _ exact: inout [String: [Int]],
        _ below: inout [String: [Int]]
    ) {
        if pattern.hasPrefix("*.") {
            below[String(pattern.dropFirst(2)), default: []].append(index)
        } else {
            exact[pattern, default: []].append(index)
        }
    }

    /// Entries that the sender may fit; those that it surely differs from are mostly left out.
    func candidates(_ facts: SenderFacts) -> [ListEntry] {
        guard !self.entries.isEmpty else { return [] }
        var found = Set(self.patterns)
        for length in facts.client.isIPv4 ? self.lengths4 : self.lengths6 {
            guard let network = IPNetwork(base: facts.client, prefixLength: length) else { continue }
            found.formUnion(self.byNetwork[network] ?? [])
        }
        let addresses = [facts.reversePath?.address].compactMap { $0 } + facts.headerFrom
        for address in addresses { found.formUnion(self.byAddress[address.folded] ?? []) }
        let domains = Set(addresses.map { DomainPattern.folded($0.domain) } + facts.signers + [facts.spfDomain].compactMap { $0 })
        for domain in domains { found.formUnion(Self.look(up: domain, self.byDomain, self.belowDomain)) }
        return found.sorted().map { self.entries[$0] }
    }

    /// Entries for this recipient or its domain.
    func scoped(to recipient: MailAddress) -> [ListEntry] {
        guard !(self.byRecipient.isEmpty && self.byRecipientDomain.isEmpty && self.belowRecipientDomain.isEmpty) else {
            return []
        }
        let found =
            (self.byRecipient[recipient.folded] ?? [])
            + Self.look(up: DomainPattern.folded(recipient.domain), self.byRecipientDomain, self.belowRecipientDomain)
        return found.sorted().map { self.entries[$0] }
    }

    private static func look(up domain: String, _ exact: [String: [Int]], _ below: [String: [Int]]) -> [Int] {
        var found = exact[domain] ?? []
        guard !below.isEmpty, !domain.hasPrefix("[") else { return found }
        var rest = domain[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            found += below[String(rest)] ?? []
        }
        return found
    }
}

extension ListEntry {
    /// The narrower, the more it counts.
    private var breadth: Int {
        switch self.subject {
        case .address: 0
        case .domain(let pattern): 1_000 + (pattern.hasPrefix("*.") ? 1_000 - pattern.utf8.count : 0)
        case .network(let network): 3_000 + network.base.bitWidth - network.prefixLength
        case .helo, .from: 4_000
        }
    }

    /// The order in which entries that fit count: the nearer to the recipient, allow before deny, the narrower.
    static func precedes(_ left: ListEntry, _ right: ListEntry) -> Bool {
        let keys = [left, right].map { ($0.scope.rank, $0.action == .allow ? 0 : 1, $0.breadth) }
        return keys[0] == keys[1] ? left.id < right.id : keys[0] < keys[1]
    }
}
