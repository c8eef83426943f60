import Logging
import Synchronization
import Testing

@testable import Gateway

@Suite("Recurring work")
struct RecurringTaskTests {
    private struct Trouble: Error {}

    /// Keeps the lines in order.
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.lines.all.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }

    @Test("a failure is told once however long it lasts, and its end once")
    func report() async throws {
        let lines = Lines()
        let task = RecurringTask()
        let (times, count) = AsyncStream<Int>.makeStream()
        let number = Mutex(0)
        let next: @Sendable () -> Int = {
            number.withLock {
                $0 += 1
                return $0
            }
        }
        let report = RecurringTask.Report(
            logger: Logger(label: "test") { _ in Handler(lines: lines) },
            failing: "fails",
            recovered: "works again"
        )
        task.start(every: .milliseconds(1), isFirstAtOnce: true, report: report) {
            let time = next()
            defer { count.yield(time) }
            if (2...4).contains(time) || time == 7 { throw Trouble() }
        }
        for await time in times where time == 9 { break }
        await task.stop()
        #expect(lines.all.withLock { $0 } == ["warning: fails", "notice: works again", "warning: fails", "notice: works again"])
    }

    @Test("a stop waits for the work that is under way, and nothing is done after it")
    func stop() async throws {
        let task = RecurringTask()
        let (begun, begin) = AsyncStream<Void>.makeStream()
        let state = Mutex((runs: 0, isInside: false))
        let enter: @Sendable (Bool) -> Void = { isInside in
            state.withLock {
                $0.isInside = isInside
                if isInside { $0.runs += 1 }
            }
        }
        task.start(every: .milliseconds(1), isFirstAtOnce: true) {
            enter(true)
            begin.yield()
            // Goes on although it is cancelled, as a write does.
            await Task { try? await Task.sleep(for: .milliseconds(50)) }.value
            enter(false)
        }
        for await _ in begun { break }
        await task.stop()
        let runs = state.withLock { $0.runs }
        #expect(!state.withLock { $0.isInside })
        try await Task.sleep(for: .milliseconds(20))
        #expect(state.withLock { $0.runs } == runs)
    }
}
