import MailMessage
import PatternKit

/// Settings of rule files that say how a message is read, before any rule looks at it.
package struct EvaluationSettings: Sendable {
    /// What SpamAssassin would call spam. A gateway's policies have thresholds of their own.
    package private(set) var requiredScore = 5.0
    /// How much text the views hold (`body_part_scan_size`, `rawbody_part_scan_size`).
    package private(set) var textLimits = TextLimits()
    private(set) var redirectors = Redirectors()
    /// Domains of signatures count as links (`parse_dkim_uris`).
    private(set) var includesSigners = true

    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        self.requiredScore = Self.number("required_score", settings, &problems) ?? self.requiredScore
        let limits = TextLimits()
        self.textLimits.bodyPart = Self.size("body_part_scan_size", settings, &problems) ?? limits.bodyPart
        self.textLimits.rawBodyPart = Self.size("rawbody_part_scan_size", settings, &problems) ?? limits.rawBodyPart
        self.redirectors = Redirectors(settings.lines(of: "redirector_pattern").compactMap { Self.pattern($0, &problems) })
        if let text = settings.last("parse_dkim_uris")?.text.lowercased() { self.includesSigners = text != "0" && text != "no" }
        if let line = settings.last("normalize_charset"), line.text == "0" || line.text.lowercased() == "no" {
            problems.append(
                Self.problem(.warning, line, "text is in UTF-8 here, whatever this says", hint: "remove 'normalize_charset 0'")
            )
        }
    }

    // MARK: - Values

    private static func number(_ keyword: String, _ settings: RuleSettings, _ problems: inout [RuleProblem]) -> Double? {
        guard let line = settings.last(keyword) else { return nil }
        if let number = Double(line.text), number.isFinite { return number }
        problems.append(self.problem(.error, line, "'\(line.text)' is no number", hint: nil))
        return nil
    }

    /// Octets; 0 means without limit.
    private static func size(_ keyword: String, _ settings: RuleSettings, _ problems: inout [RuleProblem]) -> Int? {
        guard let line = settings.last(keyword) else { return nil }
        if let size = Int(line.text), size >= 0 { return size == 0 ? .max : size }
        problems.append(self.problem(.error, line, "'\(line.text)' is no size", hint: "octets, or 0 for all"))
        return nil
    }

    private static func pattern(_ line: RuleSettings.Line, _ problems: inout [RuleProblem]) -> Pattern? {
        do {
            return try PatternLiteral(Array(line.text.utf8)[...]).compile().pattern
        } catch {
            var problem = self.problem(.error, line, error.message, hint: error.hint)
            problem.column += error.offset
            problems.append(problem)
            return nil
        }
    }

    private static func problem(
        _ severity: RuleProblem.Severity,
        _ line: RuleSettings.Line,
        _ message: String,
        hint: String?
    ) -> RuleProblem {
        RuleProblem(severity, file: line.file, line: line.line, column: line.column, message: message, hint: hint)
    }
}
