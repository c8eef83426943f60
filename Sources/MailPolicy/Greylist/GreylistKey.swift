import MailTypes

/// What a message is known by when it comes again.
package struct GreylistKey: Hashable, Sendable {
    /// `domain example.org` where that is proven, else `network 192.0.2.0/24`.
    package var source: String
    /// The reverse path, without what changes from one message to the next.
    package var path: String
    /// SHA-256 of the body: other hosts of the sender add other trace fields to the header, and leave the body alone.
    package var content: [UInt8]

    package init(source: String, path: String, content: [UInt8]) {
        self.source = source
        self.path = path
        self.content = content
    }

    package init(_ facts: SenderFacts, content: [UInt8]) {
        let domain = facts.provenFrom.map { DomainPattern.folded($0.address.domain) } ?? facts.spfDomain ?? facts.signers.first
        self.source = domain.map { "domain \($0)" } ?? "network \(facts.client.customerNetwork)"
        self.path = Self.stablePath(facts.reversePath ?? .null)
        self.content = content
    }

    /// Senders put a number of the message (VERP), a day (BATV's `prvs=`), or a stamp (SRS) into their reverse path.
    static func stablePath(_ path: ReversePath) -> String {
        guard let address = path.address else { return "<>" }
        var local = address.localPart.lowercased()[...]
        if local.hasPrefix("prvs=") || local.hasPrefix("btv1=="), let last = local.lastIndex(of: "=") {
            local = local[local.index(after: last)...]
        } else if local.hasPrefix("srs0") || local.hasPrefix("srs1") {
            // srs0=hash=day=domain=user
            let parts = local.split(separator: "=", omittingEmptySubsequences: false)
            if parts.count > 3 { local = parts[3...].joined(separator: "=")[...] }
        }
        var stable = ""
        for character in local {
            if !("0"..."9").contains(character) {
                stable.append(character)
            } else if stable.last != "#" {
                stable.append("#")
            }
        }
        return "\(stable)@\(address.domain)"
    }
}
