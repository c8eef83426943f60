extension SettingReference {
    /// `docs/configuration.md`.
    static var markdown: String {
        var lines = [
            "# Configuration",
            "",
            "Outpost reads one YAML file. A setting that is left out has its default. Unknown settings are errors; all problems are",
            "reported at once with their lines: `outpost config check`.",
            "",
            "Sizes are octets, or have a unit: `64KiB`, `25MiB`, `1GiB` (powers of 1,024), `10MB` (of 1,000). Times are seconds, or have",
            "a unit: `500ms`, `30s`, `5m`, `1h`, `7d`. A host is `name:port`, `192.0.2.1:25` or `[2001:db8::1]:25`. Relative paths count",
            "from the directory of the file.",
            "",
            "Every setting can be set by an environment variable: `OUTPOST_`, then its path in capitals with two underscores between",
            "the names: `OUTPOST_HOSTNAME`, `OUTPOST_ANTIVIRUS__ENGINE=none`, `OUTPOST_DOMAINS__0__DOWNSTREAM__0=mail:25`. Lists may",
            "be given whole, separated by commas; lists and sections also as YAML.",
            "",
            "In the tables `[]` stands for each item of a list and `*` for a name of your choice.",
        ]
        let groups = Dictionary(grouping: self.all, by: self.group)
        var titles: [String] = []
        for title in self.all.map(self.group) where !titles.contains(title) { titles.append(title) }
        for title in titles {
            lines += ["", "## \(title)", "", "| setting | takes | default | |", "| --- | --- | --- | --- |"]
            lines += (groups[title] ?? []).map(self.row)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The heading a setting stands under: the first name of its path, if there is anything inside that.
    private static func group(_ setting: Setting) -> String {
        let name = String(setting.path.prefix { $0 != "." && $0 != "[" })
        let hasChildren = ["", "[]", ".*"].contains { !self.children(of: name + $0).isEmpty }
        return hasChildren ? "`\(name)`" : "General"
    }

    private static func row(_ setting: Setting) -> String {
        let defaultText = setting.isRequired ? "required" : setting.defaultText.map { "`\($0)`" } ?? ""
        return "| `\(setting.path)` | \(setting.type.words) | \(defaultText) | \(setting.documentation) |"
    }
}

extension SettingType {
    /// What it takes, for the documentation.
    fileprivate var words: String {
        switch self {
        case .text: "text"
        case .path: "path"
        case .score: "number or `off`"
        case .boolean: "`true` or `false`"
        case .number(let unit, let range): "\(unit.noun), \(unit.text(range.lowerBound)) to \(unit.text(range.upperBound))"
        case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .host(let port): "host, port \(port)"
        case .listenAddress: "address, port 25"
        case .network: "network"
        case .sender: "sender"
        case .domain: "domain"
        case .mailbox: "address"
        case .clamd: "socket or host"
        case .policyName: "policy"
        case .list(let item): "list: \(item.words)"
        case .section: "section"
        case .sections: "list of sections"
        case .namedSections: "sections by name"
        case .named(let item): "by name: \(item.words)"
        }
    }
}

extension NumberUnit {
    fileprivate var noun: String {
        switch self {
        case .count: "number"
        case .octets, .kibibytes: "size"
        case .milliseconds, .seconds, .days: "time"
        }
    }
}
