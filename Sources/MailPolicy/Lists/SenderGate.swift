import MailTypes

/// The allow and deny lists, those of the configuration and those that are stored, answered as early as a session knows enough.
///
/// Of the entries that fit, the one nearest to the recipient counts: for the recipient itself, then for its domain, then for
/// all. Among those allow goes before deny. A message for several recipients is allowed or denied by what holds for all of
/// them; `scopeKey` keeps recipients apart for whom different entries may hold.
package struct SenderGate: Sendable {
    private let lists: [SenderLists]

    package init(_ lists: [SenderLists]) {
        self.lists = lists
    }

    package var entries: [ListEntry] { self.lists.flatMap(\.entries) }

    // MARK: - In a session

    /// Before the greeting. Only where no allow entry could still speak for the client: as soon as one names senders or is for
    /// some recipients only, this waits for MAIL.
    package func atConnect(client: IPAddress, now: Int64) -> ListMatch? {
        let facts = SenderFacts(client: client)
        guard let match = self.match(facts, recipients: [], now: now), match.entry.action == .deny else { return nil }
        return self.mayAllowLater(now: now) ? nil : match
    }

    /// Whether an allow entry speaks for the client, or could once it names senders and recipients.
    package func mayAllow(client: IPAddress, now: Int64) -> Bool {
        self.mayAllowLater(now: now)
            || self.match(SenderFacts(client: client), recipients: [], now: now)?.entry.action == .allow
    }

    private func mayAllowLater(now: Int64) -> Bool { self.lists.contains { $0.lateAllowUntil > now } }

    /// At MAIL: a denied client, or a sender that is denied for what it says of itself. Not where an allow entry names the
    /// client or this reverse path, because that may yet be proven, or hold for the recipients.
    package func atMail(_ facts: SenderFacts, now: Int64) -> ListMatch? {
        guard let match = self.match(facts, recipients: [], now: now), match.entry.action == .deny else { return nil }
        let mayBeAllowed = self.current(facts, now).contains { $0.action == .allow && $0.fit(facts) != .differs }
        return mayBeAllowed ? nil : match
    }

    /// At RCPT, with the answer of SPF if there is one.
    package func atRecipient(_ facts: SenderFacts, recipient: MailAddress, now: Int64) -> ListMatch? {
        guard let match = self.match(facts, recipients: [recipient], now: now), match.entry.action == .deny else { return nil }
        let mayBeAllowed = self.current(facts, now).contains { entry in
            guard entry.action == .allow, entry.scope.covers(recipient), entry.scope.rank <= match.entry.scope.rank else {
                return false
            }
            if case .unproven = entry.fit(facts) { return true }
            return false
        }
        return mayBeAllowed ? nil : match
    }

    /// Whether SPF's answer could deny the sender at RCPT: then it is worth waiting for.
    package func dependsOnSPF(_ facts: SenderFacts, recipients: [MailAddress], now: Int64) -> Bool {
        guard facts.spf == nil else { return false }
        return self.current(facts, now).contains { entry in
            guard entry.action == .deny, recipients.contains(where: entry.scope.covers) else { return false }
            if case .unproven = entry.fit(facts) { return true }
            return false
        }
    }

    /// Recipients with different keys cannot share a message: an entry may hold for one of them only. Entries about other
    /// clients do not count.
    package func scopeKey(of recipient: MailAddress, client: IPAddress, now: Int64) -> String {
        var ids: [String] = []
        for entry in self.lists.flatMap({ $0.scoped(to: recipient) }) where !entry.isExpired(at: now) {
            if case .network(let network) = entry.subject, !network.contains(client) { continue }
            ids.append(entry.id)
        }
        return ids.joined(separator: " ")
    }

    // MARK: - When all is known

    /// The entry that decides; nil if none fits.
    package func match(_ facts: SenderFacts, recipients: [MailAddress], now: Int64) -> ListMatch? {
        var best: ListMatch?
        for entry in self.current(facts, now) where Self.holds(entry, for: recipients) {
            guard case .fits(let evidence) = entry.fit(facts) else { continue }
            if best.map({ ListEntry.precedes(entry, $0.entry) }) ?? true { best = ListMatch(entry: entry, evidence: evidence) }
        }
        return best
    }

    private func current(_ facts: SenderFacts, _ now: Int64) -> [ListEntry] {
        self.lists.flatMap { $0.candidates(facts) }.filter { !$0.isExpired(at: now) }
    }

    private static func holds(_ entry: ListEntry, for recipients: [MailAddress]) -> Bool {
        entry.scope == .all || !recipients.isEmpty && recipients.allSatisfy(entry.scope.covers)
    }

    // MARK: - Explaining

    /// Every entry that has to do with the sender, and why it counts or does not; the one that decides first.
    package func explain(_ facts: SenderFacts, recipients: [MailAddress], now: Int64) -> [ListExplanation] {
        let winner = self.match(facts, recipients: recipients, now: now)
        return self.entries.compactMap { entry -> ListExplanation? in
            switch entry.fit(facts) {
            case .differs: return nil
            case .unproven(let place): return ListExplanation(entry: entry, outcome: .unproven(place))
            case .fits(let evidence):
                if entry.isExpired(at: now) { return ListExplanation(entry: entry, outcome: .expired) }
                guard Self.holds(entry, for: recipients) else { return ListExplanation(entry: entry, outcome: .otherRecipients) }
                if entry.id == winner?.entry.id { return ListExplanation(entry: entry, outcome: .decides(evidence)) }
                return ListExplanation(entry: entry, outcome: .goesBehind(winner?.entry.id ?? "", evidence))
            }
        }.sorted { left, right in
            if left.outcome.rank != right.outcome.rank { return left.outcome.rank < right.outcome.rank }
            return ListEntry.precedes(left.entry, right.entry)
        }
    }
}

/// Why an entry counts for a message, or does not.
package struct ListExplanation: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        case decides(ListEvidence)
        /// It fits, and the entry with this id goes before it.
        case goesBehind(String, ListEvidence)
        /// The sender says that it is the one, and does not prove it.
        case unproven(String)
        case otherRecipients
        case expired

        var rank: Int {
            switch self {
            case .decides: 0
            case .goesBehind: 1
            case .unproven: 2
            case .otherRecipients: 3
            case .expired: 4
            }
        }

        /// One word for programs.
        package var word: String {
            switch self {
            case .decides: "decides"
            case .goesBehind: "goes_behind"
            case .unproven: "unproven"
            case .otherRecipients: "other_recipients"
            case .expired: "expired"
            }
        }
    }

    package var entry: ListEntry
    package var outcome: Outcome

    package var text: String {
        switch self.outcome {
        case .decides(let evidence): "decides: it fits by \(evidence)"
        case .goesBehind(let id, let evidence): "fits by \(evidence), and \(id) goes before it"
        case .unproven(let place): "does not count: the \(place) names it, and neither SPF nor DKIM proves that"
        case .otherRecipients: "does not count: it is not for all of these recipients"
        case .expired: "does not count: it has expired"
        }
    }
}
