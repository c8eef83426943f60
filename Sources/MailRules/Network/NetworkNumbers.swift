import MailTypes

/// `asn_lookup` and its relatives: where the number of the network is asked that a message came from
/// (Mail::SpamAssassin::Plugin::ASN).
struct NetworkNumberSettings: Sendable {
    static let defaultTag = "ASN"
    static let defaultRouteTag = "ASNCIDR"

    struct Lookup: Sendable {
        var zone: DNSName
        var numberTag: String
        var routeTag: String
        var isForIPv6: Bool
    }

    private(set) var lookups: [Lookup] = []
    /// Stands before each number.
    private(set) var prefix = Array("AS".utf8)

    init() {}

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        for entry in settings.entries(of: ["asn_lookup", "asn_lookup_ipv6", "clear_asn_lookups", "asn_prefix"]) {
            switch entry.keyword {
            case "clear_asn_lookups": self.lookups = []
            case "asn_prefix": self.prefix = Array(entry.line.text.filter { $0 != "\"" && $0 != "'" }.utf8)
            default:
                let words = entry.line.words
                let tags = words.dropFirst().map { word -> String in
                    let isTag = word.count > 2 && word.hasPrefix("_") && word.hasSuffix("_")
                    return isTag ? String(word.dropFirst().dropLast()) : ""
                }
                guard let zone = words.first.flatMap({ DNSName($0) }), tags.isEmpty || tags.count == 2, !tags.contains("") else {
                    problems.append(ListLine.problem(entry, "as in \(entry.keyword) asn.example.org _ASN_ _ASNCIDR_"))
                    continue
                }
                self.lookups.append(
                    Lookup(
                        zone: zone,
                        numberTag: tags.first ?? Self.defaultTag,
                        routeTag: tags.last ?? Self.defaultRouteTag,
                        isForIPv6: entry.keyword == "asn_lookup_ipv6"
                    )
                )
            }
        }
        if settings.last("asn_use_dns").map({ $0.text == "0" || $0.text.lowercased() == "no" }) ?? false { self.lookups = [] }
    }
}

/// What a TXT record says of an address: in the forms of routeviews.org (`"64496" "192.0.2.0" "24"`), cymru.com
/// (`64496 64497 | 192.0.2.0/24 | …`) and spameatingmonkey.net (`192.0.2.0/24 | AS64496 | …`).
struct NetworkNumbers: Hashable, Sendable {
    /// Without `AS`.
    private(set) var numbers: [[UInt8]] = []
    private(set) var routes: [[UInt8]] = []

    init(_ strings: [[UInt8]]) {
        let bar = UInt8(ascii: "|")
        let slash = UInt8(ascii: "/")
        var items: [[UInt8]]
        if strings.count > 1, !strings.contains(where: { $0.contains(bar) }) {
            items = strings
            if items.count >= 3, !items[1].contains(slash), !items[2].isEmpty, items[2].allSatisfy(\.isDigit) {
                items[1] += [slash] + items[2]
            }
        } else {
            items = Array(strings.joined(separator: [0x20])).split(separator: bar, omittingEmptySubsequences: false).map(
                Array.init
            )
        }
        let words = items.map { $0.split(whereSeparator: \.isBlank).map(Array.init) }
        guard let place = words.indices.prefix(2).first(where: { Self.areNumbers(words[$0]) }) else { return }
        let unannounced = Array("4294967295".utf8)
        self.numbers = words[place].map(Self.withoutPrefix).filter { $0 != [0x30] && $0 != unannounced }
        let others = place == 0 ? words.dropFirst().first ?? [] : words[0]
        self.routes = others.filter { !$0.suffix(2).elementsEqual("/0".utf8) }
    }

    private static func areNumbers(_ words: [[UInt8]]) -> Bool {
        !words.isEmpty
            && words.allSatisfy {
                let number = self.withoutPrefix($0)
                return !number.isEmpty && number.allSatisfy(\.isDigit)
            }
    }

    private static func withoutPrefix(_ word: [UInt8]) -> [UInt8] {
        let isPrefixed = word.count > 2 && word[0] | 0x20 == UInt8(ascii: "a") && word[1] | 0x20 == UInt8(ascii: "s")
        return isPrefixed ? Array(word.dropFirst(2)) : word
    }
}
