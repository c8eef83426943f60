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
    private let settings: NetworkSettings

    init(_ rules: [NetworkRule], settings: FunctionSettings) {
        self.rules = rules.filter { rule in
            switch rule.source {
            case .links, .linkServers, .linkAddresses: settings.network.asksAboutLinks
            case .relays, .authorHosts, .authorDomains, .envelopeHosts, .unknownSender, .set, .headers, .accredited,
                .senderServers,
                .oldestRelay:
                settings.network.asksAboutRelays
            case .hashes, .networkNumbers, .template: settings.network.isAvailable
            }
        }
        self.tags = Set(
            self.rules.flatMap { rule -> [String] in
                switch rule.source {
                case .template(let template): template.tags
                case .hashes(let query): if case .tag(let tag) = query.subject { [tag] } else { [] }
                default: []
                }
            }
        )
        self.registrars = settings.registrars
        self.settings = settings.network
    }

    package var isEmpty: Bool { self.rules.isEmpty }

    /// What the answers that are there make of the rules; questions without an answer are noted in the book.
    package func evaluate(_ subjects: NetworkSubjects, _ book: inout AnswerBook) -> NetworkFindings {
        let matcher = PatternMatcher()
        var subjects = subjects
        if self.asksForNetworkNumbers { self.learnNetworkNumbers(&subjects, &book) }
        var findings = NetworkFindings()
        // By set, what its rules were answered.
        var bySet: [String: [Found]] = [:]
        for rule in self.rules {
            let answers = self.answers(rule, subjects, &book)
            if !rule.set.isEmpty { bySet[rule.set, default: []] += answers }
            self.judge(rule, answers, subjects, matcher, &findings)
        }
        for rule in self.rules {
            guard case .set = rule.source else { continue }
            self.judge(rule, bySet[rule.set] ?? [], subjects, matcher, &findings)
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
        _ subjects: NetworkSubjects,
        _ matcher: PatternMatcher,
        _ findings: inout NetworkFindings
    ) {
        if case .unknownSender = rule.source {
            // All of its questions must have been answered.
            guard answers.count == rule.types.count, answers.allSatisfy(\.response.isVoid) else { return }
            findings.hits[rule.rule] = ["\(answers[0].name) has neither MX record nor address"]
            return
        }
        if case .networkNumbers(let tag) = rule.source { return self.judgeNetwork(rule, tag, subjects, matcher, &findings) }
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
                if let response = self.ask(name, type, &book) {
                    found.append(Found(subject: subject, name: name, response: response))
                }
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
        case .headers(let fields):
            for field in fields ?? self.settings.headerFields {
                for host in subjects.headerHosts[field] ?? [] where self.isDomain(host) { ask(host: host) }
            }
        case .accredited(let accreditor, let choice, let isNice):
            guard subjects.accreditors.contains(accreditor) else { break }
            for address in subjects.relays(choice, isNice: isNice) { ask(address) }
        case .senderServers:
            for server in self.senderServers(subjects, &book) { ask(host: server.text) }
        case .oldestRelay:
            for host in subjects.oldestRelay where self.isDomain(host) { ask(host: host) }
        case .hashes(let query):
            for text in self.texts(query, rule, subjects) {
                guard let name = query.name(of: text, ignored: self.settings.ignoredTexts) else { continue }
                for type in rule.types {
                    guard let response = self.ask(name, type, &book) else { continue }
                    found.append(Found(subject: String(decoding: text, as: UTF8.self), name: name, response: response))
                }
            }
        case .set, .networkNumbers: break
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
                for case .address(let address) in self.ask(host, .a, &book)?.records ?? [] where seen.insert(address).inserted {
                    ask(address)
                }
            }
        case .template(let template):
            for name in template.names({ subjects.tags[$0] ?? [] }) { ask("\(name)", name.labels) }
        }
        return found
    }

    /// nil while the answer is not there, and for what the rule files forbid to ask.
    private func ask(_ name: DNSName, _ type: DNSRecordType, _ book: inout AnswerBook) -> DNSResponse? {
        self.settings.forbids(name) ? nil : book.ask(name, type)
    }

    private func texts(_ query: HashQuery, _ rule: NetworkRule, _ subjects: NetworkSubjects) -> [[UInt8]] {
        guard case .tag(let tag) = query.subject else { return subjects.hashed[rule.rule] ?? [] }
        return query.texts(ofTag: subjects.tags[tag] ?? [], self.registrars, skipped: self.settings.skipped)
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

    /// Name servers of the envelope sender's domain: of the host itself if it is a zone, else of the domain that was registered.
    private func senderServers(_ subjects: NetworkSubjects, _ book: inout AnswerBook) -> [DNSName] {
        guard let host = subjects.envelopeHosts.first(where: { Self.address($0) == nil }), self.isDomain(host) else { return [] }
        for domain in [host, self.registrars.registeredDomain(of: host)] {
            guard let name = DNSName(domain), let response = self.ask(name, .ns, &book) else { return [] }
            let servers = (response.records ?? []).compactMap { if case .name(let server) = $0 { server } else { nil } }
            if !servers.isEmpty { return Array(servers.prefix(Self.maximumServers)) }
        }
        return []
    }

    /// Name servers of the links' domains.
    private func servers(_ subjects: NetworkSubjects, _ book: inout AnswerBook) -> [DNSName] {
        var domains: Set<[UInt8]> = []
        var servers: [DNSName] = []
        for host in subjects.links where Self.address(host.name) == nil && domains.insert(host.domain).inserted {
            guard let domain = DNSName(host.domain) else { continue }
            for case .name(let server) in (self.ask(domain, .ns, &book)?.records ?? []).prefix(Self.maximumServers)
            where !servers.contains(server) {
                servers.append(server)
            }
        }
        return servers
    }
}

// MARK: - Numbers of networks

extension NetworkRules {
    private var asksForNetworkNumbers: Bool {
        let tags = Set(self.settings.networkNumbers.lookups.flatMap { [$0.numberTag, $0.routeTag] })
        return !tags.isEmpty
            && self.rules.contains { rule in
                if case .networkNumbers(let tag) = rule.source { return tags.contains(tag) }
                return false
            } || !tags.isDisjoint(with: self.tags)
    }

    /// Keeps what the lookups of `asn_lookup` were answered under their tags.
    private func learnNetworkNumbers(_ subjects: inout NetworkSubjects, _ book: inout AnswerBook) {
        guard let origin = subjects.origin else { return }
        let prefix = self.settings.networkNumbers.prefix
        for lookup in self.settings.networkNumbers.lookups where lookup.isForIPv6 != origin.isIPv4 {
            guard let name = lookup.zone.prefixed(by: origin.listLabels), let response = self.ask(name, .txt, &book) else {
                continue
            }
            for case .text(let strings) in response.records ?? [] {
                let said = NetworkNumbers(strings)
                subjects.add(said.numbers.map { prefix + $0 }, to: lookup.numberTag)
                subjects.add(said.routes, to: lookup.routeTag)
            }
        }
    }

    private func judgeNetwork(
        _ rule: NetworkRule,
        _ tag: String,
        _ subjects: NetworkSubjects,
        _ matcher: PatternMatcher,
        _ findings: inout NetworkFindings
    ) {
        guard case .pattern(let pattern) = rule.filter, let values = subjects.tags[tag], !values.isEmpty else { return }
        let text = Array(values.joined(separator: [0x20]))
        guard case .match = matcher.search(pattern, in: text) else { return }
        findings.hits[rule.rule] = ["\(subjects.origin.map { "\($0)" } ?? ""): \(String(decoding: text, as: UTF8.self))"]
    }
}

extension DNSName {
    fileprivate var text: [UInt8] { Array(self.labels.joined(separator: [UInt8(ascii: ".")])) }
}
