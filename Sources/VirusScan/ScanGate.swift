/// Lets a number of scans run at once; the others wait in order, up to a number and up to their deadlines.
actor ScanGate {
    enum Entry: Hashable, Sendable {
        case entered
        case full
        case timedOut
    }

    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<Entry, Never>
    }

    private let width: Int
    private let queueLimit: Int
    private(set) var running = 0
    private var waiters: [Waiter] = []
    private var nextID: UInt64 = 0

    var waiting: Int { self.waiters.count }

    init(width: Int, queueLimit: Int) {
        self.width = width
        self.queueLimit = queueLimit
    }

    /// Who gets `.entered` must call `leave` later.
    func enter(deadline: ContinuousClock.Instant) async -> Entry {
        if self.running < self.width {
            self.running += 1
            return .entered
        }
        guard self.waiters.count < self.queueLimit else { return .full }
        self.nextID += 1
        let id = self.nextID
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.expire(id)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { self.waiters.append(Waiter(id: id, continuation: $0)) }
    }

    /// The place goes to the one who waits longest.
    func leave() {
        if self.waiters.isEmpty {
            self.running -= 1
        } else {
            self.waiters.removeFirst().continuation.resume(returning: .entered)
        }
    }

    private func expire(_ id: UInt64) {
        guard let index = self.waiters.firstIndex(where: { $0.id == id }) else { return }
        self.waiters.remove(at: index).continuation.resume(returning: .timedOut)
    }
}
