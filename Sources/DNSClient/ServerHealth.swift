/// Whether it makes sense to ask at all. While the servers are away, questions are answered with a failure at once instead of
/// each waiting for its time to be over: a message asks several, and its sender waits.
struct ServerHealth {
    /// Questions in a row that nobody answered until the servers count as away.
    static let patience = 5
    /// While any question was answered within this time, they do not: a domain whose own servers are slow must not keep
    /// others from being looked up.
    static let silence = Duration.seconds(10)
    /// How long they count as away before one question tries again.
    static let rest = Duration.seconds(5)
    /// Servers that answered, or were looked at, within this time need no look.
    static let confidence = Duration.seconds(30)

    enum Advice {
        case ask
        /// See first whether the servers refuse.
        case probe
        case fail
    }

    private var unanswered = 0
    private var awayUntil: ContinuousClock.Instant?
    private var lastAnswer: ContinuousClock.Instant?
    private var lastLook: ContinuousClock.Instant?

    var isAway: Bool { self.awayUntil != nil }

    mutating func advice(now: ContinuousClock.Instant) -> Advice {
        if let awayUntil {
            guard awayUntil <= now else { return .fail }
            // One question finds out; others fail meanwhile.
            self.awayUntil = now + Self.rest
            return .probe
        }
        if let last = [self.lastAnswer, self.lastLook].compactMap({ $0 }).max(), last + Self.confidence > now { return .ask }
        // Others need not look while the first one does.
        self.lastLook = now
        return .probe
    }

    mutating func answered(now: ContinuousClock.Instant) {
        self.unanswered = 0
        self.awayUntil = nil
        self.lastAnswer = now
    }

    mutating func timedOut(now: ContinuousClock.Instant) {
        self.unanswered += 1
        let isSilent = self.lastAnswer.map { $0 + Self.silence < now } ?? true
        if self.unanswered >= Self.patience, isSilent { self.awayUntil = now + Self.rest }
    }

    mutating func refused(now: ContinuousClock.Instant) {
        self.awayUntil = now + Self.rest
    }
}
