/// Something in a rule file that its author should know.
package struct RuleProblem: Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Hashable, Sendable, CaseIterable {
        /// The rule set cannot be used.
        case error
        /// The rule set can be used, and something in it will hardly do what was meant.
        case warning
        /// Nothing wrong: a setting that has no meaning here.
        case note
    }

    package var severity: Severity
    package var file: String
    /// Counted from 1; 0 for the file as a whole.
    package var line: Int
    /// Octets, counted from 1; 0 for the line as a whole.
    package var column: Int
    package var message: String
    /// What to do about it.
    package var hint: String?

    package init(
        _ severity: Severity,
        file: String,
        line: Int,
        column: Int = 0,
        message: String,
        hint: String? = nil
    ) {
        self.severity = severity
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.hint = hint
    }

    /// `10-headers.cf:12:8: error: …; …`, as compilers print it.
    package var description: String {
        let place = self.column > 0 ? "\(self.file):\(self.line):\(self.column)" : "\(self.file):\(self.line)"
        return "\(place): \(self.severity.rawValue): \(self.message)" + (self.hint.map { " (\($0))" } ?? "")
    }
}

/// A rule file's name, as it shall appear in messages, and what is in it.
package struct RuleSource: Hashable, Sendable {
    package var file: String
    package var bytes: [UInt8]

    package init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
    }

    package init(file: String, text: String) {
        self.init(file: file, bytes: Array(text.utf8))
    }
}

/// What became of rule files.
package struct RuleCompilation: Sendable {
    /// nil when there is an error among the problems: such a set must not replace a running one.
    package var ruleSet: RuleSet?
    /// In the order of the files and lines.
    package var problems: [RuleProblem]
    /// The `test` lines.
    package var textCases: [RuleTextCase] = []

    package var hasErrors: Bool { self.problems.contains { $0.severity == .error } }
}
