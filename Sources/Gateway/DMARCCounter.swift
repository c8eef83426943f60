import Logging
import MailPolicy
import MailStore
import MailTypes
import Synchronization

/// Counts messages for the reports of DMARC. In memory while a message is judged; a batch goes to the disk every few seconds,
/// behind the replies.
final class DMARCCounter: Sendable {
    private struct Key: Hashable {
        var day: String
        var observation: DMARCObservation
    }

    private struct Pending {
        var counts: [Key: Int] = [:]
        /// Messages that found no room.
        var dropped = 0
    }

    private let directory: String
    private let logger: Logger
    private let store = Mutex<DMARCStore?>(nil)
    private let pending = Mutex(Pending())
    private let writing = RecurringTask()
    private let keptDays: Mutex<Int>

    /// Between two batches.
    private static let interval = Duration.seconds(15)
    /// Different rows that wait for the disk: some megabytes. A gateway that takes more of them in one interval is being flooded.
    private static let maximumPending = 10_000

    init(directory: String, keptDays: Int, logger: Logger) {
        self.directory = directory
        self.logger = logger
        self.keptDays = Mutex(keptDays)
    }

    func keep(days: Int) {
        self.keptDays.withLock { $0 = days }
    }

    func count(_ observation: DMARCObservation) {
        let key = Key(day: RuleHitCount.day(TimeText.now()), observation: observation)
        self.pending.withLock { pending in
            if pending.counts[key] == nil, pending.counts.count >= Self.maximumPending {
                pending.dropped += 1
            } else {
                pending.counts[key, default: 0] += 1
            }
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

    /// The database is made when there is something to write: most gateways send no reports.
    private func open() throws -> DMARCStore {
        try self.store.withLock { store in
            if let store { return store }
            let opened = try DMARCStore(directory: self.directory)
            store = opened
            return opened
        }
    }

    private func flush() async {
        let batch = self.pending.withLock { pending in
            defer { pending = Pending() }
            return pending
        }
        if batch.dropped > 0 {
            self.logger.log(.warning, "messages are missing in reports of DMARC", [.error: "\(batch.dropped) messages too many"])
        }
        guard !batch.counts.isEmpty else { return }
        let tallies = batch.counts.map { DMARCTally(day: $0.day, observation: $0.observation, count: $1) }
        let keptDays = self.keptDays.withLock { $0 }
        do {
            let oldest = RuleHitCount.day(TimeText.now() - Int64(keptDays) * 86_400_000)
            try await self.open().add(tallies, oldest: oldest)
        } catch is CancellationError {
            // Stopped while it waited: the last batch takes it along.
            self.pending.withLock { $0.counts.merge(batch.counts, uniquingKeysWith: +) }
        } catch {
            // Reports are a courtesy: mail goes on without them.
            self.logger.log(.warning, "messages are not counted for reports of DMARC", [.error: "\(error)"])
        }
    }
}

extension Judgement {
    /// What this message adds to a report; nil where there is nothing to tell, and while it is not decided: a message that is
    /// deferred comes again and would be counted twice.
    func dmarcObservation(_ envelope: Envelope, policy: Policy) -> DMARCObservation? {
        guard self.decision.disposition != .defer, let findings = self.findings.authentication else { return nil }
        let handling = DMARCHandling(findings, policy: policy, isAllowed: self.isAllowed)
        return DMARCObservation(
            findings,
            client: envelope.client.address,
            reversePath: envelope.reversePath,
            handling: (handling.disposition, handling.reasons)
        )
    }
}
