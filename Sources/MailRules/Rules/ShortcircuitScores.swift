/// What `shortcircuit` adds to the score, and the scores that end evaluation by themselves
/// (Mail::SpamAssassin::Plugin::Shortcircuit).
struct ShortcircuitScores: Hashable, Sendable {
    var ham = -100.0
    var spam = 100.0
    /// Once the score is below it, the next hit ends evaluation.
    var minimumHam: Double?
    /// Once the score is above it, the next hit ends evaluation.
    var maximumSpam: Double?

    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        func number(_ keyword: String) -> Double? {
            guard let line = settings.last(keyword) else { return nil }
            if let number = Double(line.text), number.isFinite { return number }
            problems.append(
                RuleProblem(
                    .error,
                    file: line.file,
                    line: line.line,
                    column: line.column,
                    message: "'\(line.text)' is no score",
                    hint: "a decimal number, as 100"
                )
            )
            return nil
        }
        self.ham = number("shortcircuit_ham_score") ?? self.ham
        self.spam = number("shortcircuit_spam_score") ?? self.spam
        self.minimumHam = number("shortcircuit_min_ham_score")
        self.maximumSpam = number("shortcircuit_max_spam_score")
    }

    /// The score of the hit that says that evaluation has ended.
    func score(_ kind: Shortcircuit, ruleScore: Double) -> Double {
        switch kind {
        case .ham: self.ham
        case .spam: self.spam
        case .on: ruleScore < 0 ? -ShortcircuitScores.mark : ShortcircuitScores.mark
        }
    }

    /// The score alone may end evaluation.
    var mayEnd: Bool { self.minimumHam != nil || self.maximumSpam != nil }

    func isBeyond(_ score: Double) -> Bool {
        self.minimumHam.map { score < $0 } ?? false || self.maximumSpam.map { score > $0 } ?? false
    }

    /// So small that it only shows.
    private static let mark = 0.0001
}
