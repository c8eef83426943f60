/// A problem in the configuration, where it stands and what would mend it.
package struct ConfigurationIssue: Hashable, Sendable {
    package enum Severity: String, Hashable, Sendable {
        /// The gateway does not start, or keeps the configuration it has.
        case error
        /// Works, and is probably not what was meant.
        case warning
    }

    /// The file's name as it was given, or `environment OUTPOST_…` for a value that came from there.
    package var file: String
    /// Counted from 1; 0 where there is no line.
    package var line: Int
    package var column: Int
    /// `domains[0].downstream`; empty for the file as a whole.
    package var path: String
    package var message: String
    package var hint: String?
    package var severity: Severity

    package init(
        file: String,
        line: Int = 0,
        column: Int = 0,
        path: String = "",
        message: String,
        hint: String? = nil,
        severity: Severity = .error
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
        self.hint = hint
        self.severity = severity
    }
}

extension ConfigurationIssue: CustomStringConvertible {
    /// `file:line:column: error: path: message (hint)`, the form that editors jump to.
    package var description: String {
        let place = self.line > 0 ? "\(self.file):\(self.line):\(self.column)" : self.file
        let subject = self.path.isEmpty ? "" : "\(self.path): "
        let hint = self.hint.map { " (\($0))" } ?? ""
        return "\(place): \(self.severity.rawValue): \(subject)\(self.message)\(hint)"
    }
}

/// Where a setting was written.
struct SettingPosition: Hashable, Sendable {
    var line: Int
    var column: Int
    /// The environment variable that set it, if one did.
    var variable: String?

    init(line: Int, column: Int, variable: String? = nil) {
        self.line = line
        self.column = column
        self.variable = variable
    }

    init(variable: String) {
        self.init(line: 0, column: 0, variable: variable)
    }
}

/// Gathers issues and the places of settings while a configuration is read. For one thread.
final class IssueCollector {
    let file: String
    private(set) var issues: [ConfigurationIssue] = []
    private(set) var positions: [String: SettingPosition] = [:]
    /// Lists that were written down with nothing in them.
    private(set) var emptyLists: Set<String> = []

    init(file: String) {
        self.file = file
    }

    var hasErrors: Bool { self.issues.contains { $0.severity == .error } }

    func note(_ path: String, at position: SettingPosition) {
        self.positions[path] = position
    }

    func noteEmptyList(_ path: String) {
        self.emptyLists.insert(path)
    }

    func report(
        _ path: String,
        _ message: String,
        hint: String? = nil,
        severity: ConfigurationIssue.Severity = .error,
        at position: SettingPosition
    ) {
        self.issues.append(
            ConfigurationIssue(
                file: position.variable.map { "environment \($0)" } ?? self.file,
                line: position.line,
                column: position.column,
                path: path,
                message: message,
                hint: hint,
                severity: severity
            )
        )
    }

    /// Reports at the place of the setting, or of the nearest section around it that was written down.
    func report(_ path: String, _ message: String, hint: String? = nil, severity: ConfigurationIssue.Severity = .error) {
        self.report(path, message, hint: hint, severity: severity, at: self.position(of: path))
    }

    private func position(of path: String) -> SettingPosition {
        var path = path[...]
        while !path.isEmpty {
            if let position = self.positions[String(path)] { return position }
            path = path.prefix(upTo: path.lastIndex { $0 == "." || $0 == "[" } ?? path.startIndex)
        }
        return SettingPosition(line: 1, column: 1)
    }

    /// In the order of the file; what came from the environment last.
    var sorted: [ConfigurationIssue] {
        self.issues.enumerated().sorted { left, right in
            let leftKey = (left.element.line == 0 ? Int.max : left.element.line, left.element.column, left.offset)
            let rightKey = (right.element.line == 0 ? Int.max : right.element.line, right.element.column, right.offset)
            return leftKey < rightKey
        }.map(\.element)
    }
}
