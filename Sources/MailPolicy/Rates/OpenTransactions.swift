import MailTypes

/// How many transactions may be open at once; 0: any number.
package struct OpenTransactionLimits: Hashable, Sendable {
    package var perReversePath = 0
    package var perSenderDomain = 0
    package var perRecipientDomain = 0

    package init() {}

    /// What a transaction of this sender takes at MAIL. Bounces come from nobody and take nothing.
    package func places(of sender: ReversePath) -> [OpenTransactionPlace] {
        guard let address = sender.address else { return [] }
        return [
            OpenTransactionPlace(.reversePath, address.folded, limit: self.perReversePath),
            OpenTransactionPlace(.senderDomain, DomainPattern.folded(address.domain), limit: self.perSenderDomain),
        ].filter { $0.limit > 0 }
    }

    /// What it takes at RCPT, once for each domain.
    package func place(of recipient: MailAddress) -> OpenTransactionPlace? {
        guard self.perRecipientDomain > 0 else { return nil }
        return OpenTransactionPlace(
            .recipientDomain,
            DomainPattern.folded(recipient.domain),
            limit: self.perRecipientDomain
        )
    }
}

/// One of the places that are there for a key.
package struct OpenTransactionPlace: Hashable, Sendable {
    package var per: RateSubject
    /// `ann@example.org`, `example.org`.
    package var key: String
    /// As many as there are.
    package var limit: Int

    package init(_ per: RateSubject, _ key: String, limit: Int) {
        self.per = per
        self.key = key
        self.limit = limit
    }

    /// A reload may change the limit; who has a place is counted all the same.
    package static func == (one: Self, other: Self) -> Bool { one.per == other.per && one.key == other.key }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.per)
        hasher.combine(self.key)
    }

    /// `20 transactions at once per sender_domain`
    package var description: String { "\(self.limit) transactions at once per \(self.per.rawValue)" }

    /// To whom there is no place left. Like the rates' replies: 450 is for what policy blocks for a while (RFC 5321 §4.2.3), X.7.1
    /// for what it refuses (RFC 3463 §3.8).
    package var refusal: SMTPReply {
        switch self.per {
        case .recipientDomain:
            .transient(.mailboxUnavailable, (7, 1), "Too many transactions to this domain at once, try again later")
        case .reversePath, .senderDomain, .clientAddress, .clientNetwork:
            .transient(.mailboxUnavailable, (7, 1), "Too many transactions of this sender at once, try again later")
        }
    }
}

/// The transactions that are open, counted by key. Keys without one are not kept, so there are never more of them than open
/// transactions have senders and accepted recipients.
package struct OpenTransactions: Sendable {
    private var counts: [OpenTransactionPlace: Int] = [:]

    package init() {}

    package var isEmpty: Bool { self.counts.isEmpty }

    package func count(_ place: OpenTransactionPlace) -> Int { self.counts[place] ?? 0 }

    /// Takes all of these places, or none.
    /// - Returns: the place that there is not; nil: they are taken.
    package mutating func take(_ places: [OpenTransactionPlace]) -> OpenTransactionPlace? {
        if let full = places.first(where: { self.count($0) >= $0.limit }) { return full }
        for place in places { self.counts[place, default: 0] += 1 }
        return nil
    }

    package mutating func giveBack(_ places: some Sequence<OpenTransactionPlace>) {
        for place in places {
            let left = self.count(place) - 1
            self.counts[place] = left > 0 ? left : nil
        }
    }

    /// Those whose places are taken for the largest part, the fullest first.
    package func busiest(_ number: Int) -> [(place: OpenTransactionPlace, open: Int)] {
        func share(_ entry: (key: OpenTransactionPlace, value: Int)) -> Double { Double(entry.value) / Double(entry.key.limit) }
        return self.counts.sorted { share($0) != share($1) ? share($0) > share($1) : $0.key.key < $1.key.key }
            .prefix(number).map { ($0.key, $0.value) }
    }
}
