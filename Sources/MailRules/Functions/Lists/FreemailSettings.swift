import MailMessage

/// What rule files say of the providers that give mail addresses to anybody (SpamAssassin's FreeMail). A class, as `AddressLists` is.
final class FreemailSettings: Sendable {
    private let domains: OctetTable<Void>
    private let domainPatterns: AddressTable<Void>
    /// Addresses and domains that are taken for something else.
    private let exceptions: OctetTable<Void>
    /// Lists whose addresses are exceptions, too.
    private let exceptionLists: [String]
    let limits: Limits

    struct Limits: Hashable, Sendable {
        /// Addresses in the text, and such that are of providers, from which on it is not one person's letter.
        var addresses = 5
        var freemails = 3
        /// Texts with more are left alone.
        var skipsOverMaximum = true
        /// `check_freemail_replyto` leaves mail of lists and machines alone.
        var skipsBulkSenders = true
    }

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        var domains = OctetTable<Void>()
        var exceptions = OctetTable<Void>()
        var patterns: [String] = []
        for entry in settings.entries(of: ["freemail_domains", "freemail_welcomelist"]) {
            for word in entry.line.words {
                let octets = Array(word.utf8)
                let isDomains = entry.keyword == "freemail_domains"
                guard isDomains ? octets.allSatisfy(Self.isDomainOctet) : Self.isException(octets) else {
                    problems.append(
                        ListLine.problem(entry, isDomains ? "\(word) is no domain" : "\(word) is no address and no domain")
                    )
                    continue
                }
                if !isDomains {
                    exceptions.set((), for: octets)
                } else if octets.contains(UInt8(ascii: "*")) || octets.contains(UInt8(ascii: "?")) {
                    patterns.append(word)
                } else {
                    domains.set((), for: octets)
                }
            }
        }
        self.domains = domains
        self.exceptions = exceptions
        self.domainPatterns = AddressTable(patterns, star: .withinLabel)
        self.exceptionLists = ["welcomelist_auth", "def_welcomelist_auth"].filter {
            Self.number(settings, "freemail_import_" + $0, 0) != 0
        }
        var limits = Limits()
        limits.addresses = Self.number(settings, "freemail_max_body_emails", limits.addresses)
        limits.freemails = Self.number(settings, "freemail_max_body_freemails", limits.freemails)
        limits.skipsOverMaximum = Self.number(settings, "freemail_skip_when_over_max", 1) != 0
        limits.skipsBulkSenders = Self.number(settings, "freemail_skip_bulk_envfrom", 1) != 0
        self.limits = limits
    }

    private static func number(_ settings: RuleSettings, _ keyword: String, _ standard: Int) -> Int {
        settings.last(keyword).flatMap { Int($0.text) } ?? standard
    }

    private static func isDomainOctet(_ octet: UInt8) -> Bool {
        octet.isLetter || octet.isDigit || ".*?-".utf8.contains(octet)
    }

    /// A dot or `@` stands between two words.
    private static func isException(_ text: [UInt8]) -> Bool {
        guard text.count > 2 else { return false }
        return (1..<(text.count - 1)).contains { index in
            (text[index] == UInt8(ascii: ".") || text[index] == 0x40) && text[index - 1].isWord && text[index + 1].isWord
        }
    }

    /// Without domains no function of the family finds anything.
    var isEmpty: Bool { self.domains.isEmpty && self.domainPatterns.isEmpty }

    /// Whether an address is one of a provider.
    /// - Parameter address: in lower case.
    func isFreemail(_ address: [UInt8], lists: AddressLists) -> Bool {
        guard !address.isEmpty, !self.exceptions.contains(address[...]) else { return false }
        let at = address.lastIndex(of: 0x40)
        let domain = address[(at.map { $0 + 1 } ?? 0)...]
        guard !self.exceptions.contains(domain), at.map({ !FreemailAddress.isRole(address, at: $0) }) ?? true else {
            return false
        }
        guard !self.exceptionLists.contains(where: { lists[$0]?.contains(address) == true }) else { return false }
        return self.domains.contains(domain) || (at != nil && self.domainPatterns.contains(Array(domain)))
    }
}
