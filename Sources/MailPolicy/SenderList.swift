import MailTypes

/// A list of senders, compiled: addresses, domains and client networks. However long the list, a look-up costs a few
/// hashes.
package struct SenderList: Sendable {
    /// One line of a list.
    package enum Entry: Hashable, Sendable {
        /// Folded: `user@example.org`.
        case address(String)
        /// Lower case: `example.org`, `*.example.org`.
        case domain(String)
        case network(IPNetwork)

        /// Reads an address, a domain with or without `*.`, a network or a single IP address; nil for anything else.
        package init?(_ text: String) {
            if let network = IPNetwork(text) {
                self = .network(network)
            } else if text.contains("@") {
                // `@example.org` is a way many write a domain.
                if text.hasPrefix("@") {
                    self.init(domain: String(text.dropFirst()))
                } else {
                    guard let address = MailAddress(text, allowUTF8: true), !address.domain.isEmpty else { return nil }
                    self = .address(address.folded)
                }
            } else {
                self.init(domain: text)
            }
        }

        private init?(domain: String) {
            let lower = domain.lowercased()
            let bare = lower.hasPrefix("*.") ? String(lower.dropFirst(2)) : lower
            // A name without a dot is a top-level domain or, far more likely, a slip.
            guard MailAddress.isDomain(bare), !bare.hasPrefix("["), bare.contains("."), !bare.contains("/") else { return nil }
            guard bare.split(separator: ".").last?.allSatisfy(\.isNumber) == false else { return nil }
            self = .domain(lower)
        }
    }

    /// What matched, for the log: the entry as it was written, and what it fits.
    package struct Match: Hashable, Sendable {
        package enum Subject: String, Hashable, Sendable {
            case client
            case reversePath = "reverse path"
            case headerFrom = "From"
        }

        package var entry: String
        package var subject: Subject

        package var description: String { "\(self.entry) (\(self.subject.rawValue))" }
    }

    private var addresses: [String: String] = [:]
    private var domains: DomainTable<String>
    private var networks: NetworkTable

    /// Lines that are no entries are left out; the configuration has refused them before.
    package init(_ lines: [String]) {
        var domains: [(pattern: String, value: String)] = []
        var networks: [(network: IPNetwork, text: String)] = []
        for line in lines {
            switch Entry(line) {
            case .address(let address): self.addresses[address] = line
            case .domain(let domain): domains.append((domain, line))
            case .network(let network): networks.append((network, line))
            case nil: continue
            }
        }
        self.domains = DomainTable(entries: domains)
        self.networks = NetworkTable(networks)
    }

    package var isEmpty: Bool { self.addresses.isEmpty && self.domains.isEmpty && self.networks.isEmpty }

    package func match(client: IPAddress) -> Match? {
        self.networks.entry(containing: client).map { Match(entry: $0, subject: .client) }
    }

    package func match(reversePath: ReversePath) -> Match? {
        reversePath.address.flatMap { self.entry(for: $0) }.map { Match(entry: $0, subject: .reversePath) }
    }

    /// The client first, then the reverse path, then the addresses of the header's From.
    package func match(client: IPAddress, reversePath: ReversePath, headerFrom: [MailAddress] = []) -> Match? {
        if let match = self.match(client: client) ?? self.match(reversePath: reversePath) { return match }
        for address in headerFrom {
            if let entry = self.entry(for: address) { return Match(entry: entry, subject: .headerFrom) }
        }
        return nil
    }

    private func entry(for address: MailAddress) -> String? {
        self.addresses[address.folded] ?? self.domains.value(for: address.domain)
    }
}

/// Networks by prefix length: one hash for each length in use.
private struct NetworkTable: Sendable {
    private var texts: [IPNetwork: String] = [:]
    private var lengths4: [Int] = []
    private var lengths6: [Int] = []

    init(_ networks: [(network: IPNetwork, text: String)]) {
        for (network, text) in networks where self.texts[network] == nil {
            self.texts[network] = text
        }
        self.lengths4 = NetworkTable.lengths(self.texts.keys.filter(\.base.isIPv4))
        self.lengths6 = NetworkTable.lengths(self.texts.keys.filter { !$0.base.isIPv4 })
    }

    /// The longest, that is the most specific, first.
    private static func lengths(_ networks: [IPNetwork]) -> [Int] {
        Set(networks.map(\.prefixLength)).sorted(by: >)
    }

    var isEmpty: Bool { self.texts.isEmpty }

    func entry(containing address: IPAddress) -> String? {
        for length in address.isIPv4 ? self.lengths4 : self.lengths6 {
            if let network = IPNetwork(base: address, prefixLength: length), let text = self.texts[network] { return text }
        }
        return nil
    }
}
