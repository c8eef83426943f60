/// Settings from environment variables, for containers: `OUTPOST_HOSTNAME`, `OUTPOST_ANTIVIRUS__ENGINE`,
/// `OUTPOST_DOMAINS__0__DOWNSTREAM__0`. Two underscores stand between the names of a path; an index counts from 0 and
/// may add one at the end. A list can be given whole, separated by commas, and any list or section as YAML in `[…]`, `{…}`.
struct EnvironmentOverrides {
    static let prefix = "OUTPOST_"
    /// Variables of the program itself that name no setting.
    static let reserved: Set<String> = ["OUTPOST_CONFIG"]

    private let variables: [(name: String, value: String)]

    init(_ environment: [String: String]) {
        let ours = environment.filter { $0.key.hasPrefix(Self.prefix) && !Self.isForeign($0.key) }
        // Indexes have to come in their order: …__2 before …__10.
        self.variables = ours.sorted { left, right in
            (Self.sortKey(left.key), left.key) < (Self.sortKey(right.key), right.key)
        }.map { ($0.key, $0.value) }
    }

    /// Kubernetes gives every container variables about each service: of one that is called `outpost` they begin like ours
    /// (`OUTPOST_SERVICE_HOST`, `OUTPOST_PORT_25_TCP_ADDR`). No setting begins with those words.
    private static func isForeign(_ name: String) -> Bool {
        if self.reserved.contains(name) || name == "OUTPOST_PORT" { return true }
        return ["OUTPOST_SERVICE_HOST", "OUTPOST_SERVICE_PORT", "OUTPOST_PORT_"].contains { name.hasPrefix($0) }
    }

    private static func sortKey(_ name: String) -> String {
        self.segments(name).map { $0.allSatisfy(\.isNumber) ? String(repeating: "0", count: max(0, 8 - $0.count)) + $0 : $0 }
            .joined(separator: "__")
    }

    private static func segments(_ name: String) -> [String] {
        var segments: [String] = [""]
        var rest = name.dropFirst(self.prefix.count)
        while let first = rest.first {
            if rest.hasPrefix("__"), segments.last?.isEmpty == false {
                segments.append("")
                rest = rest.dropFirst(2)
            } else {
                segments[segments.count - 1].append(first)
                rest = rest.dropFirst()
            }
        }
        return segments
    }

    func apply(to root: inout SettingNode, issues: IssueCollector) {
        for (name, value) in self.variables {
            let position = SettingPosition(variable: name)
            let override = Override(value: value, position: position)
            do throws(SettingProblem) {
                try override.apply(Self.segments(name)[...], to: &root, type: .section, pattern: "")
            } catch {
                issues.report("", error.message, hint: error.hint, at: position)
            }
        }
    }
}

/// One variable on its way down the tree.
private struct Override {
    let value: String
    let position: SettingPosition

    func apply(_ segments: ArraySlice<String>, to node: inout SettingNode, type: SettingType, pattern: String)
        throws(SettingProblem)
    {
        guard let segment = segments.first else {
            node = try self.node(type)
            return
        }
        let rest = segments.dropFirst()
        switch type {
        case .section:
            let key = segment.lowercased()
            let path = SettingSection.join(pattern, key)
            guard let setting = SettingReference.setting(path) else {
                let nearest = Suggestion.nearest(to: key, among: SettingReference.children(of: pattern).map(\.key))
                throw SettingProblem("names no setting: there is no `\(path)`", hint: nearest.map { "did you mean `\($0)`?" })
            }
            try self.applyInMap(key, rest, to: &node, type: setting.type, pattern: path)
        case .namedSections:
            try self.applyInMap(
                self.key(segment, in: node, pattern: pattern),
                rest,
                to: &node,
                type: .section,
                pattern: "\(pattern).*"
            )
        case .named(let item):
            try self.applyInMap(
                self.key(segment, in: node, pattern: pattern),
                rest,
                to: &node,
                type: item,
                pattern: "\(pattern).*"
            )
        case .sections:
            try self.applyInList(segment, rest, to: &node, type: .section, pattern: "\(pattern)[]")
        case .list(let item):
            try self.applyInList(segment, rest, to: &node, type: item, pattern: "\(pattern)[]")
        case .text, .path, .score, .boolean, .number, .choice, .host, .listenAddress, .network, .sender, .domain, .mailbox,
            .clamd,
            .policyName:
            throw SettingProblem("names no setting: `\(pattern)` has nothing inside it")
        }
    }

    /// Variables are written in capitals: the key as the file has it, else in lower case. Rules are named in capitals.
    private func key(_ segment: String, in node: SettingNode, pattern: String) -> String {
        if case .map(let entries) = node.content,
            let entry = entries.first(where: { $0.key.lowercased() == segment.lowercased() })
        {
            return entry.key
        }
        return pattern.hasSuffix(".rules") ? segment : segment.lowercased()
    }

    private func applyInMap(
        _ key: String,
        _ rest: ArraySlice<String>,
        to node: inout SettingNode,
        type: SettingType,
        pattern: String
    ) throws(SettingProblem) {
        var entries: [SettingEntry] = []
        if case .map(let present) = node.content {
            entries = present
        } else if !node.isEmpty {
            throw SettingProblem("the file has \(node.kind) around `\(pattern)`, not a section")
        }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            try self.apply(rest, to: &entries[index].value, type: type, pattern: pattern)
        } else {
            var value = SettingNode(content: .text("", isPlain: true), position: self.position)
            try self.apply(rest, to: &value, type: type, pattern: pattern)
            entries.append(SettingEntry(key: key, keyPosition: self.position, value: value))
        }
        node.content = .map(entries)
    }

    private func applyInList(
        _ segment: String,
        _ rest: ArraySlice<String>,
        to node: inout SettingNode,
        type: SettingType,
        pattern: String
    ) throws(SettingProblem) {
        var items: [SettingNode] = []
        if case .list(let present) = node.content {
            items = present
        } else if !node.isEmpty {
            throw SettingProblem("the file has \(node.kind) around `\(pattern)`, not a list")
        }
        guard let index = Int(segment), segment.allSatisfy(\.isNumber), index <= items.count else {
            throw SettingProblem("`\(segment)` is not an index of `\(pattern)`", hint: "from 0 to \(items.count)")
        }
        if index == items.count { items.append(SettingNode(content: .text("", isPlain: true), position: self.position)) }
        try self.apply(rest, to: &items[index], type: type, pattern: pattern)
        node.content = .list(items)
    }

    /// The variable's value as the setting's type wants it.
    private func node(_ type: SettingType) throws(SettingProblem) -> SettingNode {
        guard type.isContainer, !self.value.isEmpty else {
            return SettingNode(content: .text(self.value, isPlain: self.value.isEmpty), position: self.position)
        }
        if self.value.hasPrefix("[") || self.value.hasPrefix("{") {
            // An IPv6 address in brackets begins like a YAML list, and is none.
            if let node = SettingNode.read(value: self.value, position: self.position) { return node }
            guard self.value.hasPrefix("["), case .list = type else { throw SettingProblem("the value is not YAML") }
        }
        guard case .list = type else { throw SettingProblem("the value must be YAML, like [{…}] or {…}") }
        let items = self.value.split(separator: ",").map { part in
            let text = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            return SettingNode(content: .text(text, isPlain: false), position: self.position)
        }
        return SettingNode(content: .list(items), position: self.position)
    }
}
