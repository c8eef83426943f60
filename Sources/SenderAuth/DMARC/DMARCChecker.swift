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

    /// - Parameters:
    ///   - from: the domains of the mailboxes in From.
    ///   - spf: the domain of the envelope's sender, if SPF passed for it.
    ///   - dkim: the domains of signatures that pass.
    package func check(from: [String], spf: String?, dkim: [String]) async -> DMARCFinding {
        let domains = Set(from.map { $0.lowercased() })
        guard let text = domains.first, domains.count == 1 else {
            return DMARCFinding(.permerror, reason: from.isEmpty ? "From has no domain" : "From has several domains")
        }
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
        let organization = found.organization
        if let name = spf.flatMap({ DNSName($0) }), await self.isAligned(name, domain, organization, record.isStrictForSPF) {
            finding.alignedSPF = spf
        }
        for signer in dkim {
            guard let name = DNSName(signer) else { continue }
            if await self.isAligned(name, domain, organization, record.isStrictForDKIM) { finding.alignedDKIM.append(signer) }
        }
        finding.result = finding.alignedSPF != nil || !finding.alignedDKIM.isEmpty ? .pass : .fail
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
