import Foundation
import GRDB
import MailPolicy
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Rates written down")
struct RateDatabaseTests {
    private static let now = Sample.start

    /// - Parameter seconds: until it is full.
    private func bucket(_ key: String, full seconds: Int64, limit: Int = 10, window: Int = 100) -> RateBucket {
        let limit = RateLimit(per: .senderDomain, of: .messages, limit: limit, windowSeconds: window)
        return RateBucket(charge: RateCharge(limit: limit, key: key), full: (Self.now + seconds * 1_000) * 1_000)
    }

    @Test("what was written is there at the next start, the newest value of each, without what is full by then")
    func start() async throws {
        let directory = try TemporaryDirectory()
        let store = try RateDatabase(directory: directory.path)
        #expect(try await store.write([self.bucket("a", full: 10), self.bucket("b", full: 50)]).isEmpty)
        #expect(try await store.write([self.bucket("a", full: 90), self.bucket("a", full: 20, limit: 5)]).isEmpty)
        let again = try RateDatabase(directory: directory.path)
        let found = try again.bucketsAtStart(now: Self.now)
        #expect(found == [self.bucket("a", full: 20, limit: 5), self.bucket("b", full: 50), self.bucket("a", full: 90)])
        #expect(try again.bucketsAtStart(now: Self.now + 60_000).map(\.charge.key) == ["a"])
    }

    @Test("a command lists the fullest first, and what it resets the gateway hears of once")
    func commands() async throws {
        let directory = try TemporaryDirectory()
        let (gateway, command) = (try RateDatabase(directory: directory.path), try RateDatabase(directory: directory.path))
        let buckets = [
            self.bucket("calm", full: 10), self.bucket("busy", full: 91), self.bucket("busy", full: 30, limit: 3),
            self.bucket("short", full: 8, limit: 1, window: 8),
        ]
        #expect(try await gateway.write(buckets).isEmpty)
        let listed = try await command.list(limit: 10, now: Self.now)
        #expect(listed.map(\.charge.key) == ["short", "busy", "busy", "calm"])
        #expect(try await command.list(limit: 1, now: Self.now).count == 1)
        let empty = try await command.list(isEmpty: true, limit: 10, now: Self.now)
        #expect(empty.map(\.charge.key) == ["short", "busy"])
        #expect(empty.allSatisfy { $0.wait(now: Self.now * 1_000) > 0 })
        #expect(try await command.reset("busy") == 2)
        #expect(try await command.reset("busy") == 0)
        #expect(try await command.reset("nobody") == 0)
        // What the gateway has written in between does not bring them back.
        let heard = try await gateway.write([self.bucket("busy", full: 95)])
        #expect(Set(heard) == Set(buckets[1...2].map(\.charge)))
        #expect(try await gateway.write([]).isEmpty)
        #expect(try await command.list(limit: 10, now: Self.now).map(\.charge.key) == ["short", "calm"])
    }

    @Test("while no gateway runs a reset is done at once, and the next start has nothing to catch up with")
    func resetOffline() async throws {
        let directory = try TemporaryDirectory()
        let store = try RateDatabase(directory: directory.path)
        _ = try await store.write([self.bucket("a", full: 10)])
        #expect(try await store.reset("a") == 1)
        #expect(try store.bucketsAtStart(now: Self.now).isEmpty)
        #expect(try await store.write([self.bucket("a", full: 10)]).isEmpty)
        #expect(try store.bucketsAtStart(now: Self.now).count == 1)
    }

    @Test("what is full is cleared, and beyond the bound what will be full first")
    func bounded() async throws {
        let directory = try TemporaryDirectory()
        let store = try RateDatabase(directory: directory.path, limit: 100)
        _ = try await store.write((1...12_000).map { self.bucket("\($0)", full: Int64($0)) })
        try await store.clear(now: Self.now)
        let kept = try await store.list(limit: 1_000, now: Self.now)
        #expect(Set(kept.map(\.charge.key)) == Set((11_901...12_000).map { "\($0)" }))
        try await store.clear(now: Self.now + 11_950_000)
        #expect(try await store.list(limit: 1_000, now: 0).count == 50)
    }

    @Test("a damaged file is put aside and a new one begun")
    func damaged() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(String(repeating: "no database ", count: 1_000), to: "rates.sqlite")
        let store = try RateDatabase(directory: directory.path)
        #expect(try store.bucketsAtStart(now: Self.now).isEmpty)
        #expect(FileManager.default.fileExists(atPath: directory.path + "/rates.sqlite.damaged"))
    }

    @Test("rows of a version that knows more are left alone")
    func unknown() async throws {
        let directory = try TemporaryDirectory()
        let store = try RateDatabase(directory: directory.path)
        let other = try DatabaseQueue(path: RateDatabase.file(in: directory.path))
        try await other.write {
            try $0.execute(sql: "INSERT INTO buckets VALUES ('moon', 'tides', 1, 1, 'a', 9223372036854775807)")
        }
        #expect(try store.bucketsAtStart(now: Self.now).isEmpty)
        #expect(try await store.list(limit: 10, now: Self.now).isEmpty)
    }
}
