import ContentStorage
import Foundation
import GRDB
import MailTypes
import OpenSSLKit
import OutpostTestKit
import Testing

@testable import MailStore

extension Sample {
    static func spooled(_ number: Int, to: [String] = ["user@example.com"], route: String = "mail.internal:25") -> SpooledMessage
    {
        var record = self.record(number, envelope: self.envelope(to: to))
        record.route = route
        record.contentHash = SHA256.hash(self.message)
        return SpooledMessage(record: record, expires: self.start + 1_000_000)
    }

    static func spool(_ directory: TemporaryDirectory, limits: SpoolLimits = SpoolLimits()) throws -> SpoolStore {
        try SpoolStore(directory: directory.path + "/spool", limits: limits)
    }
}

extension Sample {
    static let delivered = [SpoolResult(number: 0, state: .delivered, reply: "250 ok")]
}

extension SpoolStore {
    func store(_ number: Int, to: [String] = ["user@example.com"]) async throws {
        try await self.store(Sample.spooled(number, to: to), content: .memory(Sample.message))
    }
}

@Suite("The spool's store")
struct SpoolStoreTests {
    private static let route = "mail.internal:25"

    @Test(
        "a process killed at any step leaves the whole message or none, and the messages before it",
        arguments: StoreStep.allCases
    )
    func killed(step: StoreStep) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/spool"
        let name = step.rawValue
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, name = name as String] in
            try await SpoolStore(directory: path).store(1)
            let store = try SpoolStore(directory: path, limits: SpoolLimits()) {
                if $0.rawValue == name { kill(getpid(), SIGKILL) }
            }
            try await store.store(2)
        }
        let store = try Sample.spool(directory)
        let messages = try await store.list()
        #expect(messages.map(\.id) == (step == .committed ? [Sample.id(1), Sample.id(2)] : [Sample.id(1)]))
        for message in messages { #expect(try store.content(of: message).bytes() == Sample.message) }
        #expect(try await store.room().messages == messages.count)
    }

    @Test("a file that a crash left is not a message: it is not listed, not counted, and its id is taken by nothing")
    func orphan() async throws {
        let directory = try TemporaryDirectory()
        let store = try Sample.spool(
            directory,
            limits: SpoolLimits(maxSize: 2 * Sample.message.count, maxMessages: 2, minimumFree: 0)
        )
        let orphan = directory.path + "/spool/messages/\(Sample.id(9)).eml"
        #expect(FileManager.default.createFile(atPath: orphan, contents: Data(repeating: 1, count: 100_000)))
        #expect(try await store.list().isEmpty)
        #expect(try await store.room().messages == 0)
        #expect(try await store.room().octets == 0)
        // The message of that id cannot be stored over it, and is not there either.
        await #expect(throws: QuarantineError.exists(Sample.id(9))) { try await store.store(9) }
        await #expect(throws: SpoolError.notFound("\(Sample.id(9))")) { _ = try await store.message(Sample.id(9)) }
        try await store.store(1)
        try await store.store(2)
        #expect(try await store.hasRoom() == false)
    }

    @Test("the time of a message that is stopped stands still; a retry does not let it go")
    func holding() async throws {
        let directory = try TemporaryDirectory()
        let store = try Sample.spool(directory)
        try await store.store(1)
        try await store.store(2)
        let held = SpoolSelection.ids([Sample.id(1)])
        let stopped = Sample.start + 400_000
        #expect(try await store.hold(held, at: stopped) == 1)
        #expect(try await store.hold(held, at: stopped + 1) == 0)
        let late = Sample.start + 5_000_000
        #expect(try await store.expired(route: Self.route, at: late, limit: 9) == [Sample.id(2)])
        #expect(try await store.retry(.all) == 1)
        #expect(try await store.due(route: Self.route, at: stopped, withExpired: false, limit: 9) == [Sample.id(2)])

        #expect(try await store.release(.all, at: late) == 1)
        #expect(try await store.release(.all, at: late) == 0)
        let message = try await store.message(Sample.id(1))
        #expect(!message.isHeld)
        #expect(message.expires == Sample.start + 1_000_000 + late - stopped)
        #expect(try await store.due(route: Self.route, at: late, withExpired: false, limit: 9) == [Sample.id(1)])
    }

    private func store(_ spool: SpoolStore, _ number: Int, from sender: String, route: String = route) async throws {
        var message = Sample.spooled(number, route: route)
        message.record.envelope = Sample.envelope(from: sender)
        try await spool.store(message, content: .memory(Sample.message))
    }

    private func due(_ spool: SpoolStore, at now: Int64 = Sample.start + 1_000, limit: Int = 99) async throws -> [Int] {
        let ids = try await spool.due(route: Self.route, at: now, withExpired: false, limit: limit)
        return ids.map { id in (1...50).first { Sample.id($0) == id } ?? 0 }
    }

    @Test("senders take turns, whoever came first and with however many")
    func turns() async throws {
        let directory = try TemporaryDirectory()
        let spool = try Sample.spool(directory)
        for number in 1...6 { try await self.store(spool, number, from: "a@many.example") }
        #expect(try await self.due(spool) == [1, 2, 3, 4, 5, 6])
        // One who comes later takes turns with the next of the others, not behind all of them.
        try await spool.attempted(Sample.id(1), Sample.delivered, next: 0)
        try await spool.attempted(Sample.id(2), Sample.delivered, next: 0)
        for number in 7...8 { try await self.store(spool, number, from: "b@few.example") }
        try await self.store(spool, 9, from: "c@other.example", route: "elsewhere:25")
        #expect(try await self.due(spool) == [3, 7, 4, 8, 5, 6])
        #expect(try await self.due(spool, limit: 2) == [3, 7])
        // What was tried comes last, and does not count when its sender sends more.
        try await spool.attempted(Sample.id(7), [], next: Sample.start)
        #expect(try await self.due(spool) == [3, 4, 8, 5, 6, 7])
        for number in [3, 4, 5, 6, 8] { try await spool.attempted(Sample.id(number), Sample.delivered, next: 0) }
        try await self.store(spool, 10, from: "a@many.example")
        try await self.store(spool, 11, from: "a@many.example")
        try await self.store(spool, 12, from: "b@few.example")
        #expect(try await self.due(spool) == [10, 12, 11, 7])
        // Put off.
        try await spool.attempted(Sample.id(10), [], next: Sample.start + 2_000)
        #expect(try await self.due(spool) == [12, 11, 7])
        #expect(try await self.due(spool, at: Sample.start + 2_000) == [12, 11, 10, 7])
    }

    @Test("what waits behind costs nothing: the order comes from an index that has all that is asked for")
    func turnsAreIndexed() async throws {
        let directory = try TemporaryDirectory()
        let spool = try Sample.spool(directory)
        let plans = try await spool.pool.read { database in
            try [SpoolStore.dueQuery, SpoolStore.expiredQuery].map { query in
                let rows = try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + query, arguments: ["r", 0, 0, 0, 1])
                return rows.map { $0["detail"] as String }
            }
        }
        #expect(plans[0] == ["SEARCH messages USING COVERING INDEX messages_by_turn (route=? AND held=?)"])
        #expect(plans[1].first == plans[0].first)
    }

    @Test("messages of an earlier version get their turns")
    func turnsOfBefore() async throws {
        let directory = try TemporaryDirectory()
        do {
            let spool = try Sample.spool(directory)
            for number in 1...3 { try await self.store(spool, number, from: "a@many.example") }
            try await self.store(spool, 4, from: "b@few.example")
            try await spool.pool.write { database in
                try database.execute(
                    sql: """
                        DROP INDEX messages_by_turn; DROP INDEX messages_by_sender;
                        ALTER TABLE messages DROP COLUMN turn;
                        CREATE INDEX messages_by_turn ON messages (route, held, next_attempt);
                        DELETE FROM grdb_migrations WHERE identifier = 'turns';
                        """
                )
            }
            try spool.close()
        }
        #expect(try await self.due(Sample.spool(directory)) == [1, 4, 2, 3])
    }

    @Test("the message goes with its last recipient, and gives its room back")
    func attempts() async throws {
        let directory = try TemporaryDirectory()
        let store = try Sample.spool(directory)
        try await store.store(1, to: ["a@example.com", "b@example.com"])
        let first = SpoolResult(number: 0, state: .delivered, reply: "250 ok")
        #expect(try await store.attempted(Sample.id(1), [first], next: Sample.start + 10) == false)
        #expect(try await store.message(Sample.id(1)).recipients.map(\.state) == [.delivered, .waiting])
        let second = SpoolResult(number: 1, state: .failed, reply: "550 no")
        #expect(try await store.attempted(Sample.id(1), [second], next: 0))
        #expect(try await store.room().messages == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/spool/messages").isEmpty)
    }

    @Test("messages without their database are not taken for what a crash left")
    func lostDatabase() async throws {
        let directory = try TemporaryDirectory()
        try await Sample.spool(directory).store(1)
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: directory.path + "/spool/spool.sqlite" + suffix)
        }
        #expect(throws: QuarantineError.self) { _ = try Sample.spool(directory) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path + "/spool/messages").count == 1)
    }
}

extension SpoolStore {
    func checkpoint() async throws { try await self.pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) } }

    func close() throws { try self.pool.close() }
}
