import MailTypes

/// Finds a domain's record and decides whether a message is its own.
package struct DMARCChecker<Resolver: DNSResolver>: Sendable {
    /// How the domain of one owner is found.
    package enum Discovery: Sendable {
        /// RFC 7489 §3.2
        case publicSuffixes(PublicSuffixList)
        /// DMARCbis: records themselves say where they end.
        case treeWalk
    }

    /// Questions of one walk up the tree (DMARCbis §4.10).
    private static var maximumQuestions: Int { 8 }

    private let resolver: Resolver
    private let discovery: Discovery

    package init(resolver: Resolver, discovery: Discovery) {
        self.resolver = resolver
        self.discovery = discovery
    }

    /// Domains of From that are looked at; an honest message has one.
    private static var maximumDomains: Int { 5 }

    /// Of several domains in From each is looked at, and the strictest failure counts: a second address must not be a way
    /// around the policy of the first (RFC 7489 §6.6.1).
    /// - Parameters:
    ///   - from: the domains of the mailboxes in From.
    ///   - spf: nil when SPF was not checked. A message that nothing else vouches for is not decided then.
    package func check(from: [String], spf: SPFFinding?, dkim: [DKIMFinding]) async -> DMARCFinding {
        let domains = from.reduce(into: [String]()) { if !$0.contains($1.lowercased()) { $0.append($1.lowercased()) } }
        guard !domains.isEmpty else { return DMARCFinding(.permerror, reason: "From has no domain") }
        var findings: [DMARCFinding] = []
        for domain in domains.prefix(Self.maximumDomains) {
            findings.append(await self.check(from: domain, spf: spf, dkim: dkim))
        }
        if let failed = findings.filter({ $0.result == .fail }).max(by: { $0.strictness < $1.strictness }) { return failed }
        if let unanswered = findings.first(where: { $0.result == .temperror }) { return unanswered }
        guard domains.count == 1 else { return DMARCFinding(.permerror, reason: "From has several domains") }
        return findings[0]
    }

    private func check(from text: String, spf: SPFFinding?, dkim: [DKIMFinding]) async -> DMARCFinding {
        guard let domain = DNSName(text), domain.labels.count >= 2, IPAddress(text) == nil else {
            return DMARCFinding(.none, domain: text, reason: "the domain of From is no full name")
        }
        var finding = DMARCFinding(.none, domain: text)
        let found: Published
        do {
            guard let published = try await self.find(domain) else { return finding }
            found = published
        } catch {
            return DMARCFinding(.temperror, domain: text, reason: "the record of \(error.name) could not be asked for")
        }
        let record = found.record
        finding.record = record
        finding.recordDomain = "\(found.name)"
        finding.policy = await self.policy(record, found.name, domain)
        func isAligned(_ text: String?, _ isStrict: Bool) async -> Bool {
            guard let name = text.flatMap({ DNSName($0) }) else { return false }
            return await self.isAligned(name, domain, found.organization, isStrict)
        }
        if let spf, spf.result == .pass, await isAligned(spf.domain, record.isStrictForSPF) { finding.alignedSPF = spf.domain }
        for signature in dkim where signature.result == .pass {
            if let signer = signature.domain, await isAligned(signer, record.isStrictForDKIM) {
                finding.alignedDKIM.append(signer)
            }
        }
        if finding.alignedSPF != nil || !finding.alignedDKIM.isEmpty {
            finding.result = .pass
            return finding
        }
        // What was not answered could have vouched for From only if it is of the same owner; else whoever forges From could
        // name a domain whose servers are silent.
        if let spf, spf.result == .temperror, await isAligned(spf.domain, record.isStrictForSPF) {
            finding.result = .temperror
            finding.reason = "SPF of \(spf.domain) could not be asked for"
            return finding
        }
        for signature in dkim where signature.result == .temperror {
            if let signer = signature.domain, await isAligned(signer, record.isStrictForDKIM) {
                finding.result = .temperror
                finding.reason = "the key of \(signer) could not be asked for"
                return finding
            }
        }
        if spf == nil {
            finding.reason = "not decided: SPF was not checked"
        } else {
            finding.result = .fail
        }
        return finding
    }

    // MARK: - Records

    private struct Published {
        var name: DNSName
        var record: DMARCRecord
        /// The domain that one owner has.
        var organization: DNSName
    }

    private struct Unanswered: Error {
        var name: DNSName
    }

    private func find(_ domain: DNSName) async throws(Unanswered) -> Published? {
        switch self.discovery {
        case .publicSuffixes(let list):
            let organization = list.organizationalDomain(of: domain) ?? domain
            if let record = try await self.record(of: domain) {
                return Published(name: domain, record: record, organization: organization)
            }
            guard organization != domain, let record = try await self.record(of: organization) else { return nil }
            return Published(name: organization, record: record, organization: organization)
        case .treeWalk:
            let steps = try await self.walk(domain)
            guard let record = steps.first(where: { $0.name == domain }) ?? self.organizational(steps) else { return nil }
            let organization = self.organizationalName(steps, from: domain)
            return Published(name: record.name, record: record.record, organization: organization)
        }
    }

    /// The one record of DMARC under `_dmarc`; nil if there is none or there are several (RFC 7489 §6.6.3).
    private func record(of domain: DNSName) async throws(Unanswered) -> DMARCRecord? {
        guard let name = domain.prefixed(by: [Array("_dmarc".utf8)]) else { return nil }
        guard let records = await self.resolver.resolve(name, .txt).records else { throw Unanswered(name: name) }
        let found = records.compactMap(\.joinedText).compactMap { DMARCRecord($0) }
        return found.count == 1 ? found[0] : nil
    }

    // MARK: - The tree walk (DMARCbis §4.10)

    /// The records from the domain upwards, until one says that it is the end.
    private func walk(_ domain: DNSName) async throws(Unanswered) -> [(name: DNSName, record: DMARCRecord)] {
        var steps: [(name: DNSName, record: DMARCRecord)] = []
        var name = domain
        var questions = 0
        while !name.labels.isEmpty, questions < Self.maximumQuestions {
            questions += 1
            if let record = try await self.record(of: name) {
                steps.append((name, record))
                if record.isPublicSuffix != nil { break }
            }
            // A long name goes on with its last seven labels.
            let count = questions == 1 ? min(name.labels.count - 1, Self.maximumQuestions - 1) : name.labels.count - 1
            guard count > 0, let next = DNSName(labels: name.labels.suffix(count)) else { break }
            name = next
        }
        return steps
    }

    /// The record that stands for the whole organization.
    private func organizational(
        _ steps: [(name: DNSName, record: DMARCRecord)]
    ) -> (name: DNSName, record: DMARCRecord)? {
        if let last = steps.last, last.record.isPublicSuffix == true, steps.count > 1 { return steps[steps.count - 2] }
        return steps.last
    }

    private func organizationalName(_ steps: [(name: DNSName, record: DMARCRecord)], from domain: DNSName) -> DNSName {
        guard let last = steps.last else { return domain }
        guard last.record.isPublicSuffix == true else { return last.name }
        // One label below the suffix.
        return DNSName(labels: domain.labels.suffix(last.name.labels.count + 1)) ?? domain
    }

    // MARK: - Policy and alignment

    private func policy(_ record: DMARCRecord, _ recordName: DNSName, _ domain: DNSName) async -> DMARCPolicy {
        guard recordName != domain else { return self.weakened(record.policy, record) }
        if let policy = record.nonexistentPolicy, await self.resolver.resolve(domain, .a).outcome == .noName {
            return self.weakened(policy, record)
        }
        return self.weakened(record.subdomainPolicy ?? record.policy, record)
    }

    private func weakened(_ policy: DMARCPolicy, _ record: DMARCRecord) -> DMARCPolicy {
        guard record.isTesting else { return policy }
        return policy == .reject ? .quarantine : .none
    }

    /// RFC 7489 §3.1
    private func isAligned(_ name: DNSName, _ domain: DNSName, _ organization: DNSName, _ isStrict: Bool) async -> Bool {
        if name == domain { return true }
        guard !isStrict else { return false }
        switch self.discovery {
        case .publicSuffixes(let list):
            return (list.organizationalDomain(of: name) ?? name) == organization
        case .treeWalk:
            // Below the organization's name; and no other organization begins between the two.
            guard name.isWithin(organization) else { return false }
            guard let steps = try? await self.walk(name) else { return false }
            return self.organizationalName(steps, from: name) == organization
        }
    }
}
