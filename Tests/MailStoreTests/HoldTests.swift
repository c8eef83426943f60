import ContentStorage
import Foundation
import MailTypes
import OutpostTestKit
import Synchronization
import Testing

@testable import MailStore

@Suite("Holding messages")
struct HoldTests {
    let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    @Test("every fact of a record comes back as it was stored, from another instance too")
    func roundTrip() async throws {
        let record = Sample.record(1, signature: "Eicar-Test-Signature", heldBy: ["BIG_WIN"])
        try await Sample.store(self.directory).hold(record, content: .memory(Sample.message))
        let again = try Sample.store(self.directory)
        let entry = try await again.record(record.id)
        #expect(entry.record == record)
        #expect(entry.state == .waiting)
        #expect(try await again.content(of: record.id).bytes() == Sample.message)
    }

    @Test(
        "odd addresses, subjects and scores survive",
        arguments: [
            (nil, ["\"a b\"@example.com"], "", 1.0),
            ("ü@ex\u{e4}mple.org", ["postmaster"], "e\u{301}\u{202e}\u{0}\u{1b}[2J", Double.infinity),
            ("a@[192.0.2.1]", ["a@[ipv6:2001:db8::1]", "b@example.com"], "one\ntwo\r\n'; DROP TABLE messages; --", -3.5),
        ] as [(String?, [String], String, Double)]
    )
    func hostileFacts(sender: String?, recipients: [String], subject: String, score: Double) async throws {
        let store = try Sample.store(self.directory)
        var record = Sample.record(1, envelope: Sample.envelope(from: sender, to: recipients), subject: subject)
        record.score = score
        record.hits[0].score = score
        try await store.hold(record, content: .memory(Sample.message))
        // A NUL would end the text for the database.
        record.subject = subject.replacingOccurrences(of: "\0", with: "\u{fffd}")
        #expect(try await store.record(record.id).record == record)
        #expect(try await store.list().map(\.subject) == [record.subject])
        #expect(try await store.list().first?.recipients == recipients)
    }

    @Test("a message in a file is copied whole")
    func largeContent() async throws {
        let store = try Sample.store(self.directory)
        let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        var writer = ContentWriter(directory: self.directory.path)
        try writer.append(bytes)
        let record = Sample.record(1, octets: bytes.count)
        try await store.hold(record, content: writer.finish())
        let content = try await store.content(of: record.id)
        guard case .file = content else {
            Issue.record("a large message is not read into memory")
            return
        }
        #expect(try content.bytes() == bytes)
    }

    @Test("the steps come in the order that makes a message durable before it is visible")
    func order() async throws {
        let steps = Steps()
        let store = try QuarantineStore(
            directory: self.directory.path,
            limits: QuarantineLimits(),
            clock: { Sample.start },
            step: { step in steps.list.withLock { $0.append(step) } }
        )
        try await store.hold(1)
        #expect(steps.list.withLock { $0 } == StoreStep.allCases)
    }

    private final class Steps: Sendable {
        let list = Mutex<[StoreStep]>([])
    }

    @Test("many messages at once are all there, and share transactions")
    func groupCommit() async throws {
        let commits = Steps()
        let store = try QuarantineStore(
            directory: self.directory.path,
            limits: QuarantineLimits(),
            clock: { Sample.start },
            step: { step in if step == .committed { commits.list.withLock { $0.append(step) } } }
        )
        let count = 300
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { try await store.hold(number) }
            }
            try await group.waitForAll()
        }
        #expect(try await store.count() == count)
        #expect(commits.list.withLock { $0.count } < count)
        for number in 0..<count {
            #expect(try await store.content(of: Sample.id(number)).octets == Sample.message.count)
        }
    }

    @Test("an id that is taken is refused, and the first message stays as it was")
    func duplicateID() async throws {
        let store = try Sample.store(self.directory)
        try await store.hold(1)
        await #expect(throws: QuarantineError.exists(Sample.id(1))) {
            try await store.hold(Sample.record(1, subject: "Another"), content: .memory([1, 2, 3]))
        }
        #expect(try await store.content(of: Sample.id(1)).bytes() == Sample.message)
        #expect(try await store.list().map(\.subject) == ["Hello"])
    }

    @Test("a full quarantine says so, takes what still fits, and has room again after a delete")
    func quota() async throws {
        var limits = QuarantineLimits()
        limits.maxSize = 2 * Sample.message.count
        let store = try Sample.store(self.directory, limits: limits)
        try await store.hold(1)
        try await store.hold(2)
        await #expect(throws: QuarantineError.full(octets: limits.maxSize, limit: limits.maxSize)) { try await store.hold(3) }
        #expect(try await store.count() == 2)
        try await store.delete(Sample.id(1), by: "test")
        try await store.hold(3)
        #expect(try await store.octets().held == limits.maxSize)
    }

    @Test("messages that come at once cannot overrun the quota together")
    func quotaUnderLoad() async throws {
        var limits = QuarantineLimits()
        limits.maxSize = 10 * Sample.message.count
        let store = try Sample.store(self.directory, limits: limits)
        let held = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask { (try? await store.hold(number)) != nil }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(held == 10)
        #expect(try await store.count() == 10)
    }

    @Test("a disk that fails leaves no message, and the error tells")
    func failingDisk() async throws {
        let store = try Sample.store(self.directory)
        try FileManager.default.removeItem(atPath: store.files.temporary)
        await #expect(throws: (any Error).self) { try await store.hold(1) }
        #expect(try await store.count() == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: store.files.messages).isEmpty)
    }
}

@Suite("Copies of refused mail")
struct CopyTests {
    let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    @Test("a copy is kept, listed as such, and can never be released")
    func kept() async throws {
        let store = try Sample.store(self.directory)
        #expect(try await store.keepCopy(Sample.record(1, kind: .rejectedCopy), content: .memory(Sample.message)))
        #expect(try await store.list(QuarantineFilter(kind: .rejectedCopy)).count == 1)
        #expect(try await store.list(.waiting).isEmpty)
        await #expect(throws: QuarantineError.reviewOnly(Sample.id(1))) { try await store.beginRelease(Sample.id(1), by: "test") }
    }

    @Test("no copy goes beyond its room, and copies take nothing from the room of held messages")
    func quota() async throws {
        var limits = QuarantineLimits()
        limits.maxRejectedSize = Sample.message.count + 1
        limits.maxSize = Sample.message.count
        let store = try Sample.store(self.directory, limits: limits)
        #expect(try await store.keepCopy(Sample.record(1, kind: .rejectedCopy), content: .memory(Sample.message)))
        #expect(try await store.keepCopy(Sample.record(2, kind: .rejectedCopy), content: .memory(Sample.message)) == false)
        #expect(try await store.count() == 1)
        try await store.hold(3)
        let octets = try await store.octets()
        #expect(octets.held == Sample.message.count)
        #expect(octets.rejected == Sample.message.count)
    }

    @Test("no copy is kept when the disk has little space left")
    func freeSpace() async throws {
        var limits = QuarantineLimits()
        limits.minimumFreeSpace = Int.max
        let store = try Sample.store(self.directory, limits: limits)
        #expect(try await store.keepCopy(Sample.record(1, kind: .rejectedCopy), content: .memory(Sample.message)) == false)
    }

    @Test("a held message after a copy waits for the disk again")
    func synchronousAgain() async throws {
        let store = try Sample.store(self.directory)
        try await store.keepCopy(Sample.record(1, kind: .rejectedCopy), content: .memory(Sample.message))
        let full = 2
        #expect(try await store.synchronousSetting() == full)
    }

    @Test("a copy that a power failure cut short is told apart from a whole one")
    func cutShort() async throws {
        let store = try Sample.store(self.directory)
        try await store.keepCopy(Sample.record(1, kind: .rejectedCopy), content: .memory(Sample.message))
        try Data(Sample.message.prefix(5)).write(to: URL(filePath: store.files.path(of: Sample.id(1))))
        await #expect(throws: QuarantineError.damaged(Sample.id(1))) { try await store.content(of: Sample.id(1)) }
        try FileManager.default.removeItem(atPath: store.files.path(of: Sample.id(1)))
        await #expect(throws: QuarantineError.damaged(Sample.id(1))) { try await store.content(of: Sample.id(1)) }
    }
}
