import Logging
import MailPolicy
import MailStore
import Synchronization

/// Counts in the memory of this process, and writes down behind the mail path what has changed: a restart goes on with what it reads.
/// What a crash loses is the last second of counts, which errs to the sender's side.
final class RateMemory: RateStore {
    /// Between two batches: what a crash may lose, and how long a command's reset takes.
    static let interval = Duration.seconds(1)
    /// Between two clearances of what is full again.
    private static let clearanceInterval = Duration.seconds(60)
    /// Changes that could not be written and come back at once, while whoever counts waits.
    private static let returnedAtOnce = 1_000

    private let table: Mutex<RateTable>
    private let archive: any RateArchive
    private let interval: Duration
    private let logger: Logger
    private let writing = RecurringTask()
    private let clearing = RecurringTask()

    init(_ archive: any RateArchive, interval: Duration = RateMemory.interval, logger: Logger) throws {
        self.archive = archive
        self.interval = interval
        self.logger = logger
        let now = Int64(TransactionClock.milliseconds())
        var table = RateTable()
        table.restore(try self.archive.bucketsAtStart(now: now), now: now)
        self.table = Mutex(table)
    }

    func take(_ charges: [RateCharge], now: Int64) async throws -> RateOverrun? {
        self.table.withLock { $0.take(charges, now: now) }
    }

    func start() {
        self.writing.start(
            every: self.interval,
            report: .init(
                logger: self.logger,
                failing: "rates cannot be written down, a restart would forget them",
                recovered: "rates can be written down again"
            )
        ) { try await self.writeDown() }
        self.clearing.start(
            every: Self.clearanceInterval,
            report: .init(
                logger: self.logger,
                failing: "rates that are full again cannot be forgotten",
                recovered: "rates that are full again can be forgotten again"
            )
        ) { try await self.archive.clear(now: Int64(TransactionClock.milliseconds())) }
    }

    /// Stops writing, and writes what is left.
    func stop() async {
        await self.clearing.stop()
        await self.writing.stop()
        do {
            try await self.writeDown()
        } catch {
            self.logger.log(.warning, "the last counts of rates are not written down", [.error: "\(error)"])
        }
    }

    private func writeDown() async throws {
        // Who counts nothing costs nothing.
        let (changes, isEmpty) = self.table.withLock { ($0.changes(), $0.count == 0) }
        guard !isEmpty else { return }
        let buckets = changes.map { RateBucket(charge: $0, full: $1) }
        do {
            let reset = try await self.archive.write(buckets)
            if !reset.isEmpty { self.table.withLock { $0.forget(reset) } }
        } catch {
            for start in stride(from: 0, to: buckets.count, by: Self.returnedAtOnce) {
                let piece = buckets[start..<min(start + Self.returnedAtOnce, buckets.count)]
                self.table.withLock { $0.unwritten(piece) }
            }
            throw error
        }
    }
}
