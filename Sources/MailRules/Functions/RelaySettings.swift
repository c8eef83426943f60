import MailMessage
import MailTypes

/// What rule files say about hosts: `trusted_networks` and its relatives, `originating_ip_headers`, `envelope_sender_header`.
struct RelaySettings: Sendable {
    private(set) var networks = RelayNetworks()
    private(set) var envelopeSenderField: String?

    private static let keywords: Set<String> = [
        "trusted_networks", "internal_networks", "msa_networks", "originating_ip_headers", "clear_trusted_networks",
        "clear_internal_networks", "clear_msa_networks", "clear_originating_ip_headers",
    ]

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        for entry in settings.entries(of: Self.keywords) {
            switch entry.keyword {
            case "trusted_networks":
                self.networks.trusted = Self.adding(entry, to: self.networks.trusted ?? RelayNetworks.loopback, &problems)
            case "internal_networks":
                self.networks.internal = Self.adding(entry, to: self.networks.internal ?? RelayNetworks.loopback, &problems)
            case "msa_networks": self.networks.submission = Self.adding(entry, to: self.networks.submission, &problems)
            case "clear_trusted_networks": self.networks.trusted = nil
            case "clear_internal_networks": self.networks.internal = nil
            case "clear_msa_networks": self.networks.submission = NetworkSet()
            case "clear_originating_ip_headers": self.networks.originatingFields = []
            default:
                for name in entry.line.words where !self.names(name) { self.networks.originatingFields.append(name) }
            }
        }
        self.envelopeSenderField = settings.last("envelope_sender_header").flatMap { $0.text.isEmpty ? nil : $0.text }
        self.dropStrangers(settings, &problems)
    }

    private func names(_ field: String) -> Bool {
        self.networks.originatingFields.contains { $0.lowercased() == field.lowercased() }
    }

    private static func adding(_ entry: RuleSettings.Entry, to set: NetworkSet, _ problems: inout [RuleProblem]) -> NetworkSet {
        var set = set
        for word in entry.line.words where !set.add(word) {
            problems.append(
                RuleProblem(
                    .error,
                    file: entry.line.file,
                    line: entry.line.line,
                    column: entry.line.column,
                    message: "'\(word)' is no network",
                    hint: "write 192.0.2.0/24, 2001:db8::/32 or an address; ! in front excludes"
                )
            )
        }
        return set
    }

    /// Hosts of our own that are not trusted make no sense, and count as not named.
    private mutating func dropStrangers(_ settings: RuleSettings, _ problems: inout [RuleProblem]) {
        guard let outer = self.networks.trusted ?? self.networks.internal else { return }
        let name = self.networks.trusted == nil ? "internal_networks" : "trusted_networks"
        func warn(_ keyword: String, _ networks: [String]) {
            guard let line = settings.last(keyword) else { return }
            for network in networks {
                problems.append(
                    RuleProblem(
                        .warning,
                        file: line.file,
                        line: line.line,
                        column: line.column,
                        message: "\(network) of \(keyword) is not in \(name), and is left out",
                        hint: "add it to \(name)"
                    )
                )
            }
        }
        if self.networks.trusted != nil, var own = self.networks.internal {
            warn("internal_networks", own.remove(notIn: outer))
            self.networks.internal = own
        }
        warn("msa_networks", self.networks.submission.remove(notIn: outer))
    }

    /// The hops of a message; if it came to us over a connection, that is the first.
    func path(of message: ParsedMessage, _ envelope: Envelope) -> RelayPath {
        guard case .session(let receiver) = envelope.origin else { return RelayPath(message, networks: self.networks) }
        return RelayPath(message, networks: self.networks, connection: Relay(envelope, receiver: receiver))
    }
}

extension Relay {
    /// The hop that a session is. A client without a name looks as one that has none: who asks for names says so.
    init(_ envelope: Envelope, receiver: String) {
        self.init()
        let client = envelope.client
        self.ip = Array(client.address.description.utf8)
        self.helo = Array((client.helo ?? "").utf8)
        self.reverseName = Array((client.reverseName ?? "").utf8)
        self.by = Array(receiver.utf8)
        self.envelopeFrom = Array(envelope.reversePath.description.utf8)
        if client.login != nil { self.authentication = Array(client.protocolName(smtpUTF8: false).utf8) + [UInt8(ascii: "A")] }
        self.normalize()
    }
}
