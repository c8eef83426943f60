import MailTypes

/// Decides whether a host may send for a domain (RFC 7208).
package struct SPFChecker<Resolver: DNSResolver>: Sendable {
    /// Bounds of one check. The first two are those of the standard; domains are published against them.
    package struct Limits: Hashable, Sendable {
        /// Terms that ask the DNS (§4.6.4).
        package var lookups = 10
        /// Questions without an answer among them (§4.6.4).
        package var voidLookups = 2
        /// Names of an MX or PTR answer that are looked up (§4.6.4).
        package var names = 10
        /// Octets of an explanation that is passed on to a sender: a reply's text must stay a text.
        package var explanation = 400

        package init() {}
    }

    private let resolver: Resolver
    private let limits: Limits
    /// The name of the host that asks, for `%{r}`.
    private let receiver: String
    /// Seconds since 1970, for `%{t}`.
    private let time: Int

    package init(resolver: Resolver, limits: Limits = Limits(), receiver: String, time: Int) {
        self.resolver = resolver
        self.limits = limits
        self.receiver = receiver
        self.time = time
    }

    /// The HELO identity (§2.3).
    package func checkHELO(_ helo: String, client: IPAddress) async -> SPFFinding {
        await self.check(.helo, domain: helo, sender: Array("postmaster@\(helo)".utf8), helo: helo, client: client)
    }

    /// The MAIL FROM identity; that of a null path is made of the HELO name (§2.4).
    /// - Parameter sender: a mailbox as the client gave it; empty for the null path.
    package func checkMailFrom(_ sender: String, helo: String, client: IPAddress) async -> SPFFinding {
        guard let at = sender.lastIndex(of: "@") else {
            let domain = sender.isEmpty ? helo : sender
            return await self.check(
                .mailfrom,
                domain: domain,
                sender: Array("postmaster@\(domain)".utf8),
                helo: helo,
                client: client
            )
        }
        let domain = String(sender[sender.index(after: at)...])
        let localPart = sender[..<at].isEmpty ? "postmaster" : String(sender[..<at])
        return await self.check(
            .mailfrom,
            domain: domain,
            sender: Array("\(localPart)@\(domain)".utf8),
            helo: helo,
            client: client
        )
    }

    private func check(
        _ identity: SPFFinding.Identity,
        domain: String,
        sender: [UInt8],
        helo: String,
        client: IPAddress
    ) async -> SPFFinding {
        guard let name = DNSName(domain), name.labels.count >= 2, !domain.hasPrefix("[") else {
            return SPFFinding(.none, identity: identity, domain: domain, problem: "the domain is no full name")
        }
        var evaluation = SPFEvaluation(
            resolver: self.resolver,
            limits: self.limits,
            context: SPFContext(
                client: client,
                sender: sender,
                helo: Array(helo.utf8),
                receiver: Array(self.receiver.utf8),
                time: self.time
            )
        )
        let verdict = await evaluation.checkHost(domain: name, wantsExplanation: true)
        return SPFFinding(
            verdict.result,
            identity: identity,
            domain: domain,
            mechanism: verdict.mechanism,
            explanation: verdict.explanation,
            problem: verdict.problem
        )
    }
}

/// What stays the same through a check.
struct SPFContext: Sendable {
    var client: IPAddress
    var sender: [UInt8]
    var helo: [UInt8]
    var receiver: [UInt8]
    var time: Int

    /// In front of the last @, and behind it.
    var senderParts: (local: [UInt8], domain: [UInt8]) {
        let at = self.sender.lastIndex(of: UInt8(ascii: "@")) ?? 0
        return (Array(self.sender[..<at]), Array(self.sender[(at + 1)...]))
    }
}

/// One check, with what it has asked so far.
struct SPFEvaluation<Resolver: DNSResolver>: Sendable {
    struct Verdict: Sendable {
        var result: SPFResult
        var mechanism: String?
        var explanation: String?
        var problem: String?
    }

    /// Ends a check at once.
    enum Stop: Error {
        case temperror(String)
        case permerror(String)
    }

    let resolver: Resolver
    let limits: SPFChecker<Resolver>.Limits
    let context: SPFContext
    private var lookups = 0
    private var voidLookups = 0
    private var validated: [DNSName: [UInt8]] = [:]

    init(resolver: Resolver, limits: SPFChecker<Resolver>.Limits, context: SPFContext) {
        self.resolver = resolver
        self.limits = limits
        self.context = context
    }

    /// `check_host()` (§4). `include` and `redirect` come back here; the bound on lookups bounds their depth.
    mutating func checkHost(domain: DNSName, wantsExplanation: Bool) async -> Verdict {
        do {
            guard let record = try await self.record(of: domain) else {
                return Verdict(result: .none, problem: "\(domain) has no SPF record")
            }
            for directive in record.directives {
                guard try await self.matches(directive.mechanism, domain) else { continue }
                var verdict = Verdict(result: directive.qualifier.result, mechanism: directive.text)
                if verdict.result == .fail, wantsExplanation, let explanation = record.explanation {
                    verdict.explanation = await self.explanation(explanation, domain)
                }
                return verdict
            }
            guard let redirect = record.redirect else { return Verdict(result: .neutral) }
            try self.countLookup("redirect=")
            let target = try await self.target(redirect, domain)
            guard let target else { throw Stop.permerror("redirect= leads to no domain") }
            let verdict = await self.checkHost(domain: target, wantsExplanation: wantsExplanation)
            // A redirection to nothing is a mistake of its owner (§6.1).
            return verdict.result == .none ? Verdict(result: .permerror, problem: verdict.problem) : verdict
        } catch Stop.temperror(let problem) {
            return Verdict(result: .temperror, problem: problem)
        } catch Stop.permerror(let problem) {
            return Verdict(result: .permerror, problem: problem)
        } catch {
            return Verdict(result: .permerror, problem: "\(error)")
        }
    }

    // MARK: - Records

    private func record(of domain: DNSName) async throws -> SPFRecord? {
        let response = await self.resolver.resolve(domain, .txt)
        guard let records = response.records else { throw Stop.temperror("the record of \(domain) could not be asked for") }
        let candidates = records.compactMap(\.joinedText).filter(SPFRecord.isRecord)
        guard let text = candidates.first else { return nil }
        guard candidates.count == 1 else { throw Stop.permerror("\(domain) has \(candidates.count) SPF records") }
        do {
            return try SPFRecord(text)
        } catch {
            throw Stop.permerror("the record of \(domain): \(error.message)")
        }
    }

    private mutating func countLookup(_ term: String) throws {
        self.lookups += 1
        guard self.lookups <= self.limits.lookups else {
            throw Stop.permerror("\(term) would be lookup number \(self.lookups), \(self.limits.lookups) are allowed")
        }
    }

    /// Asks for a mechanism; an answer without records counts against the limit of those (§4.6.4).
    private mutating func ask(_ name: DNSName, _ type: DNSRecordType) async throws -> [DNSRecord] {
        let response = await self.resolver.resolve(name, type)
        guard let records = response.records else { throw Stop.temperror("\(name) could not be asked for") }
        if response.isVoid {
            self.voidLookups += 1
            guard self.voidLookups <= self.limits.voidLookups else {
                throw Stop.permerror("more than \(self.limits.voidLookups) lookups found nothing, the last one of \(name)")
            }
        }
        return records
    }

    // MARK: - Mechanisms

    private mutating func matches(_ mechanism: SPFRecord.Mechanism, _ domain: DNSName) async throws -> Bool {
        switch mechanism {
        case .all:
            return true
        case .ip(let network):
            return network?.contains(self.context.client) ?? false
        case .include(let spec):
            try self.countLookup("include")
            guard let target = try await self.target(spec, domain) else { return false }
            return try await self.includes(target)
        case .a(let spec, let lengths):
            try self.countLookup("a")
            guard let target = try await self.target(spec, domain) else { return false }
            return try await self.hasAddress(target, lengths, asked: true)
        case .mx(let spec, let lengths):
            try self.countLookup("mx")
            guard let target = try await self.target(spec, domain) else { return false }
            return try await self.hasExchange(target, lengths)
        case .ptr(let spec):
            try self.countLookup("ptr")
            guard let target = try await self.target(spec, domain) else { return false }
            return await self.validatedNames().contains { $0.isWithin(target) }
        case .exists(let spec):
            try self.countLookup("exists")
            guard let target = try await self.target(spec, domain) else { return false }
            // Always A, also for a client that came over IPv6 (§5.7).
            return try await !self.ask(target, .a).isEmpty
        }
    }

    /// §5.2
    private mutating func includes(_ target: DNSName) async throws -> Bool {
        let verdict = await self.checkHost(domain: target, wantsExplanation: false)
        switch verdict.result {
        case .pass: return true
        case .fail, .softfail, .neutral: return false
        case .temperror: throw Stop.temperror(verdict.problem ?? "include:\(target)")
        case .permerror: throw Stop.permerror(verdict.problem ?? "include:\(target)")
        case .none: throw Stop.permerror("include:\(target), which has no SPF record")
        }
    }

    private mutating func hasAddress(_ name: DNSName, _ lengths: SPFRecord.PrefixLengths, asked: Bool) async throws -> Bool {
        let client = self.context.client
        let records = try await self.ask(name, client.isIPv4 ? .a : .aaaa)
        return records.contains { record in
            guard case .address(let address) = record else { return false }
            let network = IPNetwork(base: address, prefixLength: min(lengths.length(for: address), address.bitWidth))
            return network?.contains(client) ?? false
        }
    }

    /// §5.4
    private mutating func hasExchange(_ name: DNSName, _ lengths: SPFRecord.PrefixLengths) async throws -> Bool {
        let exchanges = try await self.ask(name, .mx).compactMap { record -> (UInt16, DNSName)? in
            guard case .mailExchange(let preference, let exchange) = record, exchange != .root else { return nil }
            return (preference, exchange)
        }
        guard exchanges.count <= self.limits.names else {
            throw Stop.permerror("\(name) has \(exchanges.count) mail exchanges, \(self.limits.names) are allowed")
        }
        for (_, exchange) in exchanges.sorted(by: { $0.0 < $1.0 }) {
            if try await self.hasAddress(exchange, lengths, asked: false) { return true }
        }
        return false
    }

    /// The client's names that lead back to it (§5.5). A failure here is no name, not an error.
    private func validatedNames() async -> [DNSName] {
        let client = self.context.client
        let answer = await self.resolver.resolve(DNSName(reverseOf: client), .ptr)
        var names: [DNSName] = []
        for case .name(let name) in (answer.records ?? []).prefix(self.limits.names) {
            let addresses = await self.resolver.addresses(of: name, like: client).records ?? []
            if addresses.contains(.address(client)) { names.append(name) }
        }
        return names
    }

    // MARK: - Macros

    /// The domain a term speaks of; nil when what comes out is no name, which then matches nothing.
    private mutating func target(_ spec: SPFMacroString?, _ domain: DNSName) async throws -> DNSName? {
        guard let spec else { return domain }
        var text = await self.expand(spec, domain)
        if text.last == UInt8(ascii: ".") { text.removeLast() }
        // Too long a name loses labels on its left (§7.3).
        while text.count > DNSName.maximumLength {
            guard let dot = text.firstIndex(of: UInt8(ascii: ".")) else { return nil }
            text.removeFirst(dot + 1)
        }
        return DNSName(text)
    }

    private mutating func expand(_ text: SPFMacroString, _ domain: DNSName) async -> [UInt8] {
        var result: [UInt8] = []
        for piece in text.pieces {
            switch piece {
            case .literal(let octets): result += octets
            case .macro(let macro): result += macro.transformed(await self.value(macro.letter, domain))
            }
        }
        return result
    }

    private mutating func value(_ letter: SPFMacroString.Letter, _ domain: DNSName) async -> [UInt8] {
        let client = self.context.client
        switch letter {
        case .sender: return self.context.sender
        case .localPart: return self.context.senderParts.local
        case .senderDomain: return self.context.senderParts.domain
        case .domain: return Array(domain.labels.joined(separator: [UInt8(ascii: ".")]))
        case .address:
            guard !client.isIPv4 else { return Array(client.description.utf8) }
            let digits = Array("0123456789ABCDEF".utf8)
            let nibbles = client.octets.flatMap { [[digits[Int($0 >> 4)]], [digits[Int($0 & 15)]]] }
            return Array(nibbles.joined(separator: [UInt8(ascii: ".")]))
        case .validatedName: return await self.validatedName(for: domain)
        case .family: return Array((client.isIPv4 ? "in-addr" : "ip6").utf8)
        case .helo: return self.context.helo
        case .readableAddress: return Array(client.description.utf8)
        case .receiver: return self.context.receiver
        case .time: return Array(String(self.context.time).utf8)
        }
    }

    /// `%{p}`: the domain itself if it is among the client's names, else one below it, else any (§7.3).
    private mutating func validatedName(for domain: DNSName) async -> [UInt8] {
        if let known = self.validated[domain] { return known }
        let names = await self.validatedNames()
        let name = names.first { $0 == domain } ?? names.first { $0.isWithin(domain) } ?? names.first
        let text = name.map { Array($0.labels.joined(separator: [UInt8(ascii: ".")])) } ?? Array("unknown".utf8)
        self.validated[domain] = text
        return text
    }

    // MARK: - Explanations

    /// What the owner of a domain says of a failure (§6.2); nil when anything about it is wrong.
    private mutating func explanation(_ spec: SPFMacroString, _ domain: DNSName) async -> String? {
        guard let target = try? await self.target(spec, domain) else { return nil }
        let texts = (await self.resolver.resolve(target, .txt).records ?? []).compactMap(\.joinedText)
        guard texts.count == 1, texts[0].count <= self.limits.explanation else { return nil }
        guard let template = SPFMacroString(texts[0], allowsAllMacros: true) else { return nil }
        let text = await self.expand(template, domain)
        // It goes into a reply to a client: a line of printable ASCII, of bounded length.
        guard text.allSatisfy({ (0x20...0x7e).contains($0) }) else { return nil }
        return String(decoding: text.prefix(self.limits.explanation), as: UTF8.self)
    }
}
