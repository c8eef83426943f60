/// A host that links of a message lead to, for lists that are asked about links.
package struct LinkedHost: Hashable, Sendable {
    /// Lower case; an address as it is.
    package var name: [UInt8]
    /// The domain that was registered; an address as it is.
    package var domain: [UInt8]

    package init(name: [UInt8], domain: [UInt8]) {
        self.name = name
        self.domain = domain
    }
}

extension MessageText {
    /// Hosts of the links, each once, those first that a reader is most likely to follow: anchors with a text, forms, images, what
    /// only some formats have, bare text, empty anchors. That is the order in which SpamAssassin's plugin URIDNSBL takes them.
    /// - Parameters:
    ///   - limit: hosts at most.
    ///   - skipped: hosts and domains that are left out.
    ///   - skipsMailAddresses: `mailto:` is no link.
    package func linkedHosts(limit: Int, skipped: Set<[UInt8]>, skipsMailAddresses: Bool = true) -> [LinkedHost] {
        let mailScheme = Array("mailto:".utf8)
        var byRank = [[LinkedHost]](repeating: [], count: MessageLink.ranks)
        for link in self.links {
            if skipsMailAddresses, link.raw.prefix(mailScheme.count).map(\.lowercased).elementsEqual(mailScheme) { continue }
            for host in link.hosts where !skipped.contains(host.domain) && !skipped.contains(host.name) {
                byRank[link.rank].append(LinkedHost(name: host.name, domain: host.domain))
            }
        }
        var seen: Set<[UInt8]> = []
        return Array(byRank.joined().filter { seen.insert($0.name).inserted }.prefix(limit))
    }
}

extension MessageLink {
    fileprivate static let ranks = 6

    fileprivate var rank: Int {
        if self.types.contains("a") { return self.anchorTexts.contains { !$0.isEmpty } ? 0 : 5 }
        if self.types.contains("form") { return 1 }
        if self.types.contains("img") { return 2 }
        return self.types == ["parsed"] ? 4 : 3
    }
}
