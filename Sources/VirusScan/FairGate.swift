import MailTypes

/// `FairQueue` for tasks that wait.
package actor FairGate {
    package enum Entry: Hashable, Sendable {
        /// `leave` must follow.
        case entered(UInt64)
        /// Too many wait, in all or of this network.
        case full
        case timedOut
    }

    private let origin = ContinuousClock.now
    private var queue: FairQueue
    private var continuations: [UInt64: CheckedContinuation<Entry, Never>] = [:]
    private var nextID: UInt64 = 0
    private var alarm: Task<Void, Never>?

    package var running: Int { self.queue.running }
    package var waiting: Int { self.queue.waiting }
    package var refusals: Int { self.queue.refusals }

    package init(_ bounds: FairQueue.Bounds) {
        self.queue = FairQueue(bounds)
    }

    /// - Parameters:
    ///   - network: the client's; nil: nobody's.
    ///   - cost: milliseconds that it is expected to take.
    package func enter(network: IPNetwork?, cost: Int, deadline: ContinuousClock.Instant) async -> Entry {
        self.nextID += 1
        let id = self.nextID
        switch self.queue.enter(id, network: network, cost: cost, now: self.now) {
        case .runs: return .entered(id)
        case .refused: return .full
        case .waits: break
        }
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.expire(id)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation {
            self.continuations[id] = $0
            self.setAlarm()
        }
    }

    package func leave(_ id: UInt64) {
        self.resume(self.queue.leave(id, now: self.now))
        self.setAlarm()
    }

    private var now: Int { Int((ContinuousClock.now - self.origin) / .milliseconds(1)) }

    private func resume(_ admitted: [UInt64]) {
        for id in admitted { self.continuations.removeValue(forKey: id)?.resume(returning: .entered(id)) }
    }

    private func expire(_ id: UInt64) {
        guard self.queue.withdraw(id) else { return }
        self.continuations.removeValue(forKey: id)?.resume(returning: .timedOut)
    }

    /// Rings when a piece that runs becomes overdue while others wait.
    private func setAlarm() {
        guard self.alarm == nil else { return }
        let now = self.now
        guard let next = self.queue.nextOverdue(now: now) else { return }
        self.alarm = Task {
            try? await Task.sleep(for: .milliseconds(next - now))
            self.ring()
        }
    }

    private func ring() {
        self.alarm = nil
        self.resume(self.queue.admit(now: self.now))
        self.setAlarm()
    }
}
