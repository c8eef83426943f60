import MailMessage
import MailTypes
import PatternKit

/// Tests of the hops of a message (SpamAssassin's RelayEval).
enum RelayFunctions {
    static let all: [EvalFunction] = [
        function("check_for_numeric_helo", hasNumericHelo),
        // Reserved networks change; SpamAssassin keeps the name alone.
        function("check_for_illegal_ip") { _ in false },
        function("check_all_trusted") {
            !$0.relays.trusted.isEmpty && $0.relays.untrusted.isEmpty && $0.relays.unparseableCount == 0
        },
        function("check_no_relays") {
            $0.relays.trusted.isEmpty && $0.relays.untrusted.isEmpty && $0.relays.unparseableCount == 0
        },
        function("check_relays_unparseable") { $0.relays.unparseableCount > 0 },
        function("check_for_sender_no_reverse") {
            guard let last = $0.relays.untrusted.last else { return false }
            return last.reverseName.contains(0x2e) && !last.isPrivate
        },
        EvalFunction("check_for_from_domain_in_received_headers", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let domain = Array(try arguments.required(0, "a domain").utf8)
            let isWanted = try arguments.required(1, "'true' or 'false'") == "true"
            return { EvalOutcome(isDomainInRelays(domain, isWanted, $0)) }
        },
        function("check_for_forged_received_trail") { $0.facts { RelayMismatches($0) }.names > 1 },
        function("check_for_forged_received_ip_helo") { $0.facts { RelayMismatches($0) }.addresses > 0 },
        function("helo_ip_mismatch", hasOtherNetwork),
        function("check_for_no_rdns_dotcom_helo", lacksNameOfService),
    ]

    private static let plugin = "RelayEval"

    private static func function(_ name: String, _ test: @escaping @Sendable (EvalContext) -> Bool) -> EvalFunction {
        EvalFunction(name, plugin: self.plugin) { _ in { EvalOutcome(test($0)) } }
    }

    // MARK: - HELO

    private static let numericHelo = HeaderPattern(
        #"\bhelo=((?:(?:1\d\d|2[0-4]\d|25[0-5]|[1-9]\d|\d)\.){3}(?:1\d\d|2[0-4]\d|25[0-5]|[1-9]\d|\d)\b)(?=[\x00-\x20,;\[()<>]|\z)"#,
        [.caseless]
    )

    private static func hasNumericHelo(_ context: EvalContext) -> Bool {
        guard let helo = context.groups(self.numericHelo, in: RelayPath.text(context.relays.untrusted))?[0] else { return false }
        return !self.isPrivate(helo)
    }

    static func isPrivate(_ text: [UInt8]) -> Bool { IPAddress(String(decoding: text, as: UTF8.self))?.isPrivate ?? false }

    /// The host calls itself an address that is not even in its own network of 256.
    private static func hasOtherNetwork(_ context: EvalContext) -> Bool {
        context.relays.untrusted.contains { relay in
            guard AddressText.isQuad(relay.helo), AddressText.isQuad(relay.ip), !self.isPrivate(relay.helo), !relay.isPrivate,
                let dot = relay.helo.lastIndex(of: 0x2e)
            else { return false }
            return !relay.ip.starts(with: relay.helo[...dot])
        }
    }

    private static let service = HeaderPattern(
        #"(?:\.|^)(?:lycos\.com|lycos\.co\.uk|hotmail\.com|localhost\.com|excite\.com|caramail\.com|cs\.com|aol\.com"#
            + #"|msn\.com|yahoo\.com|drizzle\.com)$"#,
        [.caseless]
    )

    /// The last host that is on the public network calls itself one of a big service, and has no name.
    private static func lacksNameOfService(_ context: EvalContext) -> Bool {
        guard let relay = context.relays.untrusted.last(where: { !$0.isPrivate }) else { return false }
        return relay.lacksReverseName && context.finds(self.service, in: relay.helo)
    }

    // MARK: - Domains

    private static func isDomainInRelays(_ domain: [UInt8], _ isWanted: Bool, _ context: EvalContext) -> Bool {
        let from = context.first("From:addr").lowercasedASCII
        guard let place = from.place(of: domain.lowercasedASCII), self.isWordStart(from, place, domain) else { return false }
        let relays = context.relays.trusted + context.relays.untrusted
        let isThere = relays.contains {
            self.ends($0.reverseName, in: domain) && self.ends($0.by, in: domain)
        }
        return isThere == isWanted
    }

    private static func isWordStart(_ text: [UInt8], _ place: Int, _ domain: [UInt8]) -> Bool {
        (place > 0 && text[place - 1].isWord) != (domain.first?.isWord ?? false)
    }

    private static func ends(_ host: [UInt8], in domain: [UInt8]) -> Bool {
        host.count >= domain.count && host.suffix(domain.count).elementsEqual(domain)
            && self.isWordStart(host, host.count - domain.count, domain)
    }
}

/// Hops that do not fit together.
struct RelayMismatches {
    /// Hops whose receiving host is of another domain than the host that the next hop came from.
    private(set) var names = 0
    /// Hosts that call themselves an address of another network of 65,536.
    private(set) var addresses = 0

    init(_ context: EvalContext) {
        let relays = context.relays.untrusted
        var from = relays.map { Self.domain(of: $0.reverseName) }
        for (index, relay) in relays.enumerated() {
            let by = Self.domain(of: relay.by)
            guard Self.isName(by) else { continue }
            // A host may hand mail to itself.
            if relay.ip == Array("127.0.0.1".utf8), from[index].map(Self.isLocal) == true { from[index] = nil }
            let helo = Self.domain(of: relay.helo) ?? []
            if AddressText.isQuadShape(helo), AddressText.isQuadShape(relay.ip), helo != relay.ip,
                !helo.split(separator: 0x2e).prefix(2).elementsEqual(relay.ip.split(separator: 0x2e).prefix(2)),
                !RelayFunctions.isPrivate(helo)
            {
                self.addresses += 1
            }
            guard index > 0, let previous = from[index - 1], Self.isName(previous), previous != by else { continue }
            let isMSN = by == Array("msn.com".utf8) && previous == Array("hotmail.com".utf8)
            if !isMSN { self.names += 1 }
        }
    }

    private static func isLocal(_ name: [UInt8]) -> Bool {
        name == Array("localhost".utf8) || name == Array("localhost.localdomain".utf8)
    }

    /// The last two labels, or three where the last one is of two letters; addresses as they are.
    private static func domain(of host: [UInt8]) -> [UInt8]? {
        let host = host.lowercasedASCII
        guard host.contains(where: \.isLetter) else { return host }
        var name = host[...]
        while name.last == 0x2e { name.removeLast() }
        guard let dot = name.lastIndex(of: 0x2e) else { return host }
        let last = name[(dot + 1)...]
        let isLong = last.count >= 3 || ["ie", "fr", "de"].contains { last.elementsEqual($0.utf8) }
        guard var start = name[..<dot].lastIndex(of: 0x2e) else { return Array(name) }
        if !isLong { start = name[..<start].lastIndex(of: 0x2e) ?? -1 }
        return Array(name[(start + 1)...])
    }

    /// Words with dots between them.
    private static func isName(_ name: [UInt8]?) -> Bool {
        guard let name, name.first?.isWord == true, name.last?.isWord == true, let dot = name.lastIndex(of: 0x2e) else {
            return false
        }
        // A word, dots and hyphens with a dot at the end, a word.
        return name.allSatisfy { $0.isWord || $0 == 0x2e || $0 == 0x2d } && dot > 1 && name[(dot + 1)...].allSatisfy(\.isWord)
    }
}

extension AddressText {
    /// Four numbers with dots, whatever they are.
    fileprivate static func isQuadShape(_ text: [UInt8]) -> Bool {
        let numbers = text.split(separator: 0x2e, omittingEmptySubsequences: false)
        return numbers.count == 4 && numbers.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isDigit) }
    }
}
