import Logging
import MailChecks
import MailMessage
import MailTypes
import NIOCore
import SenderReputation

/// Asks the DNS about clients, envelopes and links, as the configuration wants it. Questions about the client begin when it
/// connects, those about the envelope at MAIL; answers are waited for where they can refuse: at RCPT, and before the greeting if
/// the lists alone shall keep a client out.
struct ClientReputation: Sendable {
    /// What is asked about a client before it says anything.
    struct ClientQuestion: Sendable {
        let name: Task<ClientNameFinding?, Never>
        let lists: Task<ListFindings, Never>
    }

    typealias EnvelopeQuestion = Task<ReputationFindings, Never>

    let policy: ConnectionPolicy
    let lists: ListWatch
    private let resolver: any DNSResolver
    /// Names of clients and domains are looked up, not lists alone.
    private let checksNames: Bool
    private let budget: Duration
    private let trusted: [IPNetwork]
    private let hello: SenderCheck
    /// How long a greeting waits for lists; nil: they keep nobody from being greeted.
    let greetingWait: TimeAmount?
    private let maximumLinkedHosts: Int
    private let skippedDomains: Set<[UInt8]>

    init(resolver: any DNSResolver, configuration: GatewayConfiguration, hello: SenderCheck) {
        self.resolver = resolver
        self.policy = configuration.connectionChecks.policy
        self.lists = ListWatch(configuration.dnsLists.lists, resolver: resolver)
        self.checksNames = configuration.connectionChecks.isEnabled
        self.budget = .seconds(configuration.connectionChecks.budgetSeconds)
        self.trusted = configuration.lists.trusted
        self.hello = hello
        let refusesGreeting =
            configuration.connectionChecks.policy.listGreetingScore != nil && self.lists.asksAbout { $0 == .client }
        self.greetingWait = refusesGreeting ? .milliseconds(Int64(configuration.dnsLists.greetingWaitMilliseconds)) : nil
        self.maximumLinkedHosts = configuration.dnsLists.maximumLinkedHosts
        self.skippedDomains = Set(configuration.dnsLists.skippedDomains.map { Array($0.lowercased().utf8) })
    }

    private var bounded: BoundedResolver { BoundedResolver(self.resolver, deadline: .now + self.budget) }

    /// Hosts of our own, and those that a proxy vouches for, are not asked about.
    private func isExempt(_ client: ClientIdentity) -> Bool {
        client.login != nil || client.address.isLoopback || self.trusted.contains { $0.contains(client.address) }
    }

    // MARK: - Client and envelope

    /// - Returns: nil for clients that are not asked about.
    func begin(_ client: ClientIdentity) -> ClientQuestion? {
        guard !self.isExempt(client) else { return nil }
        let resolver = self.bounded
        // A name that a trusted proxy told is better than ours.
        let asksForName = self.checksNames && client.reverseName == nil
        return ClientQuestion(
            name: Task { asksForName ? await HostChecker(resolver: resolver).clientName(of: client.address) : nil },
            lists: Task {
                let inquiries = await self.lists.usable().compactMap { ListInquiry($0, .client, address: client.address) }
                return await ListChecker(resolver: resolver).ask(inquiries)
            }
        )
    }

    /// - Parameter question: what `begin` has made of the same client.
    func begin(_ client: ClientIdentity, reversePath: ReversePath, _ question: ClientQuestion?) -> EnvelopeQuestion? {
        guard let question else { return nil }
        let resolver = self.bounded
        let helo = Self.name(client.helo)
        let domain = reversePath.address.flatMap { Self.name($0.domain) }
        return Task {
            let watch = Stopwatch()
            let checker = HostChecker(resolver: resolver)
            let checksNames = self.checksNames
            async let heloFinding = checksNames && helo != nil ? checker.host(helo ?? "") : nil
            async let senderFinding = checksNames && domain != nil ? checker.mailDomain(domain ?? "") : nil
            let inquiries = await self.lists.usable().flatMap { list in
                [
                    helo.flatMap { ListInquiry(list, .helo, domain: Array($0.utf8)) },
                    domain.flatMap { ListInquiry(list, .sender, domain: Array($0.utf8)) },
                ].compactMap { $0 }
            }
            let listed = await ListChecker(resolver: resolver).ask(inquiries)
            let known = await question.lists.value
            var findings = ReputationFindings()
            findings.clientName = await question.name.value
            findings.helo = await heloFinding
            findings.sender = await senderFinding
            findings.entries = known.entries + listed.entries
            findings.failures = known.failures + listed.failures
            if checksNames { findings.hits = self.policy.hits(of: findings, hello: self.hello.helloSymbols(client)) }
            findings.microseconds = watch.microseconds
            self.lists.note(findings.failures)
            return findings
        }
    }

    /// A name that the DNS can be asked for.
    private static func name(_ text: String?) -> String? {
        guard let text, text.contains("."), !text.hasPrefix("["), IPAddress(text) == nil, DNSName(text) != nil else { return nil }
        return text.lowercased()
    }

    /// What the findings ask for before the message is there: the action of the first refusal, else of the first deferral.
    func refusal(_ findings: ReputationFindings) -> Hit? {
        let hits = self.policy.completeHits(findings, refuses: true)
        func isRefusal(_ hit: Hit) -> Bool { if case .reject = hit.action { true } else { false } }
        return hits.first(where: isRefusal) ?? hits.first { $0.action != nil }
    }

    // MARK: - Content

    /// What lists are asked about a message; nil: nothing.
    func contentQuestion(_ message: ParsedMessage) -> ContentQuestion? {
        guard self.lists.asksAbout({ !$0.isOfEnvelope }) else { return nil }
        var question = ContentQuestion()
        if self.lists.asksAbout({ $0 == .uri || $0 == .uriAddress }) {
            question.links = MessageText(message).linkedHosts(limit: self.maximumLinkedHosts, skipped: self.skippedDomains)
        }
        if self.lists.asksAbout({ $0 == .from }) {
            let domains = SenderCheck.headerFrom(message).map(\.domain).filter { !$0.hasPrefix("[") }
            question.authors = domains.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        }
        return question
    }

    struct ContentQuestion: Sendable {
        var links: [LinkedHost] = []
        var authors: [String] = []
    }

    func ask(_ question: ContentQuestion) async -> ListFindings {
        let lists = await self.lists.usable()
        var seen: Set<ListInquiry> = []
        var inquiries: [ListInquiry] = []
        func add(_ inquiry: ListInquiry?) {
            if let inquiry, seen.insert(inquiry).inserted { inquiries.append(inquiry) }
        }
        for list in lists {
            for author in question.authors { add(ListInquiry(list, .from, domain: Array(author.utf8))) }
            for host in question.links {
                if let address = IPAddress(String(decoding: host.name, as: UTF8.self)) {
                    if !address.isPrivate { add(ListInquiry(list, .uriAddress, address: address)) }
                } else {
                    add(ListInquiry(list, .uri, domain: host.domain))
                }
            }
        }
        let outcome = await ListChecker(resolver: self.bounded).ask(inquiries)
        self.lists.note(outcome.failures)
        return outcome
    }
}

extension ClientReputation {
    /// All that is known, with what counts of it; nil: nothing was asked.
    /// - Parameter content: what lists say of the message.
    func findings(about envelope: Envelope, content: ListFindings?) -> ReputationFindings? {
        guard envelope.reputation != nil || content != nil else { return nil }
        var findings = envelope.reputation ?? ReputationFindings()
        findings.entries += content?.entries ?? []
        findings.failures += content?.failures ?? []
        findings.hits = self.policy.completeHits(findings, refuses: !envelope.isToPostmaster)
        return findings
    }
}

extension Envelope {
    /// Everybody may write to those who look after a domain's mail (RFC 5321 §4.5.1, RFC 2142 §5).
    var isToPostmaster: Bool { !self.recipients.isEmpty && self.recipients.allSatisfy(\.isPostmaster) }

    /// Takes in what was found out about its client.
    mutating func learn(_ findings: ReputationFindings) {
        self.reputation = findings
        if self.client.reverseName == nil, findings.clientName?.result == .pass {
            self.client.reverseName = findings.clientName?.name
        }
    }
}

extension Recipient {
    var isPostmaster: Bool { ["postmaster", "abuse"].contains(self.forwardPath.localPart.lowercased()) }
}
