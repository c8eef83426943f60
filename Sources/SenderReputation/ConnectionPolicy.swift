import MailChecks
import MailTypes

/// What is done about something that is wrong with a client or its envelope.
package enum ConnectionAction: String, Hashable, Sendable, CaseIterable {
    /// The recipients are refused for good.
    case reject
    /// The recipients are refused for now.
    case `defer`
    /// It counts as a rule that hits.
    case score
    /// Nothing.
    case off
}

/// What the administrator wants done about clients and envelopes: the `connection_checks:` and `dns_lists:` sections.
package struct ConnectionPolicy: Hashable, Sendable {
    /// The client has no name, or one that does not lead back to it.
    package var clientName = ConnectionAction.score
    /// EHLO gives our own name or address.
    package var heloOurName = ConnectionAction.score
    /// EHLO gives an address without brackets.
    package var heloAddress = ConnectionAction.score
    package var heloNotFullName = ConnectionAction.score
    package var heloUnresolvable = ConnectionAction.score
    package var senderUnresolvable = ConnectionAction.score
    /// RFC 7505 §4.2 asks for refusal: nobody could answer such mail.
    package var senderNullMX = ConnectionAction.reject
    /// Where the DNS gives no answer to a question whose answer could refuse, the sender is to come again.
    package var defersOnDNSFailure = false
    /// The weight of entries of client, HELO name and sender from which recipients are refused; nil: never.
    package var listRejectScore: Double?
    /// The weight of the client's own entries from which it is not even greeted; nil: everybody is.
    package var listGreetingScore: Double?

    package init() {}

    /// Something is refused before the message is there.
    package var mayRefuse: Bool {
        self.listRejectScore != nil || self.listGreetingScore != nil
            || [
                self.clientName, self.heloOurName, self.heloAddress, self.heloNotFullName, self.heloUnresolvable,
                self.senderUnresolvable, self.senderNullMX,
            ].contains { $0 == .reject || $0 == .defer }
    }
}

/// One thing that is wrong with a client or its envelope.
struct ConnectionFault {
    var symbol: CheckSymbol
    var action: ConnectionAction
    /// What the sender is told, without the codes.
    var text: String
    /// The second and third number of the enhanced status code: `550 5.1.8` is for good, `450 4.1.8` for now.
    var status: String

    /// nil where it does not count.
    var hit: Hit? {
        var hit = self.symbol.hit()
        switch self.action {
        case .off: return nil
        case .score: return hit
        case .reject: hit.action = .reject(text: "550 5.\(self.status) \(self.text)")
        case .defer: hit.action = .defer(text: "450 4.\(self.status) \(self.text)")
        }
        return hit
    }
}

extension ConnectionPolicy {
    /// What is wrong with a client and its envelope, as hits that ask for what the administrator wants.
    /// - Parameter hello: what the name in EHLO alone gives away.
    package func hits(of findings: ReputationFindings, hello: [CheckSymbol]) -> [Hit] {
        (self.clientFaults(findings) + self.helloFaults(findings, hello) + self.senderFaults(findings)).compactMap(\.hit)
    }

    /// Symbols of EHLO that `hits` counts in place of the check of the message.
    package var ownHelloSymbols: Set<CheckSymbol> {
        Set(self.helloActions.filter { $0.action != .score }.map(\.symbol))
    }

    private var helloActions: [(symbol: CheckSymbol, action: ConnectionAction, text: String)] {
        [
            (.heloForgesUs, self.heloOurName, "Refused: EHLO gives our own name"),
            (.heloBareAddress, self.heloAddress, "Refused: EHLO gives an address without brackets"),
            (.heloNotFQDN, self.heloNotFullName, "Refused: EHLO does not give a full name"),
        ]
    }

    private func clientFaults(_ findings: ReputationFindings) -> [ConnectionFault] {
        let text = "Refused: the name of your host does not lead back to it"
        // RFC 7372 §3.3: 7.25.
        switch findings.clientName?.result {
        case .fail: return [ConnectionFault(symbol: .clientNameUnconfirmed, action: self.clientName, text: text, status: "7.25")]
        case .some(.none):
            return [ConnectionFault(symbol: .clientNameMissing, action: self.clientName, text: text, status: "7.25")]
        case .temperror: return self.unanswered(self.clientName)
        case .pass, nil: return []
        }
    }

    private func helloFaults(_ findings: ReputationFindings, _ hello: [CheckSymbol]) -> [ConnectionFault] {
        // Where it only counts, the check of the message counts it.
        var faults = self.helloActions.filter { hello.contains($0.symbol) && $0.action != .score }
            .map { ConnectionFault(symbol: $0.symbol, action: $0.action, text: $0.text, status: "7.1") }
        guard let found = findings.helo else { return faults }
        switch found.result {
        case .none:
            let text = "Refused: the name in EHLO, \(found.domain), has no address"
            faults.append(
                ConnectionFault(symbol: .heloUnresolvable, action: self.heloUnresolvable, text: text, status: "7.1")
            )
        case .temperror: faults += self.unanswered(self.heloUnresolvable)
        case .pass, .nullMX: break
        }
        return faults
    }

    private func senderFaults(_ findings: ReputationFindings) -> [ConnectionFault] {
        guard let sender = findings.sender else { return [] }
        switch sender.result {
        case .pass: return []
        case .none:
            // RFC 3463 §3.2: X.1.8.
            let text = "Refused: mail to the sender's domain \(sender.domain) could not be delivered"
            return [
                ConnectionFault(symbol: .senderUnresolvable, action: self.senderUnresolvable, text: text, status: "1.8")
            ]
        case .nullMX:
            // RFC 7505 §4.2: X.7.27.
            let text = "Refused: the sender's domain \(sender.domain) takes no mail"
            return [ConnectionFault(symbol: .senderNullMX, action: self.senderNullMX, text: text, status: "7.27")]
        case .temperror: return self.unanswered(self.senderUnresolvable, self.senderNullMX)
        }
    }

    /// - Parameter actions: what an answer could have led to.
    private func unanswered(_ actions: ConnectionAction...) -> [ConnectionFault] {
        guard self.defersOnDNSFailure, actions.contains(where: { $0 == .reject || $0 == .defer }) else { return [] }
        // RFC 3463 §3.5: X.4.3.
        let text = "The DNS gave no answer about your host or the sender's domain, try again later"
        return [ConnectionFault(symbol: .envelopeUnanswered, action: .defer, text: text, status: "4.3")]
    }
}

extension ConnectionPolicy {
    /// Entries as hits: one for each list, with the weight that is farthest from zero.
    package func hits(of entries: [DNSListEntry]) -> [Hit] {
        var order: [String] = []
        var byList: [String: [DNSListEntry]] = [:]
        for entry in entries {
            if byList[entry.list] == nil { order.append(entry.list) }
            byList[entry.list, default: []].append(entry)
        }
        return order.map { list in
            let entries = byList[list] ?? []
            let weight = entries.map(\.weight).max { abs($0) < abs($1) } ?? 0
            return Hit(
                rule: list,
                score: weight,
                description: entries[0].explanation,
                locations: entries.map { MatchLocation(view: "dns", part: "", offset: 0, text: $0.explanation) }
            )
        }
    }

    /// An entry that is reason enough, with the words of the refusal.
    package struct ListRefusal: Hashable, Sendable {
        /// The list whose entry weighs most.
        package var list: String
        /// Without codes.
        package var text: String
    }

    /// Set where the client is not to be greeted for what lists say of it alone.
    package func greetingRefusal(by entries: [DNSListEntry]) -> ListRefusal? {
        self.refusal(by: entries.filter { $0.subject == .client }, from: self.listGreetingScore)
    }

    /// Set where recipients are to be refused for what lists say of the envelope. What would have kept a client from being
    /// greeted counts here, too: the answer may have come late.
    private func recipientRefusal(by entries: [DNSListEntry]) -> ListRefusal? {
        self.refusal(by: entries.filter { $0.subject.isOfEnvelope }, from: self.listRejectScore)
            ?? self.greetingRefusal(by: entries)
    }

    private func refusal(by entries: [DNSListEntry], from threshold: Double?) -> ListRefusal? {
        guard let threshold, let worst = entries.max(by: { $0.weight < $1.weight }),
            self.hits(of: entries).reduce(0, { $0 + $1.score }) >= threshold
        else { return nil }
        let reason = worst.text.isEmpty ? worst.meaning : worst.text
        let text = "Refused: \(worst.value) is listed in \(worst.zone)" + (reason.isEmpty ? "" : ": \(reason)")
        return ListRefusal(list: worst.list, text: text)
    }

    /// All that counts of the findings, `findings.hits` and the entries of lists.
    /// - Parameter refuses: false for mail that is taken from everybody.
    package func completeHits(_ findings: ReputationFindings, refuses: Bool) -> [Hit] {
        var hits = findings.hits + self.hits(of: findings.entries)
        if let refusal = self.recipientRefusal(by: findings.entries),
            let index = hits.firstIndex(where: { $0.rule == refusal.list })
        {
            hits[index].action = .reject(text: "550 5.7.1 \(refusal.text)")
        }
        guard refuses else {
            for index in hits.indices { hits[index].action = nil }
            return hits
        }
        return hits
    }
}
