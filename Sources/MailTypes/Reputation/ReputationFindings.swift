/// Whether a client's name leads back to it (forward-confirmed reverse DNS).
package struct ClientNameFinding: Hashable, Sendable {
    package enum Result: String, Hashable, Sendable, CaseIterable {
        /// A name of the address has the address.
        case pass
        /// The address has names, and none of them has the address.
        case fail
        /// The address has no name.
        case none
        /// The DNS gave no answer.
        case temperror
    }

    package var result: Result
    /// The confirmed name; for `fail` the first that was claimed.
    package var name: String?

    package init(_ result: Result, name: String? = nil) {
        self.result = result
        self.name = name
    }
}

/// Whether a domain could be answered, or a host be reached.
package struct DomainFinding: Hashable, Sendable {
    package enum Result: String, Hashable, Sendable, CaseIterable {
        /// There is an MX record or an address.
        case pass
        /// There is neither.
        case none
        /// The domain says that it takes no mail (RFC 7505).
        case nullMX = "null_mx"
        /// The DNS gave no answer.
        case temperror
    }

    package var result: Result
    package var domain: String

    package init(_ result: Result, domain: String) {
        self.result = result
        self.domain = domain
    }
}

/// What a DNS list is asked about.
package enum ListSubject: String, Hashable, Sendable, CaseIterable {
    /// The client's address.
    case client
    /// The name in EHLO.
    case helo
    /// The domain of the reverse path.
    case sender
    /// The domain of From.
    case from
    /// Domains of links.
    case uri
    /// Addresses that stand in links in place of a name.
    case uriAddress = "uri_address"

    /// It is known before the message is.
    package var isOfEnvelope: Bool { self == .client || self == .helo || self == .sender }

    /// It is an address, which is asked backwards (RFC 5782 §2.1); else a name (§3).
    package var isAddress: Bool { self == .client || self == .uriAddress }
}

/// One entry of a DNS list that was found.
package struct DNSListEntry: Hashable, Sendable {
    /// The list's symbol.
    package var list: String
    package var zone: String
    package var subject: ListSubject
    /// What was asked about: `192.0.2.1`, `example.org`.
    package var value: String
    /// The answer.
    package var code: IPAddress
    package var weight: Double
    /// What the configuration says that the answer means.
    package var meaning: String
    /// What the list says about it (TXT); printable ASCII.
    package var text: String

    package init(
        list: String,
        zone: String,
        subject: ListSubject,
        value: String,
        code: IPAddress,
        weight: Double,
        meaning: String = "",
        text: String = ""
    ) {
        self.list = list
        self.zone = zone
        self.subject = subject
        self.value = value
        self.code = code
        self.weight = weight
        self.meaning = meaning
        self.text = text
    }

    /// `192.0.2.1 is listed in zen.example: 127.0.0.2 (spam source), text of the list`
    package var explanation: String {
        var words = "\(self.value) is listed in \(self.zone): \(self.code)"
        if !self.meaning.isEmpty { words += " (\(self.meaning))" }
        return self.text.isEmpty ? words : words + ", \(self.text)"
    }
}

/// A list that was asked and gave no answer that counts.
package struct ListFailure: Hashable, Sendable {
    package var list: String
    /// In words for a log.
    package var reason: String

    package init(list: String, reason: String) {
        self.list = list
        self.reason = reason
    }
}

/// What the DNS says of a client, its envelope and the links of its message.
package struct ReputationFindings: Hashable, Sendable {
    /// nil: it was not asked.
    package var clientName: ClientNameFinding?
    package var helo: DomainFinding?
    package var sender: DomainFinding?
    package var entries: [DNSListEntry]
    package var failures: [ListFailure]
    /// What of it counts, in the words of rules.
    package var hits: [Hit]
    package var microseconds: Int

    package init() {
        self.entries = []
        self.failures = []
        self.hits = []
        self.microseconds = 0
    }

    /// `rdns=pass helo=pass sender=none lists=ZEN`
    package var summary: String {
        var words: [String] = []
        if let clientName { words.append("rdns=\(clientName.result.rawValue)") }
        if let helo { words.append("helo=\(helo.result.rawValue)") }
        if let sender { words.append("sender=\(sender.result.rawValue)") }
        let lists = self.entries.reduce(into: [String]()) { if !$0.contains($1.list) { $0.append($1.list) } }
        if !lists.isEmpty { words.append("lists=\(lists.joined(separator: ","))") }
        if !self.failures.isEmpty {
            let failed = self.failures.reduce(into: [String]()) { if !$0.contains($1.list) { $0.append($1.list) } }
            words.append("unanswered=\(failed.joined(separator: ","))")
        }
        return words.isEmpty ? "nothing" : words.joined(separator: " ")
    }
}

/// What the DNS answered to questions of rules.
package struct NetworkFindings: Hashable, Sendable {
    /// By rule: what hit, in words.
    package var hits: [String: [String]]
    /// Questions that got no answer.
    package var unanswered: Int

    package init(hits: [String: [String]] = [:], unanswered: Int = 0) {
        self.hits = hits
        self.unanswered = unanswered
    }
}
