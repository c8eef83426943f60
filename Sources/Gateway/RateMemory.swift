import Logging
import MailPolicy
import MailStore
import Synchronization

/// Counts in the memory of this process, and writes down behind the mail path what has changed: a restart goes on with what it reads.
/// What a crash loses is the last second of counts, which errs to the sender's side.
final class RateMemory: RateStore {
    /// Between two batches: what a crash may lose, and how long a command's reset takes.
    static let interval = Duration.seconds(1)
    /// Batches between two clearances of what is full again: a minute.
    private static let batchesPerClearance = 60
    /// Changes that could not be written and come back at once, while whoever counts waits.
    private static let returnedAtOnce = 1_000

    private let table: Mutex<RateTable>
    private let archive: any RateArchive
    private let interval: Duration
    private let logger: Logger
    private let task = Mutex<Task<Void, Never>?>(nil)

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
        self.task.withLock { task in
            task = Task {
                var isFailing = false
                var batches = 0
                while !Task.isCancelled {
                    // What is left at the end is written by `stop`, which is not cancelled.
                    guard (try? await Task.sleep(for: self.interval)) != nil else { return }
                    do {
                        try await self.writeDown()
                        batches += 1
                        if batches.isMultiple(of: Self.batchesPerClearance) {
                            try await self.archive.clear(now: Int64(TransactionClock.milliseconds()))
                        }
                        if isFailing { self.logger.log(.notice, "rates can be written down again", [:]) }
                        isFailing = false
                    } catch is CancellationError {
                        return
                    } catch {
                        if !isFailing {
                            let what: Logger.Message = "rates cannot be written down, a restart would forget them"
                            self.logger.log(.warning, what, [.error: "\(error)"])
                        }
                        isFailing = true
                    }
                }
            }
        }
    }

    /// Stops writing, and writes what is left.
    func stop() async {
        let task = self.task.withLock { task in
            defer { task = nil }
            return task
        }
        task?.cancel()
        await task?.value
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
