import MailTypes

/// Whose doings are counted together.
package enum RateSubject: String, Hashable, Sendable, CaseIterable {
    case clientAddress = "client_address"
    /// /24 of IPv4, /64 of IPv6.
    case clientNetwork = "client_network"
    case reversePath = "reverse_path"
    case senderDomain = "sender_domain"
    case recipientDomain = "recipient_domain"
}

/// What is counted.
package enum RateUnit: String, Hashable, Sendable, CaseIterable {
    case connections
    case messages
    case recipients
}

/// How much somebody may do in a time.
///
/// A bucket with `limit` tokens that fills up again evenly within `window`: after a pause the whole limit can be used at once,
/// after that one token at a time. Within any one window that is less than twice the limit.
package struct RateLimit: Hashable, Sendable {
    package var per: RateSubject
    package var of: RateUnit
    package var limit: Int
    package var windowSeconds: Int
    /// Clients that are not counted.
    package var exempt: [IPNetwork]

    package init(per: RateSubject, of: RateUnit, limit: Int, windowSeconds: Int, exempt: [IPNetwork] = []) {
        self.per = per
        self.of = of
        self.limit = limit
        self.windowSeconds = windowSeconds
        self.exempt = exempt
    }

    /// `100 messages in 3600 s per client_network`
    package var description: String { "\(self.limit) \(self.of.rawValue) in \(self.windowSeconds) s per \(self.per.rawValue)" }

    /// What is known when it is counted: recipients at RCPT, the sender at MAIL, and nothing but the client at connect.
    package var isCountable: Bool {
        switch self.per {
        case .clientAddress, .clientNetwork: true
        case .reversePath, .senderDomain: self.of != .connections
        case .recipientDomain: self.of == .recipients
        }
    }
}

/// One token of one bucket.
package struct RateCharge: Hashable, Sendable {
    package var limit: RateLimit
    /// Whose bucket: `192.0.2.0/24`, `example.org`.
    package var key: String

    package init(limit: RateLimit, key: String) {
        self.limit = limit
        self.key = key
    }

    /// Whom a limit exempts is no part of which bucket it is: who is exempt has none. So a bucket is known again after a restart.
    package static func == (one: Self, other: Self) -> Bool {
        one.key == other.key && one.limit.per == other.limit.per && one.limit.of == other.limit.of
            && one.limit.limit == other.limit.limit && one.limit.windowSeconds == other.limit.windowSeconds
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.key)
        hasher.combine(self.limit.per)
        hasher.combine(self.limit.of)
        hasher.combine(self.limit.limit)
        hasher.combine(self.limit.windowSeconds)
    }
}

/// A bucket is empty.
package struct RateOverrun: Hashable, Sendable {
    package var charge: RateCharge
    /// Until there is a token again.
    package var seconds: Int

    package init(charge: RateCharge, seconds: Int) {
        self.charge = charge
        self.seconds = seconds
    }

    /// RFC 5321 §4.2.3 has 450 for what is temporarily not available; RFC 3463 §3.8 has X.7.1 for what policy refuses.
    package var reply: SMTPReply {
        switch self.charge.limit.of {
        case .connections:
            .transient(.serviceUnavailable, (7, 0), "Too many connections in a short time, try again later")
        case .messages:
            .transient(.mailboxUnavailable, (7, 1), "Too many messages in a short time, try again later")
        case .recipients:
            .transient(.mailboxUnavailable, (7, 1), "Too many recipients in a short time, try again later")
        }
    }
}

/// The limits of the configuration, asked what an event costs.
package struct RateLimits: Sendable {
    private let limits: [RateLimit]

    package init(_ limits: [RateLimit]) {
        self.limits = limits.filter(\.isCountable)
    }

    package func connection(from client: IPAddress) -> [RateCharge] {
        self.charges(.connections, client: client, sender: .null, recipient: nil)
    }

    package func message(from client: IPAddress, sender: ReversePath) -> [RateCharge] {
        self.charges(.messages, client: client, sender: sender, recipient: nil)
    }

    package func recipient(_ recipient: MailAddress, from client: IPAddress, sender: ReversePath) -> [RateCharge] {
        self.charges(.recipients, client: client, sender: sender, recipient: recipient)
    }

    private func charges(
        _ unit: RateUnit,
        client: IPAddress,
        sender: ReversePath,
        recipient: MailAddress?
    ) -> [RateCharge] {
        guard !self.limits.isEmpty else { return [] }
        return self.limits.compactMap { limit in
            guard limit.of == unit, !limit.exempt.contains(where: { $0.contains(client) }) else { return nil }
            // Bounces come from nobody: what has no key is not counted.
            let key: String? =
                switch limit.per {
                case .clientAddress: client.description
                case .clientNetwork: client.customerNetwork.description
                case .reversePath: sender.address?.folded
                case .senderDomain: sender.address.map { DomainPattern.folded($0.domain) }
                case .recipientDomain: recipient.map { DomainPattern.folded($0.domain) }
                }
            return key.map { RateCharge(limit: limit, key: $0) }
        }
    }
}
