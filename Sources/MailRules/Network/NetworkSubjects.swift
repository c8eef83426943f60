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
    /// Values for templates.
    var tags: [String: [[UInt8]]] = [:]

    /// Hosts of a message's way that are looked up at most (as in SpamAssassin).
    static let maximumRelays = 9

    /// Who has signed the message is known later than the rest.
    package mutating func learn(_ authentication: AuthenticationFindings) {
        self.tags["DKIMDOMAIN"] = authentication.dkimDomains.map { Array($0.utf8) }
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
    /// - Parameter tags: those that templates of rules name.
    init(_ context: EvalContext, tags: Set<String>) {
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
        for tag in tags { self.tags[tag] = self.values(of: tag, context) }
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
