import Dispatch
import Synchronization

/// Jobs that share the cost of one transaction: while some are carried out, on a thread of their own, those that come gather, and go
/// together next. A job that comes alone waits for nobody.
final class BatchQueue<Job: Sendable>: Sendable {
    private struct Waiting: Sendable {
        var jobs: [Job] = []
        var isRunning = false
    }

    private let limit: Int
    private let waiting = Mutex(Waiting())
    private let queue: DispatchQueue

    /// - Parameter limit: jobs that are carried out together: enough to share the cost, few enough that nobody waits long.
    init(label: String, limit: Int) {
        self.limit = limit
        self.queue = DispatchQueue(label: label)
    }

    /// - Parameter carryOut: is given jobs in the order in which they came, never none, and never while others are carried out. The same
    ///   for all jobs of a queue.
    func add(_ job: Job, carryOut: @escaping @Sendable ([Job]) -> Void) {
        let mustStart = self.waiting.withLock { waiting in
            waiting.jobs.append(job)
            defer { waiting.isRunning = true }
            return !waiting.isRunning
        }
        if mustStart {
            self.queue.async { self.drain(carryOut) }
        }
    }

    private func drain(_ carryOut: ([Job]) -> Void) {
        while true {
            let jobs = self.waiting.withLock { waiting in
                let next = Array(waiting.jobs.prefix(self.limit))
                waiting.jobs.removeFirst(next.count)
                waiting.isRunning = !next.isEmpty
                return next
            }
            if jobs.isEmpty { return }
            carryOut(jobs)
        }
    }
}
