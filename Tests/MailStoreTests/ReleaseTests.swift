import ContentStorage
import GRDB
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Releasing messages")
struct ReleaseTests {
    let directory: TemporaryDirectory
    let store: QuarantineStore

    init() throws {
        self.directory = try TemporaryDirectory()
        self.store = try Sample.store(self.directory)
    }

    @Test("a release is recorded with who, when and why, and a second one is told of the first")
    func released() async throws {
        try await self.store.hold(1)
        let claim = try await self.store.beginRelease(Sample.id(1), by: "ann", why: "asked for by phone")
        #expect(!claim.mayHaveBeenDelivered)
        #expect(claim.record == Sample.record(1))
        try await self.store.finishRelease(claim, .delivered("250 2.0.0 ok"))
        let entry = try await self.store.record(Sample.id(1))
        #expect(entry.state == .released)
        #expect(entry.releasedBy == "ann")
        let moment = Sample.start + 1_000_000
        await #expect(throws: QuarantineError.alreadyReleased(Sample.id(1), at: moment, by: "ann")) {
            try await self.store.beginRelease(Sample.id(1), by: "bob")
        }
        let trail = try await self.store.audit(Sample.id(1))
        #expect(trail.map(\.action) == [.releaseBegun, .released])
        #expect(trail.map(\.who) == ["ann", "ann"])
        #expect(trail[0].why == "asked for by phone")
        #expect(trail[1].detail == "250 2.0.0 ok")
        #expect(trail[1].when == moment)
    }

    @Test("of many releases at once, from two stores, exactly one gets the message")
    func onlyOne() async throws {
        try await self.store.hold(1)
        let other = try Sample.store(self.directory)
        let stores = [self.store, other]
        let winners = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<20 {
                group.addTask { (try? await stores[number % 2].beginRelease(Sample.id(1), by: "task \(number)")) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(winners == 1)
    }

    @Test(
        "a release that failed lets the message wait again",
        arguments: [ReleaseOutcome.failed("451 4.3.0 later"), .refused("550 5.1.1 no")]
    )
    func failed(outcome: ReleaseOutcome) async throws {
        try await self.store.hold(1)
        let claim = try await self.store.beginRelease(Sample.id(1), by: "ann")
        try await self.store.finishRelease(claim, outcome)
        let entry = try await self.store.record(Sample.id(1))
        #expect(entry.state == .waiting)
        #expect(!entry.mayHaveBeenDelivered)
        #expect(try await self.isReleased(1) == nil)
        _ = try await self.store.beginRelease(Sample.id(1), by: "bob")
    }

    @Test("a lost reply leaves the doubt with the message until it is released")
    func uncertain() async throws {
        try await self.store.hold(1)
        let first = try await self.store.beginRelease(Sample.id(1), by: "ann")
        try await self.store.finishRelease(first, .uncertain("connection lost after the final dot"))
        #expect(try await self.store.list().first?.mayHaveBeenDelivered == true)
        let second = try await self.store.beginRelease(Sample.id(1), by: "ann")
        #expect(second.mayHaveBeenDelivered)
        try await self.store.finishRelease(second, .delivered("250 ok"))
        #expect(try await self.store.record(Sample.id(1)).mayHaveBeenDelivered == false)
    }

    @Test("a claim that was taken over cannot undo the other's work, but its delivery counts")
    func claimLost() async throws {
        try await self.store.hold(1)
        let claim = try await self.store.beginRelease(Sample.id(1), by: "ann")
        // As if the process had died and another had taken over.
        try await self.store.pool.write { try $0.execute(sql: "UPDATE messages SET release_owner = '1 gone boot space'") }
        await #expect(throws: QuarantineError.claimLost(Sample.id(1))) {
            try await self.store.finishRelease(claim, .failed("451 later"))
        }
        #expect(try await self.store.record(Sample.id(1)).state == .releasing)
        await #expect(throws: QuarantineError.claimLost(Sample.id(1))) {
            try await self.store.finishRelease(claim, .delivered("250 ok"))
        }
        #expect(try await self.store.record(Sample.id(1)).state == .released)
    }

    @Test("a message can be sent again on demand, and a failure then leaves it released")
    func again() async throws {
        try await self.store.hold(1)
        try await self.store.finishRelease(self.store.beginRelease(Sample.id(1), by: "ann"), .delivered("250 ok"))
        let claim = try await self.store.beginRelease(Sample.id(1), by: "bob", again: true)
        try await self.store.finishRelease(claim, .failed("451 later"))
        let entry = try await self.store.record(Sample.id(1))
        #expect(entry.state == .released)
        #expect(entry.releasedBy == "ann")
    }

    @Test("another recipient is in the claim and in the trail")
    func otherRecipient() async throws {
        try await self.store.hold(1)
        let claim = try await self.store.beginRelease(Sample.id(1), by: "ann", to: [MailAddress("x@example.com")!])
        #expect(claim.record.envelope.recipients.map(\.forwardPath.text) == ["x@example.com"])
        #expect(try await self.store.audit(Sample.id(1)).first?.detail == "to x@example.com")
        #expect(try await self.store.record(Sample.id(1)).record == Sample.record(1))
    }

    @Test("deleted and unknown messages are not released, and a message in release is not deleted")
    func refusals() async throws {
        try await self.store.hold(1)
        try await self.store.hold(2)
        try await self.store.delete(Sample.id(1), by: "ann", why: "spam")
        await #expect(throws: QuarantineError.deleted(Sample.id(1))) {
            try await self.store.beginRelease(Sample.id(1), by: "ann")
        }
        await #expect(throws: QuarantineError.notFound(Sample.id(7).text)) {
            try await self.store.beginRelease(Sample.id(7), by: "ann")
        }
        await #expect(throws: QuarantineError.deleted(Sample.id(1))) { try await self.store.delete(Sample.id(1), by: "ann") }
        await #expect(throws: QuarantineError.deleted(Sample.id(1))) { try await self.store.content(of: Sample.id(1)) }
        _ = try await self.store.beginRelease(Sample.id(2), by: "ann")
        await #expect(throws: QuarantineError.beingReleased(Sample.id(2), since: Sample.start + 1_000_000, by: "ann")) {
            try await self.store.delete(Sample.id(2), by: "bob")
        }
    }

    // MARK: Passes

    private func isReleased(_ number: Int, from: String = "sender@example.org", to: [String] = ["user@example.com"]) async throws
        -> [String]?
    {
        try await self.store.isReleased(
            contentHash: Sample.record(number).contentHash,
            reversePath: .mailbox(MailAddress(from)!),
            recipients: to.map { MailAddress($0)! }
        )
    }

    @Test("a released message passes the rules that held it, for its own sender and recipients only")
    func pass() async throws {
        let envelope = Sample.envelope(to: ["user@example.com", "b@example.com"])
        let record = Sample.record(1, envelope: envelope, rules: ["BIG_WIN", "OTHER"], heldBy: ["BIG_WIN"])
        try await self.store.hold(record, content: .memory(Sample.message))
        #expect(try await self.isReleased(1) == nil)
        // The pass is there before the bytes leave: they may come by while the release still waits for its reply.
        let claim = try await self.store.beginRelease(record.id, by: "ann")
        #expect(try await self.isReleased(1) == ["BIG_WIN"])
        try await self.store.finishRelease(claim, .delivered("250 ok"))
        #expect(try await self.isReleased(1, to: ["B@example.com"]) == ["BIG_WIN"])
        #expect(try await self.isReleased(1, to: ["b@example.com", "c@example.com"]) == nil)
        #expect(try await self.isReleased(1, from: "other@example.org") == nil)
        #expect(try await self.isReleased(2) == nil)
    }

    @Test("a message held for its score passes every rule that added to it")
    func passOfScore() async throws {
        try await self.store.hold(Sample.record(1, rules: ["A", "B"]), content: .memory(Sample.message))
        _ = try await self.store.beginRelease(Sample.id(1), by: "ann")
        #expect(try await self.isReleased(1) == ["A", "B"])
    }

    @Test("a pass ends")
    func passExpires() async throws {
        try await self.store.hold(1)
        try await self.store.finishRelease(self.store.beginRelease(Sample.id(1), by: "ann"), .delivered("250 ok"))
        let seconds = Int64(self.store.limits.passSeconds)
        let later = try Sample.store(self.directory, clock: { Sample.start + 1_000_000 + seconds * 1_000 })
        let found = try await later.isReleased(
            contentHash: Sample.record(1).contentHash,
            reversePath: .mailbox(MailAddress("sender@example.org")!),
            recipients: [MailAddress("user@example.com")!]
        )
        #expect(found == nil)
    }
}
