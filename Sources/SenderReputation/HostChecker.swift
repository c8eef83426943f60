import MailTypes

/// Asks what the DNS knows of a client and of the names it uses.
package struct HostChecker<Resolver: DNSResolver>: Sendable {
    /// Names of one address that are looked at: honest hosts have one or two, and each costs a question (RFC 7208 §4.6.4 has the
    /// same bound).
    package static var maximumNames: Int { 10 }

    private let resolver: Resolver

    package init(resolver: Resolver) {
        self.resolver = resolver
    }

    /// Whether a name of the address leads back to it.
    package func clientName(of address: IPAddress) async -> ClientNameFinding {
        let response = await self.resolver.resolve(DNSName(reverseOf: address), .ptr)
        guard let records = response.records else { return ClientNameFinding(.temperror) }
        let names = records.compactMap { record -> DNSName? in
            if case .name(let name) = record, !name.labels.isEmpty { name } else { nil }
        }
        guard let first = names.first else { return ClientNameFinding(.none) }
        let answers = await withTaskGroup(of: (Int, Bool?).self) { group in
            for (index, name) in names.prefix(Self.maximumNames).enumerated() {
                group.addTask {
                    (index, await self.resolver.addresses(of: name, like: address).records?.contains(.address(address)))
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = .some($1.1) }
        }
        // The first in the answer, so that the same client has the same name each time.
        if let index = answers.filter({ $0.value == true }).keys.min() {
            return ClientNameFinding(.pass, name: "\(names[index])")
        }
        let isUndecided = answers.values.contains { $0 == nil }
        return ClientNameFinding(isUndecided ? .temperror : .fail, name: "\(first)")
    }

    /// Whether mail to a domain could be delivered: an MX record, or else an address (RFC 5321 §5.1).
    package func mailDomain(_ text: String) async -> DomainFinding {
        guard let name = DNSName(text) else { return DomainFinding(.none, domain: text) }
        let response = await self.resolver.resolve(name, .mx)
        switch response.outcome {
        case .failure: return DomainFinding(.temperror, domain: text)
        case .noName: return DomainFinding(.none, domain: text)
        case .found(let records):
            // RFC 7505 §3: a single record with the root.
            if records.count == 1, case .mailExchange(_, let exchange) = records[0], exchange.labels.isEmpty {
                return DomainFinding(.nullMX, domain: text)
            }
            return DomainFinding(.pass, domain: text)
        case .noData: return await self.host(name, text)
        }
    }

    /// Whether a host's name has an address, or at least an MX record, as the names of mail domains that some give.
    package func host(_ text: String) async -> DomainFinding {
        guard let name = DNSName(text) else { return DomainFinding(.none, domain: text) }
        let finding = await self.host(name, text)
        guard finding.result == .none, await self.resolver.resolve(name, .mx).records?.isEmpty == false else { return finding }
        return DomainFinding(.pass, domain: text)
    }

    private func host(_ name: DNSName, _ text: String) async -> DomainFinding {
        async let second = self.resolver.resolve(name, .aaaa).records
        let first = await self.resolver.resolve(name, .a).records
        let answers = [first, await second]
        if answers.contains(where: { $0?.isEmpty == false }) { return DomainFinding(.pass, domain: text) }
        return DomainFinding(answers.contains { $0 == nil } ? .temperror : .none, domain: text)
    }
}
