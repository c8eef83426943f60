import MailTypes
import PatternKit

/// A rule that hits by what the DNS answers.
struct NetworkRule: Sendable {
    /// Which hosts of a message's way are looked up; the end of a set's name says it (`zen-lastexternal`).
    enum RelayChoice: Hashable, Sendable {
        /// The host that gave the message to ours.
        case lastExternal
        /// All but the one that wrote the message.
        case notFirstHop
        case firstTrusted
        case untrusted
        case all

        init(set: String) {
            switch set {
            case _ where set.hasSuffix("-lastexternal"): self = .lastExternal
            case _ where set.hasSuffix("-notfirsthop"): self = .notFirstHop
            case _ where set.hasSuffix("-firsttrusted"): self = .firstTrusted
            case _ where set.hasSuffix("-untrusted"): self = .untrusted
            default: self = .all
            }
        }
    }

    /// What of a message is asked about.
    enum Source: Sendable {
        case relays(RelayChoice, isNice: Bool)
        case authorHosts
        case authorDomains
        case envelopeHosts
        /// Hosts, names or addresses that header fields tell.
        case headers([String]?)
        /// Relays of a message that says that this accreditor vouches for it.
        case accredited(by: [UInt8], RelayChoice, isNice: Bool)
        /// Names of the name servers of the envelope sender's domain.
        case senderServers
        /// What the oldest relay that cannot be trusted says of itself.
        case oldestRelay
        case hashes(HashQuery)
        /// Numbers of the network that the message came from, by the tag under which they are kept.
        case networkNumbers(tag: String)
        /// Hits where the domain of the envelope's sender has neither MX record nor address (`check_dns_sender`).
        case unknownSender
        /// What `check_rbl_sub` looks at: answers that other rules of the set have asked for.
        case set
        case links(wholeNames: Bool)
        /// Names of the name servers of links' domains.
        case linkServers(wholeNames: Bool)
        /// Addresses of links' hosts, of their name servers, or of both.
        case linkAddresses(ofHosts: Bool, ofServers: Bool)
        case template(QueryTemplate)
    }

    var rule: String
    var source: Source
    /// Below which questions are asked; the root for those that say the whole name.
    var zone: DNSName
    var types: [DNSRecordType]
    var filter: AnswerFilter
    /// The set of `check_rbl` rules it belongs to; empty for others.
    var set = ""
    var takesNames = true
    var takesAddresses = true
}

/// `uridnsbl`, `urirhssub` and their relatives: what a `check_uridnsbl` rule of the same name asks.
struct LinkListDeclaration: Sendable {
    enum Kind: String, CaseIterable {
        case addresses = "uridnsbl"
        case addressesTested = "uridnssub"
        case names = "urirhsbl"
        case namesTested = "urirhssub"
        case serverDomains = "urinsrhsbl"
        case serverDomainsTested = "urinsrhssub"
        case servers = "urifullnsrhsbl"
        case serversTested = "urifullnsrhssub"

        var isTested: Bool {
            switch self {
            case .addressesTested, .namesTested, .serverDomainsTested, .serversTested: true
            case .addresses, .names, .serverDomains, .servers: false
            }
        }
    }

    var kind: Kind
    var zone: DNSName
    var type: DNSRecordType
    var filter: AnswerFilter

    func source(flags: [String]) -> NetworkRule.Source {
        switch self.kind {
        case .names, .namesTested: return .links(wholeNames: flags.contains("notrim"))
        case .serverDomains, .serverDomainsTested: return .linkServers(wholeNames: false)
        case .servers, .serversTested: return .linkServers(wholeNames: true)
        case .addresses, .addressesTested:
            let ofHosts = flags.contains("a")
            return .linkAddresses(ofHosts: ofHosts, ofServers: flags.contains("ns") || !ofHosts)
        }
    }
}

/// `askdns`
struct AskDNSDeclaration: Sendable {
    var template: QueryTemplate
    var types: [DNSRecordType]
    var filter: AnswerFilter
}

extension NetworkRule {
    /// - Returns: nil for rules that ask nothing.
    init?(_ rule: Rule, linkList: LinkListDeclaration?, askDNS: AskDNSDeclaration?) {
        guard rule.isActive, case .function(_, let call) = rule.test else { return nil }
        if let askDNS, call.function == NetworkFunctions.askDNS {
            self.init(
                rule: rule.name,
                source: .template(askDNS.template),
                zone: .root,
                types: askDNS.types,
                filter: askDNS.filter
            )
            return
        }
        if call.function == NetworkFunctions.unknownSender {
            self.init(rule: rule.name, source: .unknownSender, zone: .root, types: [.mx, .a, .aaaa], filter: .any)
            return
        }
        if call.function == NetworkFunctions.linkLookup {
            guard let linkList else { return nil }
            self.init(
                rule: rule.name,
                source: linkList.source(flags: rule.flags),
                zone: linkList.zone,
                types: [linkList.type],
                filter: linkList.filter
            )
        } else if HashQuery.functions.contains(call.function) {
            guard let query = try? HashQuery(call.function, call.arguments) else { return nil }
            self.init(rule: rule.name, source: .hashes(query), zone: query.zone, types: [query.type], filter: query.filter)
        } else if call.function == NetworkFunctions.networkNumber {
            guard let lookup = try? NetworkFunctions.NumberLookup(call.arguments) else { return nil }
            let filter = AnswerFilter.pattern(lookup.pattern)
            self.init(rule: rule.name, source: .networkNumbers(tag: lookup.tag), zone: .root, types: [.txt], filter: filter)
        } else {
            guard NetworkFunctions.lookups.contains(call.function),
                let lookup = try? NetworkFunctions.Lookup(call.function, call.arguments)
            else { return nil }
            let isNice = rule.flags.contains("nice")
            let source: Source
            switch call.function {
            case "check_rbl_sub": source = .set
            case "check_rbl_from_host": source = .authorHosts
            case "check_rbl_from_domain": source = .authorDomains
            case "check_rbl_envfrom": source = .envelopeHosts
            case "check_rbl_headers": source = .headers(lookup.extra.map(NetworkSettings.fields))
            case "check_rbl_ns_from": source = .senderServers
            case "check_rbl_rcvd": source = .oldestRelay
            case "check_rbl_accreditor":
                let accreditor = Array((lookup.extra ?? "").utf8)
                source = .accredited(by: accreditor, RelayChoice(set: lookup.set), isNice: isNice)
            default: source = .relays(RelayChoice(set: lookup.set), isNice: isNice)
            }
            self.init(
                rule: rule.name,
                source: source,
                zone: lookup.zone,
                types: [lookup.type],
                filter: lookup.filter,
                set: lookup.set
            )
        }
        self.takesNames = !rule.flags.contains("ips_only")
        self.takesAddresses = !rule.flags.contains("domains_only")
    }
}
