/// The time that one message's evaluation may take. Work is counted, and the clock is asked only now and then: a look at it
/// costs as much as one pattern on a short text.
final class EvaluationBudget {
    private let isTimeUp: () -> Bool
    private var work = 0
    /// Whether the time was found to be up.
    private(set) var isSpent = false

    /// Work between two looks at the clock, in octets searched: well below a millisecond for all but the worst patterns, and
    /// those are stopped by their own limits.
    private static let interval = 64 * 1_024
    /// What a search or a call costs before it sees its first octet, in octets.
    private static let overhead = 256

    /// - Parameter isTimeUp: asked now and then; once it says yes, it is not asked again.
    init(isTimeUp: @escaping () -> Bool = { false }) {
        self.isTimeUp = isTimeUp
    }

    /// Counts the work ahead.
    /// - Returns: whether there is time for it.
    func spend(_ octets: Int) -> Bool {
        self.work += EvaluationBudget.overhead + octets
        return self.work < EvaluationBudget.interval ? !self.isSpent : self.look()
    }

    /// Asks the clock, whatever work was done.
    /// - Returns: whether there is time left.
    func look() -> Bool {
        self.work = 0
        if !self.isSpent { self.isSpent = self.isTimeUp() }
        return !self.isSpent
    }
}
