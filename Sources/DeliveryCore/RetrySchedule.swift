/// When a destination that did not answer is tried again.
///
/// All messages for it share one schedule: that it is away is a fact about the destination, and to find it out once for each
/// waiting message would be a load on both sides. While it is away one message at a time is sent as a probe; as soon as
/// anything answers, all may go.
///
/// ```
/// unknown -> answering                 a probe was answered
/// unknown -> away -> probing -> away   a probe was not answered: the pause doubles
///                           -> answering
/// answering -> away                    an attempt was not answered
/// ```
package struct RetrySchedule: Sendable {
    /// The first pause: what a restart of a server takes, and what a person who waits for mail does not notice.
    package static let shortestPause: Duration = .seconds(10)
    /// The longest pause: what RFC 5321 §4.5.4.1 wants between attempts at a host that stays away. With more, mail would wait
    /// long for a server that is back. Shorter ones before it are no burden, since there is one probe for all messages.
    package static let longestPause: Duration = .seconds(30 * 60)
    /// The share of a pause that is left to chance, so that destinations that went away together, and gateways that lost the
    /// same one, do not come back all at once.
    package static let jitter = 0.25

    /// Leave to try. It comes back in `answered`, `failed` or `withdrawn`, whichever is true.
    package struct Attempt: Hashable, Sendable {
        /// The only attempt that goes on; the others wait for what becomes of it.
        package let isProbe: Bool
        fileprivate let era: Int
    }

    package enum Leave: Hashable, Sendable {
        case go(Attempt)
        /// The destination is away until then at least.
        case wait(until: ContinuousClock.Instant)
        /// A probe is under way.
        case waitForProbe
    }

    private enum State: Hashable, Sendable {
        case answering
        /// Not asked since the start (`failures` is 0), or away: the next probe may go at `probe`, or is under way.
        case away(failures: Int, probe: ContinuousClock.Instant?)
        case probing(failures: Int)
    }

    private var state = State.away(failures: 0, probe: nil)
    /// Counts what was learnt, so that attempts from before are told from those after it.
    private var era = 0

    /// Whether the destination answers is not known: the first attempt is a probe.
    package init() {}

    package var isAnswering: Bool { self.state == .answering }

    /// Probes without an answer in a row.
    package var failures: Int {
        switch self.state {
        case .answering: 0
        case .away(let failures, _), .probing(let failures): failures
        }
    }

    /// When to ask for leave again if nothing happens before; nil while there is nothing to wait for.
    package var nextProbe: ContinuousClock.Instant? {
        if case .away(_, let probe) = self.state { probe } else { nil }
    }

    /// A message is due: may it be tried?
    package mutating func askLeave(at now: ContinuousClock.Instant) -> Leave {
        switch self.state {
        case .answering:
            return .go(Attempt(isProbe: false, era: self.era))
        case .probing:
            return .waitForProbe
        case .away(_, let probe?) where probe > now:
            return .wait(until: probe)
        case .away(let failures, _):
            self.state = .probing(failures: failures)
            return .go(Attempt(isProbe: true, era: self.era))
        }
    }

    /// The destination said something about the message, good or bad: it is there. An attempt from before it went away counts
    /// as well.
    package mutating func answered(_ attempt: Attempt) { self.destinationAnswered() }

    /// It was heard of by other ways than an attempt: all may go.
    package mutating func destinationAnswered() {
        guard self.state != .answering else { return }
        self.era += 1
        self.state = .answering
    }

    /// The destination did not answer, or said that it takes nothing from anybody now (421).
    ///
    /// Of many attempts that were under way when it went away, one counts; the others are no news.
    /// - Parameter random: where the jitter comes from.
    package mutating func failed(
        _ attempt: Attempt,
        at now: ContinuousClock.Instant,
        using random: inout some RandomNumberGenerator
    ) {
        guard attempt.era == self.era else { return }
        let failures = self.failures + 1
        self.era += 1
        self.state = .away(failures: failures, probe: now + Self.pause(afterFailures: failures, using: &random))
    }

    /// The attempt was given up before anything was learnt: the message was withdrawn, or a fault of our own.
    package mutating func withdrawn(_ attempt: Attempt, at now: ContinuousClock.Instant) {
        guard attempt.isProbe, attempt.era == self.era, case .probing(let failures) = self.state else { return }
        self.era += 1
        self.state = .away(failures: failures, probe: now)
    }

    /// The pause after so many failures in a row: it doubles from `shortestPause` to `longestPause`, less a random share of
    /// `jitter`. Also fit for a message that a destination puts off (4xx) while it takes others.
    package static func pause(afterFailures failures: Int, using random: inout some RandomNumberGenerator) -> Duration {
        var pause = self.shortestPause
        var doublings = max(0, failures - 1)
        while doublings > 0, pause < self.longestPause {
            pause *= 2
            doublings -= 1
        }
        return min(pause, self.longestPause) * (1 - self.jitter * Double.random(in: 0..<1, using: &random))
    }
}
