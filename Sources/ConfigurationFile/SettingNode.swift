import Yams

/// The configuration as a tree of texts, lists and maps, before anything is known about its meaning. Yams makes it;
/// environment variables change it; the reader goes through it.
struct SettingNode {
    indirect enum Content {
        /// Plain text is text without quotes: only that can mean "no value".
        case text(String, isPlain: Bool)
        case list([SettingNode])
        case map([SettingEntry])
    }

    var content: Content
    var position: SettingPosition

    /// `key:` with nothing behind it, or one of YAML's words for that.
    var isEmpty: Bool {
        guard case .text(let text, isPlain: true) = self.content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// What it is, in words for a message.
    var kind: String {
        switch self.content {
        case .text: self.isEmpty ? "nothing" : "a text"
        case .list: "a list"
        case .map: "a section"
        }
    }
}

/// A key and its value.
struct SettingEntry {
    var key: String
    var keyPosition: SettingPosition
    var value: SettingNode
}

// MARK: - From YAML

extension SettingNode {
    /// Reads one YAML document. Broken YAML and keys that stand twice are reported.
    /// - Returns: nil if the text is not YAML; an empty map for an empty document.
    static func read(yaml: String, issues: IssueCollector) -> SettingNode? {
        var text = yaml
        var renamed: [Place: String] = [:]
        while true {
            do {
                guard let root = try Yams.compose(yaml: text) else {
                    return SettingNode(content: .map([]), position: SettingPosition(line: 1, column: 1))
                }
                return SettingNode(root, renamed: renamed, path: "", issues: issues)
            } catch let YamlError.duplicatedKeysInMapping(keys, context) {
                // Yams gives up at the first repeated key. To find all problems in one run the key it points at is replaced
                // in the text by a name that cannot occur, and given its own name again when the tree is made.
                let place = Place(line: context.mark.line, column: context.mark.column)
                guard let key = keys.first(where: { text.replaceKey($0, at: place, number: renamed.count) }) else {
                    issues.report(
                        keys.first ?? "",
                        "stands more than once",
                        at: SettingPosition(line: place.line, column: place.column)
                    )
                    return nil
                }
                renamed[place] = key
            } catch {
                issues.reportBrokenYAML(error)
                return nil
            }
        }
    }

    /// Reads the YAML of an environment variable's value; nil if it is none.
    static func read(value: String, position: SettingPosition) -> SettingNode? {
        guard let root = try? Yams.compose(yaml: value) else { return nil }
        return SettingNode(root, renamed: [:], path: "", issues: IssueCollector(file: "")).placed(at: position)
    }

    private func placed(at position: SettingPosition) -> SettingNode {
        switch self.content {
        case .text: SettingNode(content: self.content, position: position)
        case .list(let nodes): SettingNode(content: .list(nodes.map { $0.placed(at: position) }), position: position)
        case .map(let entries):
            SettingNode(
                content: .map(
                    entries.map { SettingEntry(key: $0.key, keyPosition: position, value: $0.value.placed(at: position)) }
                ),
                position: position
            )
        }
    }

    private init(_ node: Node, renamed: [Place: String], path: String, issues: IssueCollector) {
        let mark = node.mark
        self.position = SettingPosition(line: mark?.line ?? 1, column: mark?.column ?? 1)
        switch node {
        case .scalar(let scalar):
            self.content = .text(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any)
        case .sequence(let sequence):
            self.content = .list(
                sequence.enumerated().map { SettingNode($1, renamed: renamed, path: "\(path)[\($0)]", issues: issues) }
            )
        case .mapping(let mapping):
            self.content = .map(SettingNode.entries(mapping, renamed: renamed, path: path, issues: issues))
        case .alias:
            // Yams resolves aliases while composing; one that is left has no value.
            self.content = .text("", isPlain: true)
        }
    }

    private static func entries(
        _ mapping: Node.Mapping,
        renamed: [Place: String],
        path: String,
        issues: IssueCollector
    ) -> [SettingEntry] {
        var entries: [SettingEntry] = []
        var lines: [String: Int] = [:]
        for (keyNode, valueNode) in mapping {
            let place = Place(line: keyNode.mark?.line ?? 1, column: keyNode.mark?.column ?? 1)
            let position = SettingPosition(line: place.line, column: place.column)
            guard case .scalar(let scalar) = keyNode else {
                issues.report(path, "a key must be a text", at: position)
                continue
            }
            let key = renamed[place] ?? scalar.string
            let keyPath = path.isEmpty ? key : "\(path).\(key)"
            if let line = lines[key] {
                issues.report(keyPath, "stands more than once", hint: "first in line \(line)", at: position)
                continue
            }
            lines[key] = place.line
            let value = SettingNode(valueNode, renamed: renamed, path: keyPath, issues: issues)
            entries.append(SettingEntry(key: key, keyPosition: position, value: value))
        }
        return entries
    }
}

/// A place in the text, to find a key again.
private struct Place: Hashable {
    let line: Int
    let column: Int
}

extension String {
    /// Puts a name of private-use characters, as long as the key, in the key's place.
    /// - Returns: false if the key does not stand there.
    fileprivate mutating func replaceKey(_ key: String, at place: Place, number: Int) -> Bool {
        var scalars = Array(self.unicodeScalars)
        var line = 1
        var start = 0
        while line < place.line, start < scalars.count {
            if scalars[start] == "\n" { line += 1 }
            start += 1
        }
        start += place.column - 1
        let length = key.unicodeScalars.count
        if start < scalars.count, scalars[start] == "\"" || scalars[start] == "'" { start += 1 }
        guard length > 0, start + length <= scalars.count, Array(key.unicodeScalars) == Array(scalars[start..<start + length]),
            let placeholder = Unicode.Scalar(0xE000 + UInt32(number % 0x1000))
        else { return false }
        for index in start..<start + length { scalars[index] = placeholder }
        self = String(String.UnicodeScalarView(scalars))
        return true
    }
}

extension IssueCollector {
    fileprivate func reportBrokenYAML(_ error: any Error) {
        switch error {
        case YamlError.scanner(let context, let problem, let mark, _), YamlError.parser(let context, let problem, let mark, _),
            YamlError.composer(let context, let problem, let mark, _):
            let around = context.map { "\($0.text) that begins in line \($0.mark.line): " } ?? ""
            self.report("", "this is not YAML: \(around)\(problem)", at: SettingPosition(line: mark.line, column: mark.column))
        case YamlError.reader(let problem, _, _, _):
            self.report("", "this is not YAML: \(problem)", at: SettingPosition(line: 1, column: 1))
        default:
            self.report("", "this is not YAML", at: SettingPosition(line: 1, column: 1))
        }
    }
}
