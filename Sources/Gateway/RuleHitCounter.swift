import Logging
import MailStore
import MailTypes
import Synchronization

/// Counts the hits of rules. In memory while a message is judged; a batch goes to the disk every few seconds, behind the replies.
final class RuleHitCounter: Sendable {
    private struct Key: Hashable {
        var rule: String
        var day: String
    }

    private struct Counts {
        var live = 0
        var shadow = 0
    }

    private let store: RuleHitStore
    private let logger: Logger
    private let pending = Mutex<[Key: Counts]>([:])
    private let writing = RecurringTask()

    /// Between two batches.
    private static let interval = Duration.seconds(15)

    init(directory: String, logger: Logger) throws {
        self.store = try RuleHitStore(directory: directory)
        self.logger = logger
    }

    func count(_ findings: RuleFindings) {
        let day = RuleHitCount.day(TimeText.now())
        self.pending.withLock { pending in
            for hit in findings.hits { pending[Key(rule: hit.rule, day: day), default: Counts()].live += 1 }
            for hit in findings.shadowHits { pending[Key(rule: hit.rule, day: day), default: Counts()].shadow += 1 }
        }
    }

    func start() {
        self.writing.start(every: Self.interval) { await self.flush() }
    }

    /// Stops counting and writes what is left.
    func stop() async {
        await self.writing.stop()
        await self.flush()
    }

    private func flush() async {
        let batch = self.pending.withLock { pending in
            defer { pending.removeAll(keepingCapacity: true) }
            return pending
        }
        guard !batch.isEmpty else { return }
        let counts = batch.map { RuleHitCount(rule: $0.rule, day: $0.day, live: $1.live, shadow: $1.shadow) }
        do {
            try await self.store.add(counts, now: TimeText.now())
        } catch is CancellationError {
            // Stopped while it waited: the last batch takes it along.
            self.pending.withLock { pending in
                pending.merge(batch) { Counts(live: $0.live + $1.live, shadow: $0.shadow + $1.shadow) }
            }
        } catch {
            // Counts are for people who tune rules: mail goes on without them.
            self.logger.log(.warning, "hits of rules are not counted", [.error: "\(error)"])
        }
    }
}
