import MailPolicy
import MailTypes

/// A section of the configuration that is being read: hands out typed values and reports what does not fit.
///
/// A method that hands nothing out has reported why, or the setting is not there and its default stays.
struct SettingSection {
    /// `domains[0]`
    let path: String
    /// `domains[]`: the path in `SettingReference`.
    let pattern: String
    let issues: IssueCollector
    private let entries: [String: SettingEntry]
    /// Names in the order of the file.
    let keys: [String]

    /// - Returns: nil, with an issue, if the node is not a section. Unknown and missing settings are reported.
    init?(_ node: SettingNode, path: String, pattern: String, issues: IssueCollector) {
        let entries: [SettingEntry]
        switch node.content {
        case .map(let map):
            entries = map
        case .text where node.isEmpty:
            entries = []
        case .text, .list:
            issues.report(path, "must be a section, not \(node.kind)", at: node.position)
            return nil
        }
        self.path = path
        self.pattern = pattern
        self.issues = issues
        let children = SettingReference.children(of: pattern)
        var known: [String: SettingEntry] = [:]
        var keys: [String] = []
        for entry in entries {
            let child = SettingSection.join(path, entry.key)
            guard children.isEmpty || children.contains(where: { $0.key == entry.key }) else {
                SettingSection.reportUnknown(entry, path: child, children: children, issues: issues)
                continue
            }
            issues.note(child, at: entry.value.position)
            known[entry.key] = entry
            keys.append(entry.key)
        }
        self.entries = known
        self.keys = keys
        for setting in children where setting.isRequired && known[setting.key] == nil {
            issues.report(SettingSection.join(path, setting.key), "is missing", hint: setting.documentation, at: node.position)
        }
    }

    private static func reportUnknown(_ entry: SettingEntry, path: String, children: [Setting], issues: IssueCollector) {
        var hint = Suggestion.nearest(to: entry.key, among: children.map(\.key)).map { "did you mean `\($0)`?" }
        if hint == nil, entry.key == "<<" { hint = "merge keys are not supported" }
        if hint == nil {
            let elsewhere = SettingReference.all.filter { $0.key == entry.key }.map(\.path)
            hint = elsewhere.first.map { "there is `\($0)`" }
        }
        issues.report(path, "there is no such setting", hint: hint, at: entry.keyPosition)
    }

    static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func path(of key: String) -> String { SettingSection.join(self.path, key) }

    func has(_ key: String) -> Bool { self.entries[key] != nil }

    /// The type from the table; a reader that asks for a setting that does not stand there is wrong.
    private func type(of key: String) -> SettingType {
        guard let setting = SettingReference.setting(SettingSection.join(self.pattern, key)) else {
            preconditionFailure("SettingReference lacks \(self.pattern).\(key)")
        }
        return setting.type
    }

    // MARK: - Nodes

    /// The node of a setting that has a value.
    private func node(_ key: String) -> SettingNode? {
        guard let node = self.entries[key]?.value else { return nil }
        if node.isEmpty {
            self.issues.report(self.path(of: key), "has no value", hint: "leave the line out for the default", at: node.position)
            return nil
        }
        return node
    }

    private func text(of node: SettingNode, path: String) -> String? {
        guard case .text(let text, _) = node.content, !node.isEmpty else {
            self.issues.report(path, "must be a single value, not \(node.kind)", at: node.position)
            return nil
        }
        return text
    }

    /// Reads a value as its type demands.
    private func value<Value>(_ key: String, _ convert: (String) throws(SettingProblem) -> Value) -> Value? {
        guard let node = self.node(key) else { return nil }
        return self.value(of: node, path: self.path(of: key), convert)
    }

    private func value<Value>(
        of node: SettingNode,
        path: String,
        _ convert: (String) throws(SettingProblem) -> Value
    ) -> Value? {
        guard let text = self.text(of: node, path: path) else { return nil }
        do throws(SettingProblem) {
            return try convert(text)
        } catch {
            self.issues.report(path, error.message, hint: error.hint, at: node.position)
            return nil
        }
    }

    // MARK: - Single values

    /// Reads a value of any shape.
    func read<Value>(_ key: String, into target: inout Value, _ convert: (String) throws(SettingProblem) -> Value) {
        if let value = self.value(key, convert) { target = value }
    }

    func read(_ key: String, into target: inout String) {
        self.read(key, into: &target, SettingValue.text)
    }

    func read(_ key: String, into target: inout String?) {
        if let value = self.value(key, SettingValue.text) { target = value }
    }

    func read(_ key: String, into target: inout Bool) {
        self.read(key, into: &target, SettingValue.boolean)
    }

    func read(_ key: String, into target: inout Double?) {
        self.read(key, into: &target, SettingValue.score)
    }

    func read(_ key: String, into target: inout Int) {
        guard case .number(let unit, let range) = self.type(of: key) else { preconditionFailure("\(key) is not a number") }
        self.read(key, into: &target) { text throws(SettingProblem) in try SettingValue.number(text, unit: unit, range: range) }
    }

    func readChoice<Choice: CaseIterable & RawRepresentable<String> & Sendable>(_ key: String, into target: inout Choice) {
        self.read(key, into: &target, SettingValue.choice)
    }

    // MARK: - Lists and maps

    /// The items that could be read, each with its path.
    func list<Value>(_ key: String, _ convert: (String) throws(SettingProblem) -> Value) -> [(value: Value, path: String)]? {
        guard let node = self.node(key) else { return nil }
        let path = self.path(of: key)
        guard case .list(let nodes) = node.content else {
            let hint: String? = if case .text(let text, _) = node.content { "write [\"\(text)\"]" } else { nil }
            self.issues.report(path, "must be a list, not \(node.kind)", hint: hint, at: node.position)
            return nil
        }
        if nodes.isEmpty { self.issues.noteEmptyList(path) }
        return nodes.enumerated().compactMap { index, item in
            let itemPath = "\(path)[\(index)]"
            self.issues.note(itemPath, at: item.position)
            return self.value(of: item, path: itemPath, convert).map { ($0, itemPath) }
        }
    }

    func readList<Value>(_ key: String, into target: inout [Value], _ convert: (String) throws(SettingProblem) -> Value) {
        if let items = self.list(key, convert) { target = items.map(\.value) }
    }

    func section(_ key: String) -> SettingSection? {
        guard let node = self.entries[key]?.value else { return nil }
        return SettingSection(
            node,
            path: self.path(of: key),
            pattern: SettingSection.join(self.pattern, key),
            issues: self.issues
        )
    }

    /// The sections of a list.
    func sections(_ key: String) -> [SettingSection] {
        guard let node = self.node(key) else { return [] }
        let path = self.path(of: key)
        guard case .list(let nodes) = node.content else {
            self.issues.report(
                path,
                "must be a list of sections, not \(node.kind)",
                hint: "begin it with `- `",
                at: node.position
            )
            return []
        }
        if nodes.isEmpty { self.issues.noteEmptyList(path) }
        return nodes.enumerated().compactMap { index, item in
            let itemPath = "\(path)[\(index)]"
            self.issues.note(itemPath, at: item.position)
            return SettingSection(
                item,
                path: itemPath,
                pattern: SettingSection.join(self.pattern, key) + "[]",
                issues: self.issues
            )
        }
    }

    /// The sections of a map with names of the administrator's choice.
    func namedSections(_ key: String) -> [(name: String, section: SettingSection)] {
        guard let map = self.section(key) else { return [] }
        return map.keys.compactMap { name in
            map.entries[name].flatMap {
                SettingSection($0.value, path: map.path(of: name), pattern: "\(map.pattern).*", issues: self.issues)
            }.map { (name, $0) }
        }
    }

    /// The values of a map with names of the administrator's choice.
    func named<Value>(_ key: String, _ convert: (String) throws(SettingProblem) -> Value) -> [(name: String, value: Value)] {
        guard let map = self.section(key) else { return [] }
        return map.keys.compactMap { name in map.value(name, convert).map { (name, $0) } }
    }
}
