import Logging
import MailPolicy
import MailStore
import MailTypes
import OutpostTestKit
import Synchronization
import Testing

@testable import Gateway

/// An archive that is full, or not there.
private final class AwayArchive: RateArchive {
    struct Away: Error {}

    struct State {
        var isAway = true
        var attempts = 0
        var written: [RateBucket] = []
    }

    let state = Mutex(State())

    func bucketsAtStart(now: Int64) throws -> [RateBucket] { [] }

    func write(_ buckets: [RateBucket]) async throws -> [RateCharge] {
        try self.state.withLock { state in
            state.attempts += 1
            if state.isAway { throw Away() }
            state.written += buckets
        }
        return []
    }

    func clear(now: Int64) async throws {}
}

@Suite("Rates in memory and written down")
struct RateMemoryTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let charge = RateCharge(
        limit: RateLimit(per: .clientAddress, of: .messages, limit: 2, windowSeconds: 3_600),
        key: "192.0.2.1"
    )

    private func memory(_ directory: TemporaryDirectory) throws -> RateMemory {
        try RateMemory(RateDatabase(directory: directory.path), interval: .milliseconds(5), logger: Self.logger)
    }

    private func take(_ memory: RateMemory) async throws -> RateOverrun? {
        try await memory.take([Self.charge], now: Int64(TransactionClock.milliseconds()))
    }

    @Test("a restart forgets nothing")
    func restart() async throws {
        let directory = try TemporaryDirectory()
        let first = try self.memory(directory)
        first.start()
        #expect(try await self.take(first) == nil)
        #expect(try await self.take(first) == nil)
        await first.stop()
        let second = try self.memory(directory)
        #expect(try await self.take(second) != nil)
    }

    /// Without `stop`, as after a crash.
    @Test("what has been written down survives a crash")
    func crash() async throws {
        let directory = try TemporaryDirectory()
        let first = try self.memory(directory)
        first.start()
        for _ in 0..<2 { #expect(try await self.take(first) == nil) }
        let store = try RateDatabase(directory: directory.path)
        try await Self.until { try await store.list(isEmpty: true, limit: 1, now: TimeText.now()).count == 1 }
        let second = try self.memory(directory)
        #expect(try await self.take(second) != nil)
        await first.stop()
    }

    @Test("who is reset may go on, in the running gateway and after its restart")
    func reset() async throws {
        let directory = try TemporaryDirectory()
        let memory = try self.memory(directory)
        memory.start()
        for _ in 0..<2 { #expect(try await self.take(memory) == nil) }
        #expect(try await self.take(memory) != nil)
        let command = try RateDatabase(directory: directory.path)
        try await Self.until { try await command.reset(Self.charge.key) == 1 }
        try await Self.until { try await self.take(memory) == nil }
        await memory.stop()
        #expect(try await self.take(try self.memory(directory)) == nil, "one of two was taken after the reset")
    }

    @Test("while nothing can be written it is counted all the same, and written when it can")
    func unwritable() async throws {
        let archive = AwayArchive()
        let memory = try RateMemory(archive, interval: .milliseconds(5), logger: Self.logger)
        memory.start()
        for _ in 0..<2 { #expect(try await self.take(memory) == nil) }
        #expect(try await self.take(memory) != nil)
        try await Self.until { archive.state.withLock { $0.attempts > 2 } }
        #expect(archive.state.withLock { $0.written.isEmpty })
        archive.state.withLock { $0.isAway = false }
        try await Self.until { archive.state.withLock { !$0.written.isEmpty } }
        #expect(archive.state.withLock { $0.written.map(\.charge) } == [Self.charge])
        await memory.stop()
    }

    private static func until(_ condition: () async throws -> Bool) async throws {
        for _ in 0..<1_000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("it did not happen")
    }
}
