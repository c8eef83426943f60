/// What a domain's owner wants done with mail that is not its own (RFC 7489 §6.3).
package enum DMARCPolicy: String, Hashable, Sendable, CaseIterable {
    case none
    case quarantine
    case reject
}

/// A published record (RFC 7489 §6.3; tags of DMARCbis, too).
package struct DMARCRecord: Hashable, Sendable {
    package var policy: DMARCPolicy
    /// `sp`: for names below the one that has the record.
    package var subdomainPolicy: DMARCPolicy?
    /// `np`: for names below it that do not exist (RFC 9091).
    package var nonexistentPolicy: DMARCPolicy?
    package var isStrictForDKIM = false
    package var isStrictForSPF = false
    /// `pct`: how many of a hundred failing messages the policy is for.
    package var percentage = 100
    /// `rua`, `ruf`: where reports go, as URIs.
    package var aggregateReports: [String] = []
    package var failureReports: [String] = []
    package var failureOptions = "0"
    /// Seconds between reports.
    package var reportInterval = 86_400
    /// `psd`: whether the name is one under which others register.
    package var isPublicSuffix: Bool?
    /// `t=y`: the policy is one step weaker than it says.
    package var isTesting = false
    /// As published.
    package var text: String

    /// Tags of one record that are read; real ones have about ten.
    private static let maximumTags = 50

    /// nil if this TXT record is none of DMARC's, or says nothing that counts. Tags that are wrong count as not there
    /// (RFC 7489 §6.3).
    package init?(_ octets: [UInt8]) {
        let text = String(decoding: octets, as: UTF8.self)
        let tags = text.split(separator: ";").prefix(Self.maximumTags).map { tag -> (name: String, value: String) in
            let equals = tag.firstIndex(of: "=") ?? tag.endIndex
            let value = equals == tag.endIndex ? "" : tag[tag.index(after: equals)...]
            return (Self.trimmed(tag[..<equals]).lowercased(), Self.trimmed(value))
        }
        guard let first = tags.first, first.name == "v", first.value == "DMARC1" else { return nil }
        var values: [String: String] = [:]
        for tag in tags where values[tag.name] == nil { values[tag.name] = tag.value }

        self.text = text
        self.aggregateReports = Self.list(values["rua"])
        self.failureReports = Self.list(values["ruf"])
        if let policy = values["p"].flatMap(Self.policy) {
            self.policy = policy
        } else {
            // Without a policy a record is there for its reports alone (RFC 7489 §6.6.3).
            guard !self.aggregateReports.isEmpty else { return nil }
            self.policy = .none
        }
        self.subdomainPolicy = values["sp"].flatMap(Self.policy)
        self.nonexistentPolicy = values["np"].flatMap(Self.policy)
        self.isStrictForDKIM = values["adkim"]?.lowercased() == "s"
        self.isStrictForSPF = values["aspf"]?.lowercased() == "s"
        self.failureOptions = values["fo"] ?? "0"
        if let percentage = values["pct"].flatMap({ Int($0) }), (0...100).contains(percentage) { self.percentage = percentage }
        if let interval = values["ri"].flatMap({ Int($0) }), interval > 0 { self.reportInterval = interval }
        self.isPublicSuffix = values["psd"].flatMap { $0.lowercased() == "y" ? true : $0.lowercased() == "n" ? false : nil }
        self.isTesting = values["t"]?.lowercased() == "y"
    }

    private static func policy(_ text: String) -> DMARCPolicy? { DMARCPolicy(rawValue: text.lowercased()) }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map(self.trimmed).filter { !$0.isEmpty }
    }
}
