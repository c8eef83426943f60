import MailMessage
import MailTypes

/// What of a message rules ask the DNS about.
package struct NetworkSubjects: Hashable, Sendable {
    /// Public addresses of hosts on the message's way, each once, newest first.
    var untrusted: [IPAddress] = []
    var external: [IPAddress] = []
    /// Of those, the ones that the rule files trust.
    var trusted: Set<IPAddress> = []
    var authorHosts: [[UInt8]] = []
    var envelopeHosts: [[UInt8]] = []
    var links: [LinkedHost] = []
    /// Hosts, names or addresses, by the header field that tells them.
    var headerHosts: [String: [[UInt8]]] = [:]
    /// Who vouches for the message, as it says itself; lower case.
    var accreditors: Set<[UInt8]> = []
    /// Address and names of the oldest relay that cannot be trusted, in its own words.
    var oldestRelay: [[UInt8]] = []
    /// By rule, what it asks about once it is hashed.
    var hashed: [String: [[UInt8]]] = [:]
    /// The address that the message came from to our hosts, if it is public.
    var origin: IPAddress?
    /// Values for templates.
    var tags: [String: [[UInt8]]] = [:]

    /// Hosts of a message's way that are looked up at most (as in SpamAssassin).
    static let maximumRelays = 9

    /// Who has signed the message is known later than the rest.
    package mutating func learn(_ authentication: AuthenticationFindings) {
        self.tags["DKIMDOMAIN"] = authentication.dkimDomains.map { Array($0.utf8) }
    }

    /// Each value once.
    mutating func add(_ values: [[UInt8]], to tag: String) {
        for value in values where !self.tags[tag, default: []].contains(value) { self.tags[tag, default: []].append(value) }
    }

    func relays(_ choice: NetworkRule.RelayChoice, isNice: Bool) -> [IPAddress] {
        var addresses: [IPAddress]
        switch choice {
        case .lastExternal: addresses = Array(self.external.prefix(1))
        case .notFirstHop: addresses = self.external.count > 1 ? self.external.dropLast() : self.external
        case .firstTrusted: addresses = Array(self.untrusted.prefix(1))
        case .untrusted: addresses = Array(self.untrusted.dropFirst())
        case .all: addresses = self.untrusted.reversed()
        }
        addresses = Array(addresses.prefix(Self.maximumRelays))
        // What a host of our own passes on is not its fault; that it is a good host counts.
        return isNice ? addresses : Array(addresses.drop { self.trusted.contains($0) })
    }
}

extension NetworkSubjects {
    /// - Parameters:
    ///   - tags: those that templates of rules name.
    ///   - rules: that will ask.
    init(_ context: EvalContext, tags: Set<String>, rules: [NetworkRule]) {
        let networks = context.settings.relays.networks
        func addresses(_ relays: [Relay]) -> [IPAddress] {
            var seen: Set<IPAddress> = []
            return relays.compactMap { $0.isPrivate ? nil : $0.address }.filter { seen.insert($0).inserted }
        }
        self.untrusted = addresses(context.relays.untrusted)
        self.external = addresses(context.relays.external)
        if let trusted = networks.trusted ?? networks.internal {
            self.trusted = Set((self.untrusted + self.external).filter { trusted.contains($0) })
        }
        self.authorHosts = Self.hosts(context.facts(MessageAddresses.init).senders)
        self.envelopeHosts = Self.hosts(context.header("EnvelopeFrom:addr").map { [$0] } ?? [])
        self.links = context.text.linkedHosts(
            limit: context.settings.network.maximumHosts,
            skipped: context.settings.network.skipped,
            skipsMailAddresses: context.settings.network.skipsMailAddresses
        )
        self.origin = context.relays.external.first.flatMap { $0.isPrivate ? nil : $0.address }
        for rule in rules { self.collect(for: rule, context) }
        for tag in tags { self.tags[tag] = self.values(of: tag, context) }
    }

    private mutating func collect(for rule: NetworkRule, _ context: EvalContext) {
        switch rule.source {
        case .headers(let fields):
            for field in fields ?? context.settings.network.headerFields where self.headerHosts[field] == nil {
                self.headerHosts[field] = Self.hosts(inField: field, context)
            }
        case .accredited: if self.accreditors.isEmpty { self.accreditors = Self.accreditors(context) }
        case .oldestRelay:
            guard let relay = context.relays.untrusted.last, self.oldestRelay.isEmpty else { return }
            var seen: Set<[UInt8]> = [[]]
            self.oldestRelay = [relay.ip, relay.by, relay.helo, relay.reverseName].filter { seen.insert($0).inserted }
        case .hashes(let query): self.hashed[rule.rule] = query.texts(context)
        case .relays, .authorHosts, .authorDomains, .envelopeHosts, .unknownSender, .senderServers, .set, .links, .linkServers,
            .linkAddresses, .networkNumbers, .template:
            break
        }
    }

    /// The host of the field's first address; without one, each of its lines.
    private static func hosts(inField field: String, _ context: EvalContext) -> [[UInt8]] {
        if let address = context.addresses(field + ":addr").first(where: { $0.contains(0x40) }) { return self.hosts([address]) }
        return (context.header(field) ?? []).split(separator: 0x0a).map { line in
            Array(line.drop(while: \.isBlank).reversed().drop(while: \.isBlank).reversed())
        }.filter { !$0.isEmpty }
    }

    /// `owner@a--accreditor.example.com`, and `Accreditor: one, parameter=value; two`.
    private static func accreditors(_ context: EvalContext) -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        if let address = context.addresses("EnvelopeFrom:addr").first?.map(\.lowercased) {
            for start in address.indices where address[start] == 0x40 || address[start] == UInt8(ascii: ".") {
                guard address[(start + 1)...].starts(with: "a--".utf8) else { continue }
                let name = address[(start + 4)...].prefix { $0.isDigit || (0x61...0x7a).contains($0) }
                guard name.count >= 3, name.endIndex < address.endIndex, address[name.endIndex] == UInt8(ascii: ".") else {
                    continue
                }
                found.insert(Array(name))
                break
            }
        }
        for part in (context.header("Accreditor") ?? []).split(separator: UInt8(ascii: ",")) {
            guard let name = part.split(whereSeparator: \.isBlank).first else { continue }
            found.insert(name.map(\.lowercased))
        }
        return found
    }

    /// What stands behind the @, without dots too many.
    private static func hosts(_ addresses: [[UInt8]]) -> [[UInt8]] {
        let dot = UInt8(ascii: ".")
        var seen: Set<[UInt8]> = []
        return addresses.compactMap { address -> [UInt8]? in
            guard let at = address.lastIndex(of: UInt8(ascii: "@")) else { return nil }
            let host = address[(at + 1)...].prefix { !$0.isBlank }.map(\.lowercased)
            let labels = host.split(separator: dot)
            return labels.count > 1 ? Array(labels.joined(separator: [dot])) : nil
        }.filter { seen.insert($0).inserted }
    }

    private func values(of tag: String, _ context: EvalContext) -> [[UInt8]] {
        let last = context.relays.external.first
        func one(_ value: [UInt8]?) -> [[UInt8]] { value.flatMap { $0.isEmpty ? nil : [$0] } ?? [] }
        switch tag {
        case "URIHOSTS": return self.links.map(\.name)
        case "URIDOMAINS":
            var seen: Set<[UInt8]> = []
            return self.links.map(\.domain).filter { seen.insert($0).inserted }
        case "SENDERDOMAIN": return self.envelopeHosts
        case "AUTHORDOMAIN": return Self.hosts(context.headers("From:addr"))
        case "LASTEXTERNALIP": return one(last?.ip)
        case "LASTEXTERNALREVIP": return one(last?.address.map { Array($0.listLabels.joined(separator: [UInt8(ascii: ".")])) })
        case "LASTEXTERNALRDNS": return one(last?.reverseName)
        case "LASTEXTERNALHELO": return one(last?.helo)
        default:
            guard tag.hasPrefix("HEADER("), tag.hasSuffix(")") else { return [] }
            return context.headers(String(tag.dropFirst("HEADER(".count).dropLast())).flatMap {
                $0.split(whereSeparator: \.isBlank).map { Array($0) }
            }
        }
    }
}
