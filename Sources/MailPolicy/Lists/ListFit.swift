import MailTypes

/// What is known of a sender when a list is asked: more and more while a session goes on.
package struct SenderFacts: Sendable {
    package var client: IPAddress
    package var helo: String?
    /// nil before MAIL.
    package var reversePath: ReversePath?
    /// SPF of the envelope's sender; nil before its answer, and where nobody asked.
    package var spf: SPFFinding?
    package var headerFrom: [MailAddress]
    /// The decoded From as it stands there.
    package var headerFromText: String
    /// nil before the end of data.
    package var authentication: AuthenticationFindings?

    package init(
        client: IPAddress,
        helo: String? = nil,
        reversePath: ReversePath? = nil,
        spf: SPFFinding? = nil,
        headerFrom: [MailAddress] = [],
        headerFromText: String = "",
        authentication: AuthenticationFindings? = nil
    ) {
        self.client = client
        self.helo = helo
        self.reversePath = reversePath
        self.spf = spf ?? authentication?.mailFrom
        self.headerFrom = headerFrom
        self.headerFromText = headerFromText
        self.authentication = authentication
    }
}

extension SenderFacts {
    /// The domain for which SPF passed.
    package var spfDomain: String? {
        guard let spf = self.spf, spf.result == .pass else { return nil }
        return DomainPattern.folded(spf.domain)
    }

    /// Domains of signatures that can be relied on: not of those that leave a part of the body open to additions (`l=`), nor of
    /// domains that only try signing (RFC 6376 §3.6.1: no different from no signature).
    package var signers: [String] {
        guard let authentication = self.authentication else { return [] }
        return authentication.dkim.filter { $0.result == .pass && !$0.isTesting && $0.unsignedOctets == 0 }
            .compactMap { $0.domain.map(DomainPattern.folded) }
    }

    /// The one address of From, and what vouches for it: a DMARC alignment, or where the domain has no DMARC record a signature
    /// or an SPF pass of the very domain or one above it.
    package var provenFrom: (address: MailAddress, by: String)? {
        guard self.headerFrom.count == 1, let address = self.headerFrom.first, let dmarc = self.authentication?.dmarc else {
            return nil
        }
        let domain = DomainPattern.folded(address.domain)
        let signers = self.signers
        func isAbove(_ name: String) -> Bool { domain == name || domain.hasSuffix(".\(name)") }
        if dmarc.result == .pass, dmarc.domain.map(DomainPattern.folded) == domain {
            if let signer = dmarc.alignedDKIM.map(DomainPattern.folded).first(where: signers.contains) {
                return (address, "DKIM of \(signer)")
            }
            if let spf = dmarc.alignedSPF { return (address, "SPF of \(DomainPattern.folded(spf))") }
        }
        guard dmarc.result == .none else { return nil }
        if let signer = signers.first(where: isAbove) { return (address, "DKIM of \(signer)") }
        if let spf = self.spfDomain, isAbove(spf) { return (address, "SPF of \(spf)") }
        return nil
    }
}

/// By what a sender fits an entry.
package enum ListEvidence: Hashable, Sendable, CustomStringConvertible {
    case client(IPAddress)
    case spf(String)
    case dkim(String)
    case from(String, by: String)
    /// What the sender says: `reverse path`, `From`, `HELO`.
    case claimed(String)

    package var description: String {
        switch self {
        case .client(let address): "client \(address)"
        case .spf(let domain): "SPF of \(domain)"
        case .dkim(let domain): "DKIM of \(domain)"
        case .from(let address, let by): "From \(address), \(by)"
        case .claimed(let place): "\(place), unproven"
        }
    }
}

/// Whether a sender is the one an entry names.
package enum ListFit: Hashable, Sendable {
    case fits(ListEvidence)
    /// It says so, and nothing known so far proves it: the place where it says so.
    case unproven(String)
    case differs
}

extension ListEntry {
    /// Recipients and expiry are not looked at.
    package func fit(_ facts: SenderFacts) -> ListFit {
        switch self.subject {
        case .network(let network):
            return network.contains(facts.client) ? .fits(.client(facts.client)) : .differs
        case .helo(let pattern):
            guard let helo = facts.helo, SignaturePattern.matches(pattern, helo) else { return .differs }
            return .fits(.claimed("HELO"))
        case .from(let pattern):
            let texts = [facts.headerFromText] + facts.headerFrom.map(\.folded)
            return texts.contains { SignaturePattern.matches(pattern, $0) } ? .fits(.claimed("From")) : .differs
        case .domain(let pattern):
            if let domain = facts.spfDomain, DomainPattern.matches(pattern, domain) { return .fits(.spf(domain)) }
            for domain in facts.signers where DomainPattern.matches(pattern, domain) { return .fits(.dkim(domain)) }
            return self.senderFit(facts) { DomainPattern.matches(pattern, $0.domain) }
        case .address(let folded):
            if let path = facts.reversePath?.address, path.folded == folded, facts.spfDomain == DomainPattern.folded(path.domain)
            {
                return .fits(.spf(path.domain))
            }
            return self.senderFit(facts) { $0.folded == folded }
        }
    }

    private func senderFit(_ facts: SenderFacts, _ isNamed: (MailAddress) -> Bool) -> ListFit {
        if let proven = facts.provenFrom, isNamed(proven.address) {
            return .fits(.from(proven.address.folded, by: proven.by))
        }
        let place: String
        if let path = facts.reversePath?.address, isNamed(path) {
            place = "reverse path"
        } else if facts.headerFrom.contains(where: isNamed) {
            place = "From"
        } else {
            return .differs
        }
        return self.isSpoofable ? .fits(.claimed(place)) : .unproven(place)
    }
}
