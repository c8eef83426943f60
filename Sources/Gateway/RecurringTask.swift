import Logging
import Synchronization

/// Work that is done again and again beside the mail path, until it is stopped.
final class RecurringTask: Sendable {
    /// What the log says of work that fails: once when it begins to fail, and once when it no longer does.
    struct Report: Sendable {
        var logger: Logger
        var failing: Logger.Message
        var recovered: Logger.Message
    }

    private let task = Mutex<Task<Void, Never>?>(nil)
    private let isFailing = Mutex(false)

    /// - Parameters:
    ///   - interval: the pause before each time; before the first one, too, unless that is at once.
    ///   - work: is cancelled by `stop`, also while it runs: what must be done at the end is done by whoever stops it.
    func start(every interval: Duration, isFirstAtOnce: Bool = false, _ work: @escaping @Sendable () async -> Void) {
        let task = Task {
            if isFirstAtOnce { await work() }
            while !Task.isCancelled, (try? await Task.sleep(for: interval)) != nil { await work() }
        }
        self.task.withLock { $0 = task }
    }

    /// The same for work that may fail, and is tried again next time.
    func start(
        every interval: Duration,
        isFirstAtOnce: Bool = false,
        report: Report,
        _ work: @escaping @Sendable () async throws -> Void
    ) {
        self.start(every: interval, isFirstAtOnce: isFirstAtOnce) {
            do {
                try await work()
                self.note(nil, report)
            } catch is CancellationError {
                // It was stopped.
            } catch {
                self.note("\(error)", report)
            }
        }
    }

    /// Returns when nothing is done any more.
    func stop() async {
        let task = self.task.withLock { task in
            defer { task = nil }
            return task
        }
        task?.cancel()
        await task?.value
    }

    private func note(_ failure: String?, _ report: Report) {
        let wasFailing = self.isFailing.withLock { isFailing in
            defer { isFailing = failure != nil }
            return isFailing
        }
        guard wasFailing != (failure != nil) else { return }
        if let failure {
            report.logger.log(.warning, report.failing, [.error: "\(failure)"])
        } else {
            report.logger.log(.notice, report.recovered, [:])
        }
    }
}
