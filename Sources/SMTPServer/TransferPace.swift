import NIOCore

/// How fast a transaction's content comes. A client that drips octets is never silent, so a limit on silence alone would let it
/// hold its session for days; each octet buys time instead, from the first one on, and over all chunks of a message.
struct TransferPace {
    private var started: NIODeadline?
    private var octets: Int64 = 0

    /// Octets of content came, or are waited for with 0.
    mutating func received(_ count: Int, at now: NIODeadline) {
        if self.started == nil { self.started = now }
        self.octets += Int64(count)
    }

    /// The transaction is over, or its content is here.
    mutating func ended() {
        self = TransferPace()
    }

    /// - Parameters:
    ///   - grace: seconds that every client has.
    ///   - rate: octets a second that are enough to go on for ever; 0 for no limit.
    func isTooSlow(at now: NIODeadline, grace: Int, rate: Int) -> Bool {
        guard let started, rate > 0 else { return false }
        return now - started > .seconds(Int64(grace) + self.octets / Int64(rate))
    }
}
