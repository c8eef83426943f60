/// When a caller has learnt enough of a message. What was not run cannot be listed, so findings for people are complete.
package struct EvaluationGoal: Hashable, Sendable {
    /// A score that no rule which is still to run can bring the message below ends evaluation; nil: the score never does.
    package var decisiveScore: Double?
    /// A hit that asks for refusal ends evaluation.
    package var endsAtRefusal = false

    /// - Parameter decisiveScore: the highest threshold of the policy.
    package init(decisiveScore: Double? = nil, endsAtRefusal: Bool = false) {
        self.decisiveScore = decisiveScore
        self.endsAtRefusal = endsAtRefusal
    }

    /// All rules are run, unless one of them ends evaluation itself (`shortcircuit`).
    package static let complete = EvaluationGoal()
}
