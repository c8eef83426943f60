/// Settings of rule files about questions to the DNS.
struct NetworkSettings: Sendable {
    /// Hosts and domains that are not looked up (`uridnsbl_skip_domain`).
    private(set) var skipped: Set<[UInt8]> = []
    /// Hosts of links that are looked up for one message (`uridnsbl_max_domains`).
    private(set) var maximumHosts = 20
    private(set) var skipsMailAddresses = true
    private(set) var asksAboutRelays = true
    private(set) var asksAboutLinks = true

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
        self.skipsMailAddresses = settings.last("uridnsbl_skip_mailto").map { Self.isYes($0.text) } ?? true
        let isAvailable = settings.last("dns_available").map { $0.text.lowercased() != "no" && $0.text != "0" } ?? true
        self.asksAboutRelays = isAvailable && !(settings.last("skip_rbl_checks").map { Self.isYes($0.text) } ?? false)
        self.asksAboutLinks = isAvailable && !(settings.last("skip_uribl_checks").map { Self.isYes($0.text) } ?? false)
    }

    private static func isYes(_ text: String) -> Bool { text != "0" && text.lowercased() != "no" }
}
