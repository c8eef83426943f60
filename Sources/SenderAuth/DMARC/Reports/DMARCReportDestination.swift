import MailTypes

/// Where a report goes: one entry of `rua` (RFC 7489 §6.2, `dmarc-uri`).
package struct DMARCReportDestination: Hashable, Sendable {
    package var address: MailAddress
    /// Octets of a report that are taken; nil: any.
    package var limit: Int?

    /// nil if it is no address that mail can be sent to.
    package init?(_ uri: String) {
        let scheme = "mailto:"
        guard uri.lowercased().hasPrefix(scheme) else { return nil }
        let rest = uri.dropFirst(scheme.count)
        var text = rest
        // An exclamation mark in the address itself is written `%21`.
        if let mark = rest.lastIndex(of: "!") {
            guard let limit = Self.limit(rest[rest.index(after: mark)...]) else { return nil }
            self.limit = limit
            text = rest[..<mark]
        }
        if let question = text.firstIndex(of: "?") { text = text[..<question] }
        guard let decoded = Self.decoded(text), let address = MailAddress(decoded), !address.domain.isEmpty,
            !address.domain.hasPrefix("[")
        else { return nil }
        self.address = address
    }

    /// `10m`: units are powers of 1,024 (RFC 7489 §6.2); nil if it is no size.
    private static func limit(_ text: Substring) -> Int? {
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40]
        var digits = text
        var unit = 1
        if let last = text.last, let factor = units[Character(last.lowercased())] {
            unit = factor
            digits = text.dropLast()
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits) else {
            return nil
        }
        let (octets, overflows) = number.multipliedReportingOverflow(by: unit)
        return overflows ? .max : octets
    }

    /// RFC 3986 §2.1
    private static func decoded(_ text: Substring) -> String? {
        var octets: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let octet = rest.popFirst() {
            guard octet == UInt8(ascii: "%") else {
                octets.append(octet)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            octets.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: octets, as: UTF8.self)
    }
}

/// Whether those who are to get a report want it: else anybody could have reports sent to anybody (RFC 7489 §7.1).
package struct DMARCReportPermission<Resolver: DNSResolver>: Sendable {
    package enum Outcome: Hashable, Sendable {
        /// They are of the same owner, or they have said so. The address may be another one that they named instead.
        case granted(DMARCReportDestination)
        case refused(String)
        /// The DNS gave no answer.
        case unanswered(String)
    }

    private let resolver: Resolver
    private let publicSuffixes: PublicSuffixList

    package init(resolver: Resolver, publicSuffixes: PublicSuffixList) {
        self.resolver = resolver
        self.publicSuffixes = publicSuffixes
    }

    /// - Parameter policyDomain: where the record was found.
    package func ask(_ destination: DMARCReportDestination, policyDomain: String) async -> Outcome {
        guard let owner = DNSName(policyDomain), let host = DNSName(destination.address.domain) else {
            return .refused("\(destination.address) has no domain")
        }
        if self.organization(owner) == self.organization(host) { return .granted(destination) }
        let middle = [Array("_report".utf8), Array("_dmarc".utf8)]
        guard let name = host.prefixed(by: owner.labels + middle) else {
            return .refused("the name under which \(host) could agree is too long")
        }
        guard let records = await self.resolver.resolve(name, .txt).records else {
            return .unanswered("\(name) could not be asked for")
        }
        let texts = records.compactMap(\.joinedText).map { String(decoding: $0, as: UTF8.self) }
        guard let agreement = texts.first(where: Self.isAgreement) else {
            return .refused("\(host) does not say at \(name) that it takes reports of \(owner)")
        }
        // They may name another address of their own, and no other host (step 7).
        let others = DMARCRecord(Array(agreement.utf8))?.aggregateReports ?? []
        let other = others.lazy.compactMap { DMARCReportDestination($0) }.first {
            $0.address.domain == destination.address.domain
        }
        return .granted(other ?? destination)
    }

    private func organization(_ name: DNSName) -> DNSName { self.publicSuffixes.organizationalDomain(of: name) ?? name }

    /// The record begins with `v=DMARC1`; other tags may follow.
    private static func isAgreement(_ text: String) -> Bool {
        let first = text.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        return first.filter { $0 != " " && $0 != "\t" } == "v=DMARC1"
    }
}
