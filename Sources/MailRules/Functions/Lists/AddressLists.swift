import MailMessage
import MailTypes

/// The lists of addresses that rule files make: `welcomelist_from`, `blocklist_to`, `enlist_addrlist (NAME)`…. A class: each is
/// many arrays, and functions look at them all the time.
final class AddressLists: Sendable {
    /// By name: that of the setting, or the one that `enlist_addrlist` gives.
    private let lists: [String: AddressTable<Void>]
    /// `welcomelist_from_rcvd`: addresses with the relays that they come through.
    let fromRelays: AddressTable<[RelayPattern]>
    /// `def_welcomelist_from_rcvd`
    let fromRelaysByDefault: AddressTable<[RelayPattern]>
    /// `welcomelist_from_dkim`: authors with the domains that sign for them.
    let fromSigners: AddressTable<[SignerName]>
    /// `def_welcomelist_from_dkim`
    let fromSignersByDefault: AddressTable<[SignerName]>

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        var names: [String: Set<String>] = [:]
        var relays: [String: [String: [String]]] = [:]
        var signers: [String: [String: Set<String>]] = [:]
        for entry in settings.entries(of: Self.keywords) {
            let words = entry.line.words
            switch entry.keyword {
            case "enlist_addrlist":
                guard let (list, addresses) = ListLine.named(entry.line) else {
                    problems.append(ListLine.problem(entry, "as in enlist_addrlist (NAME) joe@example.org *@example.com"))
                    continue
                }
                names[list, default: []].formUnion(addresses)
            case "welcomelist_from_rcvd", "def_welcomelist_from_rcvd":
                guard words.count == 2 else {
                    problems.append(ListLine.problem(entry, "an address and a relay: *@example.org example.org"))
                    continue
                }
                relays[entry.keyword, default: [:]][words[0].lowercased(), default: []].append(words[1].lowercased())
            case "welcomelist_from_dkim", "def_welcomelist_from_dkim", "unwelcomelist_from_dkim":
                guard words.count == 1 || words.count == 2 else {
                    problems.append(ListLine.problem(entry, "an author and a domain that signs: *@example.org example.net"))
                    continue
                }
                let author = words[0].lowercased()
                let signer = words.count == 2 ? words[1].lowercased() : ""
                if entry.keyword == "unwelcomelist_from_dkim" {
                    for list in ["welcomelist_from_dkim", "def_welcomelist_from_dkim"] { signers[list]?[author]?.remove(signer) }
                } else {
                    signers[entry.keyword, default: [:]][author, default: []].insert(signer)
                }
            default:
                guard !words.isEmpty else {
                    problems.append(ListLine.problem(entry, "addresses are expected: joe@example.org *@example.com"))
                    continue
                }
                let addresses = words.map { $0.lowercased() }
                guard let lists = Self.removals[entry.keyword] else {
                    names[entry.keyword, default: []].formUnion(addresses)
                    continue
                }
                for list in lists {
                    names[list]?.subtract(addresses)
                    for address in addresses { relays[list]?[address] = nil }
                }
            }
        }
        self.lists = names.mapValues { AddressTable($0) }
        let table = { (list: String) in
            AddressTable((relays[list] ?? [:]).map { ($0.key, $0.value.map(RelayPattern.init)) })
        }
        self.fromRelays = table("welcomelist_from_rcvd")
        self.fromRelaysByDefault = table("def_welcomelist_from_rcvd")
        let signerTable = { (list: String) in
            AddressTable((signers[list] ?? [:]).map { ($0.key, $0.value.sorted().map(SignerName.init)) })
        }
        self.fromSigners = signerTable("welcomelist_from_dkim")
        self.fromSignersByDefault = signerTable("def_welcomelist_from_dkim")
    }

    subscript(name: String) -> AddressTable<Void>? { self.lists[name] }

    /// Settings that add addresses to the list of their own name.
    private static let plain: Set<String> = [
        "all_spam_to", "blocklist_from", "blocklist_to", "def_welcomelist_auth", "def_welcomelist_from_spf", "more_spam_to",
        "welcomelist_allows_relays", "welcomelist_auth", "welcomelist_bounce_relays", "welcomelist_from",
        "welcomelist_from_spf", "welcomelist_to",
    ]

    /// Settings that take addresses away, and from which lists.
    private static let removals: [String: [String]] = [
        "unblocklist_from": ["blocklist_from"],
        "unwelcomelist_auth": ["welcomelist_auth", "def_welcomelist_auth"],
        "unwelcomelist_from": ["welcomelist_from"],
        "unwelcomelist_from_rcvd": ["welcomelist_from_rcvd", "def_welcomelist_from_rcvd"],
        "unwelcomelist_from_spf": ["welcomelist_from_spf", "def_welcomelist_from_spf"],
    ]

    private static let keywords = plain.union(removals.keys)
        .union(["enlist_addrlist", "welcomelist_from_rcvd", "def_welcomelist_from_rcvd"])
        .union(["welcomelist_from_dkim", "def_welcomelist_from_dkim", "unwelcomelist_from_dkim"])
}

/// A domain that signs: `example.org`, `*.example.org` or `.example.org` for those below it, empty for the author's own.
struct SignerName: Hashable, Sendable {
    private let domain: String
    private let isForBelow: Bool

    /// - Parameter text: lower case; what stands before an `@` does not count.
    init(_ text: String) {
        var domain = text.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        if domain.hasPrefix("*.") { domain.removeFirst() }
        self.isForBelow = domain.hasPrefix(".")
        self.domain = String(domain.drop { $0 == "." })
    }

    /// - Parameters:
    ///   - signer: lower case.
    ///   - author: the author's host in lower case.
    func covers(_ signer: String, author: String) -> Bool {
        if self.domain.isEmpty { return signer == author }
        return self.isForBelow ? signer.hasSuffix("." + self.domain) : signer == self.domain
    }

    /// For functions that count the domain itself in where they are asked about those below it.
    func isOrCovers(_ host: String) -> Bool {
        host == self.domain || (self.isForBelow && host.hasSuffix("." + self.domain))
    }
}

/// A relay that mail of an address comes through, as `welcomelist_from_rcvd` names it.
struct RelayPattern: Hashable, Sendable {
    private enum Form: Hashable, Sendable {
        /// The name that the relay's address resolves to, or a domain above it.
        case name([UInt8])
        case address(String)
        /// The first octets of an IPv4 address with a dot behind each: `192.0.`
        case classful(String)
        case network(IPNetwork)
        /// An address that is none.
        case never
    }

    private let form: Form

    /// - Parameter text: `example.org`, `[192.0.2.1]`, `[192.0]`, `[192.0.2.0]/24`, `[2001:db8::]/32`; lower case.
    init(_ text: String) {
        guard text.hasPrefix("["), let end = text.lastIndex(of: "]"),
            Self.isPrefixLength(text[text.index(after: end)...])
        else {
            self.form = .name(Array(text.utf8))
            return
        }
        let address = text[text.index(after: text.startIndex)..<end] + text[text.index(after: end)...]
        let parts = address.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(\.isDigit) }) {
            self.form = .address(String(address))
        } else if !address.isEmpty, address.utf8.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") }) {
            let octets = address.utf8.reversed().drop { $0 == UInt8(ascii: ".") }.reversed()
            self.form = .classful(String(decoding: octets, as: UTF8.self) + ".")
        } else if let network = IPNetwork(address) {
            self.form = .network(network)
        } else {
            self.form = .never
        }
    }

    private static func isPrefixLength(_ text: Substring) -> Bool {
        guard let slash = text.first else { return true }
        return slash == "/" && (2...4).contains(text.utf8.count) && text.utf8.dropFirst().allSatisfy(\.isDigit)
    }

    /// - Parameters:
    ///   - address: of the relay, in text; empty when it is not known.
    ///   - name: that the address resolves to, in lower case; empty when there is none.
    func matches(address: String, name: [UInt8]) -> Bool {
        switch self.form {
        case .name(let domain):
            guard name.count >= domain.count, name.suffix(domain.count).elementsEqual(domain) else { return false }
            return name.count == domain.count || name[name.count - domain.count - 1] == UInt8(ascii: ".")
        case .address(let text): return text == address
        case .classful(let prefix): return address.hasPrefix(prefix)
        case .network(let network): return IPAddress(address).map(network.contains) ?? false
        case .never: return false
        }
    }
}

/// Lists of host names that rule files make: `enlist_uri_host (NAME)`, `blocklist_uri_host`….
struct HostLists: Sendable {
    /// By name; false takes a name out that one above it is in for.
    private var lists: [String: OctetTable<Bool>] = [:]

    /// Labels of a host name that are looked at, from its end.
    private static let maximumLabels = 11

    init() {}

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        var lists: [String: [String: Bool]] = [:]
        for entry in settings.entries(of: ["enlist_uri_host", "delist_uri_host", "blocklist_uri_host", "welcomelist_uri_host"]) {
            let named = ListLine.named(entry.line)
            let target: (lists: [String], words: [String])? =
                switch entry.keyword {
                case "blocklist_uri_host": (["BLOCK"], entry.line.words)
                case "welcomelist_uri_host": (["WELCOME"], entry.line.words)
                case "enlist_uri_host": named.map { ([$0.list], $0.words) }
                // Without a name it is taken off all lists that there are.
                default: named.map { ([$0.list], $0.words) } ?? (Array(lists.keys), entry.line.words)
                }
            guard let target, !target.words.isEmpty else {
                problems.append(ListLine.problem(entry, "as in \(entry.keyword) (NAME) example.org !www.example.org"))
                continue
            }
            for word in target.words.map({ $0.lowercased() }) {
                let isIn = !word.hasPrefix("!")
                let host = isIn ? word : String(word.dropFirst())
                for list in target.lists {
                    lists[list, default: [:]][host] = entry.keyword == "delist_uri_host" ? nil : isIn
                }
            }
        }
        self.lists = lists.mapValues { hosts in
            var table = OctetTable<Bool>()
            for (host, isIn) in hosts { table.set(isIn, for: Array(host.utf8)) }
            return table
        }
    }

    var isEmpty: Bool { self.lists.isEmpty }

    /// Whether a list has the host, or a domain above it: the name closest to the host decides.
    func contains(_ host: [UInt8], in list: String) -> Bool {
        guard let table = self.lists[list], !host.isEmpty else { return false }
        if RegistrarBoundaries.isAddress(host) { return table[host] ?? false }
        var starts = [0]
        for (index, octet) in host.enumerated() where octet == UInt8(ascii: ".") { starts.append(index + 1) }
        for start in starts.suffix(Self.maximumLabels) {
            if let isIn = table[host[start...]] { return isIn }
        }
        return false
    }
}

/// `(NAME) word word …`
enum ListLine {
    static func named(_ line: RuleSettings.Line) -> (list: String, words: [String])? {
        let text = line.text
        guard text.hasPrefix("("), let end = text.dropFirst(2).firstIndex(of: ")") else { return nil }
        let rest = text[text.index(after: end)...]
        let words = rest.split(whereSeparator: \.isWhitespace).map(String.init)
        guard rest.first?.isWhitespace == true, !words.isEmpty else { return nil }
        return (String(text[text.index(after: text.startIndex)..<end]), words)
    }

    static func problem(_ entry: RuleSettings.Entry, _ hint: String) -> RuleProblem {
        RuleProblem(
            .warning,
            file: entry.line.file,
            line: entry.line.line,
            column: entry.line.column,
            message: "'\(entry.keyword)' has nothing here that it could use",
            hint: hint
        )
    }
}
