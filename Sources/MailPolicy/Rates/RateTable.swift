/// The buckets of many keys, in bounded memory.
///
/// For each key one number is kept: the time at which its bucket will be full again (the generic cell rate algorithm, ITU-T
/// I.371 §A.1). A key whose time has passed is as good as forgotten. When the table is half full, the keys that were not used
/// since it was half full before go together, which costs nothing; so the oldest go first.
package struct RateTable: Sendable {
    /// Keys that are remembered: some 150 octets each, 30 MB in all, and at most as much again for those that are not yet written
    /// down.
    package static let maximumKeys = 200_000

    private var young: [RateCharge: Int64] = [:]
    private var old: [RateCharge: Int64] = [:]
    /// What nobody has written down yet.
    private var changed: [RateCharge: Int64] = [:]
    private let half: Int

    package init(maximumKeys: Int = RateTable.maximumKeys) {
        self.half = max(1, maximumKeys / 2)
    }

    package var count: Int { self.young.count + self.old.count }

    /// Takes one token for each charge, or none if one of the buckets is empty.
    /// - Parameter now: milliseconds since 1970.
    package mutating func take(_ charges: [RateCharge], now: Int64) -> RateOverrun? {
        let now = now * 1_000
        var taken: [RateBucket] = []
        for charge in charges {
            let bucket = RateBucket(charge: charge, full: max(self.young[charge] ?? self.old[charge] ?? now, now))
            let wait = bucket.wait(now: now)
            guard wait == 0 else { return RateOverrun(charge: charge, seconds: Int((wait + 999_999) / 1_000_000)) }
            taken.append(RateBucket(charge: charge, full: bucket.full + bucket.step))
        }
        for bucket in taken {
            self.remember(bucket)
            self.note(bucket)
        }
        return nil
    }

    private mutating func remember(_ bucket: RateBucket) {
        if self.young[bucket.charge] == nil, self.young.count >= self.half {
            self.old = self.young
            self.young = [:]
        }
        self.old[bucket.charge] = nil
        self.young[bucket.charge] = bucket.full
    }

    private mutating func note(_ bucket: RateBucket) {
        guard self.changed[bucket.charge] != nil || self.changed.count < self.half * 2 else { return }
        self.changed[bucket.charge] = bucket.full
    }

    // MARK: - Beside a store

    /// What has changed since this was last asked: when each bucket will be full. It costs the same however much that is, for whoever
    /// counts waits meanwhile.
    package mutating func changes() -> [RateCharge: Int64] {
        defer { self.changed = [:] }
        return self.changed
    }

    /// Changes that could not be written down come back, where there are no newer ones.
    package mutating func unwritten(_ buckets: some Sequence<RateBucket>) {
        for bucket in buckets where self.changed[bucket.charge] == nil { self.note(bucket) }
    }

    /// Takes up what was written down before. A clock that was set back since makes nobody wait longer than a window.
    /// - Parameter now: milliseconds since 1970.
    package mutating func restore(_ buckets: [RateBucket], now: Int64) {
        let now = now * 1_000
        for var bucket in buckets where bucket.full > now {
            bucket.full = min(bucket.full, now + bucket.window)
            self.remember(bucket)
        }
    }

    /// Makes these buckets full again.
    package mutating func forget(_ charges: [RateCharge]) {
        for charge in charges {
            self.young[charge] = nil
            self.old[charge] = nil
            self.changed[charge] = nil
        }
    }
}
