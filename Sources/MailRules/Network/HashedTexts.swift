import MailMessage
import MailTypes
import PatternKit

/// What of a message `HashQuery` rules ask about.
extension HashQuery {
    /// In the order in which they were found, each once; files as their hashes. None for tags, whose values may come later.
    func texts(_ context: EvalContext) -> [[UInt8]] {
        let found: [[UInt8]] =
            switch self.subject {
            case .addresses(let fields, let domains): self.addresses(fields, domains, context)
            case .links: self.links(context)
            case .matches(let pattern, let kind): self.matches(pattern, kind, context)
            case .attachments: self.attachments(context)
            case .tag: []
            }
        return self.limited(found)
    }

    private func limited(_ texts: [[UInt8]]) -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        return Array(texts.filter { !$0.isEmpty && seen.insert($0).inserted }.prefix(self.options.maximum))
    }

    private func links(_ context: EvalContext) -> [[UInt8]] {
        let skipped = context.settings.network.skipped
        return context.text.links.flatMap { link -> [[UInt8]] in
            let isSkipped = link.hosts.contains { skipped.contains($0.name) || skipped.contains($0.domain) }
            guard !link.hosts.isEmpty, !isSkipped, link.types.contains("a") || link.types.contains("parsed"),
                !LinkText.hasPrefix(link.raw[...], LinkText.mailto)
            else { return [] }
            return link.cleaned.map(self.options.folded)
        }
    }

    /// Matches that are looked at in one message: a pattern may match at every octet.
    private static let maximumMatches = 1_000

    private func matches(_ pattern: Pattern, _ kind: RuleKind, _ context: EvalContext) -> [[UInt8]] {
        var found: [[UInt8]] = []
        let texts = kind == .full ? [context.views.full] : context.segments(for: kind).map(\.bytes)
        for text in texts {
            var offset = 0
            while found.count < Self.maximumMatches, context.budget.spend(text.count - offset),
                case .match(let range) = context.matcher.search(pattern, in: text, from: offset)
            {
                if let group = context.matcher.capture(1) {
                    let match = self.options.folded(Array(text[group]))
                    found.append(self.options.has("num") ? match.filter(\.isDigit) : match)
                }
                offset = range.isEmpty ? range.upperBound + 1 : range.upperBound
                if offset > text.count { break }
            }
        }
        return found
    }

    private func attachments(_ context: EvalContext) -> [[UInt8]] {
        let ignored = context.settings.network.ignoredTexts
        return context.filterMessage.leaves.compactMap { part -> [UInt8]? in
            guard !ignored.contains(part.type), !ignored.contains((part.name ?? []).map(\.lowercased)) else { return nil }
            let content = part.decoded()
            guard !content.isEmpty, self.options.sizes.contains(content.count), context.budget.spend(content.count) else {
                return nil
            }
            return self.options.hash(content)
        }
    }

    // MARK: - Tags

    func texts(ofTag values: [[UInt8]], _ registrars: RegistrarBoundaries, skipped: Set<[UInt8]>) -> [[UInt8]] {
        self.limited(values.map(self.options.folded).compactMap { self.text(ofTag: $0, registrars, skipped) })
    }

    private func text(ofTag value: [UInt8], _ registrars: RegistrarBoundaries, _ skipped: Set<[UInt8]>) -> [UInt8]? {
        if let address = IPAddress(String(decoding: value, as: UTF8.self)) {
            if self.options.has("ipv4"), !address.isIPv4 { return nil }
            if self.options.has("ipv6"), address.isIPv4 { return nil }
            let dot = [UInt8(ascii: ".")]
            return self.options.has("revip") ? Array(address.listLabels.joined(separator: dot)) : value
        }
        if ["ip", "ipv4", "ipv6"].contains(where: self.options.has) { return nil }
        let trims = self.options.has("trim")
        guard RegistrarBoundaries.isHostNameValid(value) else { return trims || self.options.has("fqdn") ? nil : value }
        let domain = registrars.registeredDomain(of: value)
        guard !skipped.contains(value.map(\.lowercased)), !skipped.contains(domain.map(\.lowercased)) else { return nil }
        if trims || self.options.has("tld"), !registrars.isDomainValid(value) { return nil }
        return trims ? domain : value
    }

    // MARK: - Mail addresses

    /// Addresses that are looked at in one message.
    private static let maximumAddresses = 200
    /// Fields that tell for whom a message is: these addresses are the reader's own.
    private static let ownFields = ["X-Original-To:addr", "Apparently-To:addr", "Delivered-To:addr", "Envelope-To:addr"]

    private func addresses(_ fields: [String], _ domains: String?, _ context: EvalContext) -> [[UInt8]] {
        let settings = context.settings.network
        let own = Set(Self.ownFields.flatMap(context.addresses).map { $0.map(\.lowercased) })
        let found = fields.flatMap { field -> [[UInt8]] in
            switch field {
            case "ALLFROM": context.namedAddresses.senders
            case "body": self.addressesInText(context)
            default: self.addresses(in: context.header(field) ?? [], context.settings.registrars)
            }
        }
        return found.prefix(Self.maximumAddresses).compactMap { address -> [UInt8]? in
            guard let at = address.lastIndex(of: 0x40) else { return nil }
            var local = Array(address[..<at])
            var host = address[(at + 1)...].map(\.lowercased)
            if let other = settings.addressAliases[host] { host = other }
            if let domains, settings.addressDomains[domains]?[host] != true { return nil }
            let whole = (local + [0x40] + host).map(\.lowercased)
            guard !own.contains(whole), !FreemailAddress.isRole(whole, at: local.count) else { return nil }
            let domain = context.settings.registrars.registeredDomain(of: host)
            if domains == nil, settings.skipped.contains(host) || settings.skipped.contains(domain) { return nil }
            if self.options.has("nodot") { local.removeAll { $0 == UInt8(ascii: ".") } }
            if self.options.has("notag") { local = Array(local.prefix { $0 != UInt8(ascii: "+") }) }
            if self.options.has("domain") { return domain }
            if self.options.has("host") { return host }
            return self.options.folded(self.options.has("user") ? local : local + [0x40] + host)
        }
    }

    /// In links that only HTML has, then in what is read.
    private func addressesInText(_ context: EvalContext) -> [[UInt8]] {
        let registrars = context.settings.registrars
        var found: [[UInt8]] = []
        for link in context.text.links where link.types.contains("a") && !link.types.contains("parsed") {
            guard LinkText.hasPrefix(link.raw[...], LinkText.mailto) else { continue }
            found += self.addresses(in: Array(link.raw.dropFirst(LinkText.mailto.count)), registrars)
        }
        for segment in context.text.body where segment.bytes.contains(0x40) && found.count < Self.maximumAddresses {
            var text = segment.bytes
            if self.options.has("nouri") { text = FreemailText.withoutLinks(text) }
            if self.options.has("noquote") { text = FreemailText.withoutQuotedAddresses(text, registrars) }
            found += self.addresses(in: text, registrars)
        }
        return found
    }

    private func addresses(in text: [UInt8], _ registrars: RegistrarBoundaries) -> [[UInt8]] {
        let scanner = AddressScanner(text: text, registrars: registrars)
        var found: [[UInt8]] = []
        var position = 0
        while found.count < Self.maximumAddresses, let next = scanner.next(from: position) {
            found.append(Array(text[next.range]))
            position = next.range.upperBound
        }
        return found
    }
}
