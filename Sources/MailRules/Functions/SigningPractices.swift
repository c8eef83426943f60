/// `adsp_override`: which domains sign their mail, as rule files know it. What domains publish themselves about that (ADSP, RFC
/// 5617, historic) is not asked for.
struct SigningPractices: Sendable {
    /// By the letter that `check_dkim_adsp` names it by.
    enum Practice: Character, Sendable {
        case unknown = "U"
        case all = "A"
        case discardable = "D"
        case noSuchDomain = "N"
        case low = "1"
        case medium = "2"
        case high = "3"
    }

    private var practices: [String: Practice] = [:]

    private static let words: [String: Practice] = [
        "all": .all, "custom_high": .high, "custom_low": .low, "custom_med": .medium, "discardable": .discardable,
        "nxdomain": .noSuchDomain, "unknown": .unknown,
    ]

    init() {}

    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        for entry in settings.entries(of: ["adsp_override"]) {
            let words = entry.line.words.map { $0.lowercased() }
            guard let domain = words.first, words.count <= 2,
                let practice = Self.words[words.count == 2 ? words[1] : "discardable"]
            else {
                let known = Self.words.keys.sorted().joined(separator: ", ")
                problems.append(ListLine.problem(entry, "a domain and one of \(known)"))
                continue
            }
            self.practices[domain.hasPrefix("@") ? String(domain.dropFirst()) : domain] = practice
        }
    }

    /// - Parameter domain: in lower case; an entry for it comes before `*.` entries for domains above it.
    func practice(of domain: String) -> Practice {
        if let exact = self.practices[domain] { return exact }
        var rest = domain[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let found = self.practices["*." + rest] { return found }
        }
        return self.practices["*"] ?? .unknown
    }
}
