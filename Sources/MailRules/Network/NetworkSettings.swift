import MailTypes

/// Settings of rule files about questions to the DNS.
struct NetworkSettings: Sendable {
    /// Hosts and domains that are not looked up (`uridnsbl_skip_domain`).
    private(set) var skipped: Set<[UInt8]> = []
    /// Hosts of links that are looked up for one message (`uridnsbl_max_domains`).
    private(set) var maximumHosts = 20
    private(set) var skipsMailAddresses = true
    /// The DNS may be asked (`dns_available`).
    private(set) var isAvailable = true
    private(set) var asksAboutRelays = true
    private(set) var asksAboutLinks = true
    /// Header fields with hosts (`rbl_headers`).
    private(set) var headerFields = [
        "EnvelopeFrom", "Reply-To", "Disposition-Notification-To", "X-WebmailclientIP", "X-Source-IP",
    ]
    /// Texts, hashes, names and types of files that are not asked about (`hashbl_ignore`); lower case.
    private(set) var ignoredTexts: Set<[UInt8]> = []
    /// By domain, the one that it is another name of (`hashbl_email_domain_alias`).
    private(set) var addressAliases: [[UInt8]: [UInt8]] = [:]
    /// Lists of domains (`hashbl_acl_NAME`); false takes one out.
    private(set) var addressDomains: [String: [[UInt8]: Bool]] = [:]
    /// Which numbers of networks are asked for.
    private(set) var networkNumbers = NetworkNumberSettings()
    /// Domains below which nothing is asked (`dns_query_restriction`), or again may be; the root stands for all.
    private var restrictions: [DNSName: Bool] = [:]

    /// More than any message needs: beyond it a rule file could have a message ask without end.
    private static let hostLimit = 200

    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        for entry in settings.entries(of: ["uridnsbl_skip_domain", "clear_uridnsbl_skip_domain"]) {
            let domains = entry.line.words.map { Array($0.lowercased().utf8) }
            if entry.keyword == "uridnsbl_skip_domain" {
                self.skipped.formUnion(domains)
            } else if domains.isEmpty {
                self.skipped = []
            } else {
                self.skipped.subtract(domains)
            }
        }
        if let line = settings.last("uridnsbl_max_domains") {
            if let number = Int(line.text), number >= 0 {
                self.maximumHosts = min(number, Self.hostLimit)
            } else {
                problems.append(
                    RuleProblem(
                        .error,
                        file: line.file,
                        line: line.line,
                        column: line.column,
                        message: "'\(line.text)' is no number",
                        hint: "how many domains of a message are looked up"
                    )
                )
            }
        }
        self.readRestrictions(settings, &problems)
        self.readHashes(settings, &problems)
        self.networkNumbers = NetworkNumberSettings(settings, problems: &problems)
        if let line = settings.last("rbl_headers") { self.headerFields = Self.fields(line.text) }
        self.skipsMailAddresses = settings.last("uridnsbl_skip_mailto").map { Self.isYes($0.text) } ?? true
        self.isAvailable = settings.last("dns_available").map { $0.text.lowercased() != "no" && $0.text != "0" } ?? true
        self.asksAboutRelays = self.isAvailable && !(settings.last("skip_rbl_checks").map { Self.isYes($0.text) } ?? false)
        self.asksAboutLinks = self.isAvailable && !(settings.last("skip_uribl_checks").map { Self.isYes($0.text) } ?? false)
    }

    /// `EnvelopeFrom,Reply-To`
    static func fields(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
    }

    // MARK: - Restrictions

    /// Whether the files forbid to ask for a name: the entry that is closest to it decides.
    func forbids(_ name: DNSName) -> Bool {
        guard !self.restrictions.isEmpty else { return false }
        var next: DNSName? = name
        while let one = next {
            if let isDenied = self.restrictions[one] { return isDenied }
            next = one.parent
        }
        return false
    }

    private mutating func readRestrictions(_ settings: RuleSettings, _ problems: inout [RuleProblem]) {
        for entry in settings.entries(of: ["dns_query_restriction", "clear_dns_query_restriction"]) {
            guard entry.keyword == "dns_query_restriction" else {
                self.restrictions = [:]
                continue
            }
            let words = entry.line.words
            let domains = words.dropFirst().map { $0 == "*" ? DNSName.root : DNSName($0.drop { $0 == "." }) }
            guard let verb = words.first?.lowercased(), ["allow", "deny"].contains(verb), !domains.isEmpty,
                !domains.contains(nil)
            else {
                problems.append(ListLine.problem(entry, "as in dns_query_restriction deny example.org example.net"))
                continue
            }
            for case let domain? in domains { self.restrictions[domain] = verb == "deny" }
        }
    }

    private mutating func readHashes(_ settings: RuleSettings, _ problems: inout [RuleProblem]) {
        self.ignoredTexts = Set(settings.lines(of: "hashbl_ignore").flatMap(\.words).map { Array($0.lowercased().utf8) })
        for entry in settings.entries(of: ["hashbl_email_domain_alias"]) {
            let words = entry.line.words.map { Array($0.lowercased().utf8) }
            guard words.count > 1, !entry.line.text.contains("@") else {
                problems.append(ListLine.problem(entry, "as in hashbl_email_domain_alias gmail.com googlemail.com"))
                continue
            }
            for alias in words.dropFirst() { self.addressAliases[alias] = words[0] }
        }
        for entry in settings.entries where entry.keyword.hasPrefix(Self.listPrefix) {
            let list = String(entry.keyword.dropFirst(Self.listPrefix.count))
            for word in entry.line.words.map({ $0.lowercased() }) {
                let isIn = !word.hasPrefix("!")
                let domain = Array(word.utf8.dropFirst(isIn ? 0 : 1))
                // What is once taken out stays out.
                if self.addressDomains[list]?[domain] != false { self.addressDomains[list, default: [:]][domain] = isIn }
            }
        }
    }

    private static let listPrefix = "hashbl_acl_"

    private static func isYes(_ text: String) -> Bool { text != "0" && text.lowercased() != "no" }
}
