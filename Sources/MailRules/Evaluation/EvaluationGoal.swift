/// When a caller has learnt enough of a message. What was not run cannot be listed, so findings for people are complete.
package struct EvaluationGoal: Hashable, Sendable {
    /// A score that no rule which is still to run can bring the message below ends evaluation; nil: the score never does.
    package var decisiveScore: Double?
    /// A hit that asks for refusal ends evaluation.
    package var endsAtRefusal = false
    /// All subrules that hit are told; else they run only as far as the rules that score or act depend on them.
    package var tellsSubrules = true

    /// - Parameter decisiveScore: the highest threshold of the policy.
    package init(decisiveScore: Double? = nil, endsAtRefusal: Bool = false, tellsSubrules: Bool = true) {
        self.decisiveScore = decisiveScore
        self.endsAtRefusal = endsAtRefusal
        self.tellsSubrules = tellsSubrules
    }

    /// All rules are run, unless one of them ends evaluation itself (`shortcircuit`).
    package static let complete = EvaluationGoal()
    /// What hits and counts, with all its reasons: the same hits as of `complete`.
    package static let hits = EvaluationGoal(tellsSubrules: false)
}
