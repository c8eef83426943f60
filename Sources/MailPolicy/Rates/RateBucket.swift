/// A bucket as it is written down: one number says how full it is.
///
/// Times are microseconds since 1970, so that a large limit in a short window still has a step.
package struct RateBucket: Hashable, Sendable {
    package var charge: RateCharge
    /// When the bucket will be full again.
    package var full: Int64

    package init(charge: RateCharge, full: Int64) {
        self.charge = charge
        self.full = full
    }

    /// Microseconds in which the whole limit comes back.
    package var window: Int64 { Int64(self.charge.limit.windowSeconds) * 1_000_000 }

    /// Microseconds in which one token comes back.
    package var step: Int64 { max(1, self.window / Int64(max(1, self.charge.limit.limit))) }

    /// Tokens that are taken.
    package func used(now: Int64) -> Int {
        let missing = min(max(0, self.full - now), self.window)
        return min(self.charge.limit.limit, Int((missing + self.step - 1) / self.step))
    }

    /// Microseconds until there is a token again; 0: there is one.
    package func wait(now: Int64) -> Int64 { max(0, max(self.full, now) + self.step - now - self.window) }
}
