/// The buckets of many keys, in bounded memory.
///
/// For each key one number is kept: the time at which its bucket will be full again (the generic cell rate algorithm, ITU-T
/// I.371 §A.1). A key whose time has passed is as good as forgotten. When the table is half full, the keys that were not used
/// since it was half full before go together, which costs nothing; so the oldest go first.
package struct RateTable: Sendable {
    /// Keys that are remembered: some 150 octets each, 30 MB in all.
    package static let maximumKeys = 200_000

    private var young: [RateCharge: Int64] = [:]
    private var old: [RateCharge: Int64] = [:]
    private let half: Int

    package init(maximumKeys: Int = RateTable.maximumKeys) {
        self.half = max(1, maximumKeys / 2)
    }

    package var count: Int { self.young.count + self.old.count }

    /// Takes one token for each charge, or none if one of the buckets is empty.
    /// - Parameter now: milliseconds.
    package mutating func take(_ charges: [RateCharge], now: Int64) -> RateOverrun? {
        var full: [Int64] = []
        for charge in charges {
            // Microseconds, so that a large limit in a short window still has a step.
            let window = Int64(charge.limit.windowSeconds) * 1_000_000
            let step = max(1, window / Int64(max(1, charge.limit.limit)))
            let time = now * 1_000
            let next = max(self.young[charge] ?? self.old[charge] ?? time, time) + step
            guard next - time <= window else {
                return RateOverrun(charge: charge, seconds: Int((next - time - window + 999_999) / 1_000_000))
            }
            full.append(next)
        }
        for (charge, time) in zip(charges, full) { self.remember(charge, time) }
        return nil
    }

    private mutating func remember(_ charge: RateCharge, _ time: Int64) {
        if self.young[charge] == nil, self.young.count >= self.half {
            self.old = self.young
            self.young = [:]
        }
        self.old[charge] = nil
        self.young[charge] = time
    }
}
