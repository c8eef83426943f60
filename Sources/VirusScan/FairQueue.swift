import MailTypes

/// Which piece of work runs next, when not all can at once. A value without a clock: times are milliseconds of the caller's.
///
/// Each piece gets a due time when it comes: now, or when its client's network has had what it asked for before, and a multiple of
/// what it is expected to cost behind that. The one that is due first runs next. So short work passes long work, a network that
/// asks for much waits behind itself and not before others, and nobody waits for ever: a due time is fixed, those that come
/// later are due later, and a network is never put back by more than `longestDebt`.
package struct FairQueue: Sendable {
    package struct Bounds: Hashable, Sendable {
        /// Pieces that run at once.
        package var places: Int
        /// Pieces that wait; more are refused.
        package var waiting: Int
        /// Pieces of one network that wait: a share, so that nobody fills the queue alone.
        package var waitingPerNetwork: Int
        /// Milliseconds after which a piece that still runs no longer takes a place from others; nil: it always does. For work
        /// that was expected to be short and is not.
        package var overdueAfter: Int?
        /// How many places may be made up for in that way.
        package var spares = 0

        package init(places: Int, waiting: Int, waitingPerNetwork: Int? = nil) {
            self.places = places
            self.waiting = waiting
            self.waitingPerNetwork = waitingPerNetwork ?? waiting
        }
    }

    package enum Entry: Hashable, Sendable {
        /// It runs now; `leave` follows.
        case runs
        case waits
        case refused
    }

    private struct Waiter {
        var id: UInt64
        var network: IPNetwork?
        var due: Int
    }

    /// A piece is passed by what comes within so many times its own cost and is shorter.
    private static let patience = 10
    /// Milliseconds.
    private static let longestDebt = 10_000
    /// Networks whose earlier work is remembered before those that owe nothing are forgotten.
    private static let rememberedNetworks = 4_096

    package let bounds: Bounds
    private var began: [UInt64: Int] = [:]
    private var waiters: [Waiter] = []
    private var waitersByNetwork: [IPNetwork: Int] = [:]
    /// When each network has had what it asked for so far.
    private var paidUntil: [IPNetwork: Int] = [:]
    /// Pieces that were turned away.
    package private(set) var refusals = 0

    package init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    package var running: Int { self.began.count }
    package var waiting: Int { self.waiters.count }
    /// Of networks that are remembered, for tests of the bound.
    var remembered: Int { self.paidUntil.count }

    /// - Parameters:
    ///   - network: the client's; nil: nobody's, which only its cost orders.
    ///   - cost: milliseconds that it is expected to take.
    package mutating func enter(_ id: UInt64, network: IPNetwork?, cost: Int, now: Int) -> Entry {
        if self.hasPlace(now) {
            _ = self.charge(network, cost, now)
            self.began[id] = now
            return .runs
        }
        guard self.waiters.count < self.bounds.waiting,
            network.map({ self.waitersByNetwork[$0, default: 0] < self.bounds.waitingPerNetwork }) ?? true
        else {
            self.refusals += 1
            return .refused
        }
        let due = self.charge(network, cost, now)
        self.waiters.append(Waiter(id: id, network: network, due: due))
        if let network { self.waitersByNetwork[network, default: 0] += 1 }
        return .waits
    }

    /// - Returns: those that run now; `leave` follows for each.
    package mutating func leave(_ id: UInt64, now: Int) -> [UInt64] {
        self.began[id] = nil
        return self.admit(now: now)
    }

    /// One that waited no longer does.
    /// - Returns: false when it runs already.
    package mutating func withdraw(_ id: UInt64) -> Bool {
        guard let index = self.waiters.firstIndex(where: { $0.id == id }) else { return false }
        self.remove(at: index)
        return true
    }

    /// Those that run now because a piece has become overdue.
    package mutating func admit(now: Int) -> [UInt64] {
        var admitted: [UInt64] = []
        while self.hasPlace(now), let next = self.waiters.indices.min(by: { self.waiters[$0].due < self.waiters[$1].due }) {
            let id = self.waiters[next].id
            self.remove(at: next)
            self.began[id] = now
            admitted.append(id)
        }
        return admitted
    }

    /// When `admit` may next have something to say; nil: not before somebody leaves.
    package func nextOverdue(now: Int) -> Int? {
        guard let limit = self.bounds.overdueAfter, !self.waiters.isEmpty, self.overdue(now) < self.bounds.spares else {
            return nil
        }
        return self.began.values.map { $0 + limit }.filter { $0 > now }.min()
    }

    private func hasPlace(_ now: Int) -> Bool {
        self.began.count - min(self.overdue(now), self.bounds.spares) < self.bounds.places
    }

    private func overdue(_ now: Int) -> Int {
        guard let limit = self.bounds.overdueAfter else { return 0 }
        return self.began.values.count { now - $0 >= limit }
    }

    private mutating func remove(at index: Int) {
        let waiter = self.waiters.remove(at: index)
        guard let network = waiter.network, let count = self.waitersByNetwork[network] else { return }
        self.waitersByNetwork[network] = count > 1 ? count - 1 : nil
    }

    /// - Returns: when it is due.
    private mutating func charge(_ network: IPNetwork?, _ cost: Int, _ now: Int) -> Int {
        let price = cost * Self.patience
        guard let network else { return now + price }
        if self.paidUntil.count >= Self.rememberedNetworks { self.paidUntil = self.paidUntil.filter { $0.value > now } }
        let due = min(max(self.paidUntil[network] ?? now, now), now + Self.longestDebt) + price
        if self.paidUntil.count < Self.rememberedNetworks || self.paidUntil[network] != nil { self.paidUntil[network] = due }
        return due
    }
}
