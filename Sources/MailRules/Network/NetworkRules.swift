import MailMessage
import MailTypes
import PatternKit

/// The rules of a set that ask the DNS. Pure: they say what they want to know, and take the answers.
package struct NetworkRules: Sendable {
    /// From the links' hosts to their name servers, these servers' addresses, and what lists say of those.
    package static let maximumRounds = 4
    /// Name servers of one domain that are looked at: more than four are rare, and each costs two questions.
    private static let maximumServers = 4

    let rules: [NetworkRule]
    let tags: Set<String>
    private let registrars: RegistrarBoundaries

    init(_ rules: [NetworkRule], settings: FunctionSettings) {
        self.rules = rules.filter { rule in
            switch rule.source {
            case .links, .linkServers, .linkAddresses: settings.network.asksAboutLinks
            case .relays, .authorHosts, .authorDomains, .envelopeHosts, .unknownSender, .set, .template:
                settings.network.asksAboutRelays
            }
        }
        self.tags = Set(
            self.rules.flatMap { rule -> [String] in if case .template(let template) = rule.source { template.tags } else { [] } }
        )
        self.registrars = settings.registrars
    }

    package var isEmpty: Bool { self.rules.isEmpty }

    /// What the answers that are there make of the rules; questions without an answer are noted in the book.
    package func evaluate(_ subjects: NetworkSubjects, _ book: inout AnswerBook) -> NetworkFindings {
        let matcher = PatternMatcher()
        var findings = NetworkFindings()
        // By set, what its rules were answered.
        var bySet: [String: [Found]] = [:]
        for rule in self.rules {
            let answers = self.answers(rule, subjects, &book)
            if !rule.set.isEmpty { bySet[rule.set, default: []] += answers }
            self.judge(rule, answers, matcher, &findings)
        }
        for rule in self.rules {
            guard case .set = rule.source else { continue }
            self.judge(rule, bySet[rule.set] ?? [], matcher, &findings)
        }
        findings.unanswered = book.unanswered
        return findings
    }

    /// An answer, and what was asked about.
    private struct Found {
        var subject: String
        var name: DNSName
        var response: DNSResponse
    }

    private func judge(
        _ rule: NetworkRule,
        _ answers: [Found],
        _ matcher: PatternMatcher,
        _ findings: inout NetworkFindings
    ) {
        if case .unknownSender = rule.source {
            // All of its questions must have been answered.
            guard answers.count == rule.types.count, answers.allSatisfy(\.response.isVoid) else { return }
            findings.hits[rule.rule] = ["\(answers[0].name) has neither MX record nor address"]
            return
        }
        var isList = true
        if case .template = rule.source { isList = false }
        for found in answers {
            if case .responseCodes(let codes) = rule.filter {
                guard let code = found.response.responseCode, codes.contains(code) else { continue }
                findings.hits[rule.rule, default: []].append("\(found.name): response code \(code)")
                continue
            }
            for record in found.response.records ?? [] {
                // An address outside of 127.0.0.0/8 is no answer of a list: a parked domain answers everything so.
                if isList, case .address(let address) = record, !address.isListAnswer { continue }
                guard rule.filter.matches(record, matcher) else { continue }
                let text = String(decoding: record.octets, as: UTF8.self)
                findings.hits[rule.rule, default: []].append("\(found.subject) in \(found.name): \(text)")
            }
        }
    }

    // MARK: - Questions

    private func answers(_ rule: NetworkRule, _ subjects: NetworkSubjects, _ book: inout AnswerBook) -> [Found] {
        var found: [Found] = []
        func ask(_ subject: String, _ labels: [[UInt8]]) {
            guard let name = rule.zone.prefixed(by: labels) else { return }
            for type in rule.types {
                if let response = book.ask(name, type) { found.append(Found(subject: subject, name: name, response: response)) }
            }
        }
        func ask(_ address: IPAddress) { if rule.takesAddresses { ask("\(address)", address.listLabels) } }
        func ask(host: [UInt8]) {
            if let address = IPAddress(String(decoding: host, as: UTF8.self)) { return ask(address) }
            guard rule.takesNames, let name = DNSName(host) else { return }
            ask("\(name)", name.labels)
        }
        switch rule.source {
        case .relays(let choice, let isNice):
            for address in subjects.relays(choice, isNice: isNice) { ask(address) }
        case .authorHosts:
            for host in subjects.authorHosts where self.isDomain(host) { ask(host: host) }
        case .authorDomains:
            let domains = subjects.authorHosts.filter(self.isDomain).map { self.registrars.registeredDomain(of: $0) }
            for domain in domains.reduce(into: [[UInt8]](), { if !$0.contains($1) { $0.append($1) } }) { ask(host: domain) }
        case .envelopeHosts:
            for host in subjects.envelopeHosts where self.isDomain(host) { ask(host: host) }
        case .unknownSender:
            for host in subjects.envelopeHosts { ask(host: host) }
        case .set: break
        case .links(let wholeNames):
            var seen: Set<[UInt8]> = []
            for host in subjects.links {
                let name = wholeNames ? host.name : host.domain
                if seen.insert(name).inserted, Self.isLookedUp(host) { ask(host: name) }
            }
        case .linkServers(let wholeNames):
            for server in self.servers(subjects, &book) {
                ask(host: wholeNames ? server.text : self.registrars.registeredDomain(of: server.text))
            }
        case .linkAddresses(let ofHosts, let ofServers):
            var hosts: [DNSName] = []
            if ofHosts { hosts += subjects.links.filter { Self.address($0.name) == nil }.compactMap { DNSName($0.name) } }
            if ofServers { hosts += self.servers(subjects, &book) }
            var seen: Set<IPAddress> = []
            for host in hosts {
                for case .address(let address) in book.ask(host, .a)?.records ?? [] where seen.insert(address).inserted {
                    ask(address)
                }
            }
        case .template(let template):
            for name in template.names({ subjects.tags[$0] ?? [] }) { ask("\(name)", name.labels) }
        }
        return found
    }

    /// Under a top-level domain that there is, or an address.
    private func isDomain(_ host: [UInt8]) -> Bool {
        Self.address(host) != nil || self.registrars.isDomainValid(host)
    }

    private static func address(_ host: [UInt8]) -> IPAddress? { IPAddress(String(decoding: host, as: UTF8.self)) }

    /// Addresses in links are asked about only where they can be somebody's.
    private static func isLookedUp(_ host: LinkedHost) -> Bool {
        guard let address = self.address(host.name) else { return true }
        return address.isIPv4 && !address.isPrivate
    }

    /// Name servers of the links' domains.
    private func servers(_ subjects: NetworkSubjects, _ book: inout AnswerBook) -> [DNSName] {
        var domains: Set<[UInt8]> = []
        var servers: [DNSName] = []
        for host in subjects.links where Self.address(host.name) == nil && domains.insert(host.domain).inserted {
            guard let domain = DNSName(host.domain) else { continue }
            for case .name(let server) in (book.ask(domain, .ns)?.records ?? []).prefix(Self.maximumServers)
            where !servers.contains(server) {
                servers.append(server)
            }
        }
        return servers
    }
}

extension DNSName {
    fileprivate var text: [UInt8] { Array(self.labels.joined(separator: [UInt8(ascii: ".")])) }
}
