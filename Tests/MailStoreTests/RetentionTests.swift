import ContentStorage
import Foundation
import GRDB
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Retention")
struct RetentionTests {
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = Sample.start + 100 * Self.day

    let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func store(_ limits: QuarantineLimits = QuarantineLimits()) throws -> QuarantineStore {
        try Sample.store(self.directory, limits: limits, clock: { Self.now })
    }

    private func add(_ store: QuarantineStore, _ number: Int, _ kind: QuarantineRecord.Kind, daysOld: Int64) async throws {
        let record = Sample.record(number, kind: kind, received: Self.now - daysOld * Self.day - 1)
        if kind == .held {
            try await store.hold(record, content: .memory(Sample.message))
        } else {
            try await store.keepCopy(record, content: .memory(Sample.message))
        }
    }

    private func fill(_ store: QuarantineStore) async throws {
        try await self.add(store, 1, .held, daysOld: 30)
        try await self.add(store, 2, .held, daysOld: 29)
        try await self.add(store, 3, .rejectedCopy, daysOld: 7)
        try await self.add(store, 4, .rejectedCopy, daysOld: 6)
    }

    @Test(
        "a purge removes what is too old and nothing else",
        arguments: [
            (PurgeScope.retention, [2, 4]),
            (.olderThan(10 * 86_400, nil), [3, 4]),
            (.olderThan(6 * 86_400, .rejectedCopy), [1, 2]),
            (.all(.rejectedCopy), [1, 2]),
            (.all(.held), [3, 4]),
        ] as [(PurgeScope, [Int])]
    )
    func purge(scope: PurgeScope, left: [Int]) async throws {
        let store = try self.store()
        try await self.fill(store)
        #expect(try await store.purge(scope, by: "test", dryRun: true) == 2)
        #expect(try await store.count() == 4)
        #expect(try await store.purge(scope, by: "test") == 2)
        #expect(Set(try await store.list().map(\.id)) == Set(left.map(Sample.id)))
        let files = try FileManager.default.contentsOfDirectory(atPath: store.files.messages)
        #expect(Set(files) == Set(left.map { Sample.id($0).text + ".eml" }))
        let octets = try await store.octets()
        #expect(octets.held + octets.rejected == 2 * Sample.message.count)
    }

    @Test("a message that is being released is left for the next purge")
    func releasing() async throws {
        let store = try self.store()
        try await self.add(store, 1, .held, daysOld: 50)
        let claim = try await store.beginRelease(Sample.id(1), by: "ann")
        #expect(try await store.purge(.retention, by: "test") == 0)
        try await store.finishRelease(claim, .delivered("250 ok"))
        #expect(try await store.purge(.retention, by: "test") == 1)
        #expect(try await store.audit(Sample.id(1)).map(\.action) == [.releaseBegun, .released, .purged])
    }

    @Test("more copies than there is room for: the oldest go, held messages stay")
    func copiesBySize() async throws {
        let generous = try self.store()
        for number in 0..<100 { try await self.add(generous, number, .rejectedCopy, daysOld: 0) }
        try await self.add(generous, 200, .held, daysOld: 0)
        var limits = QuarantineLimits()
        limits.maxRejectedSize = 50 * Sample.message.count
        let store = try self.store(limits)
        let removed = try await store.purge(.retention, by: "test", dryRun: true)
        #expect(try await store.purge(.retention, by: "test") == removed)
        #expect(try await store.count(QuarantineFilter(kind: .held)) == 1)
        let left = try await store.list(QuarantineFilter(kind: .rejectedCopy))
        #expect(left.count == 100 - removed)
        #expect(left.count <= 45 && left.count >= 40)
    }

    @Test("more than a batch is removed in one purge")
    func manyBatches() async throws {
        let store = try self.store()
        try await store.pool.write { database in
            for number in 0..<1_200 {
                try RowCodec.insert(Sample.record(number), octets: 1, into: database)
            }
        }
        #expect(try await store.purge(.all(.held), by: "test") == 1_200)
        #expect(try await store.octets().held == 0)
    }

    @Test("the audit trail and passes end at last")
    func trailsEnd() async throws {
        let store = try self.store()
        try await self.add(store, 1, .held, daysOld: 0)
        try await store.delete(Sample.id(1), by: "ann")
        let later = try Sample.store(self.directory, clock: { Self.now + 366 * Self.day })
        try await later.purge(.retention, by: "test")
        #expect(try await later.audit(Sample.id(1)).map(\.action) == [.purged])
    }
}
