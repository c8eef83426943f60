import Glibc
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("The ledger")
struct LedgerTests {
    private static let reply = SMTPReply.success(.ok, (0, 0), "Ok: queued as 123")

    private static func entry(
        _ number: Int64,
        key: UInt8,
        _ recipients: Set<String> = ["a@example.com"],
        at moment: Int64 = 1_000
    )
        -> LedgerEntry
    {
        LedgerEntry(
            number: number,
            key: [UInt8](repeating: key, count: 32),
            recipients: recipients,
            id: TransactionID(milliseconds: UInt64(number), sequence: 1),
            reply: reply,
            moment: moment
        )
    }

    @Test("what is written down is found, with its reply")
    func found() async throws {
        let directory = try TemporaryDirectory()
        let store = try LedgerStore(directory: directory.path)
        let entries = [
            Self.entry(1, key: 1), Self.entry(2, key: 1, ["b@example.com", "c@example.com"], at: 2_000), Self.entry(3, key: 2),
        ]
        for entry in entries { try await store.record(entry) }
        let again = try LedgerStore(directory: directory.path)
        #expect(try await again.entries([2, 1]) == [entries[1], entries[0]])
        #expect(try await again.entries([9, 3]) == [entries[2]])
        #expect(try await again.entries([]) == [])
        #expect(try await again.keys().map(\.number) == [1, 2, 3])
    }

    @Test("what is settled is not found any longer, and leaves the disk with the next entry or a flush")
    func settled() async throws {
        let directory = try TemporaryDirectory()
        let store = try LedgerStore(directory: directory.path)
        for number in 1...4 { try await store.record(Self.entry(Int64(number), key: 1)) }
        store.settle([1, 2])
        #expect(try await store.keys().map(\.number) == [1, 2, 3, 4])
        #expect(try await store.entries([1, 2, 3, 4]).map(\.number) == [3, 4])
        store.settle([3])
        try await store.record(Self.entry(5, key: 2))
        #expect(try await store.keys().map(\.number) == [4, 5])
        store.settle([4, 5])
        try await store.flush()
        #expect(try await store.keys().isEmpty)
    }

    @Test("the oldest go: by time, and by number")
    func forgotten() async throws {
        let directory = try TemporaryDirectory()
        let store = try LedgerStore(directory: directory.path)
        for number in 1...10 { try await store.record(Self.entry(Int64(number), key: UInt8(number), at: Int64(number) * 1_000)) }
        #expect(try await store.forget(before: 3_000, keeping: 100).map(\.number) == [1, 2])
        #expect(try await store.forget(before: 3_000, keeping: 100).isEmpty)
        #expect(Set(try await store.forget(before: 0, keeping: 5).map(\.key.first)) == [3, 4, 5])
        #expect(try await store.keys().count == 5)
    }

    @Test("many at a time share their cost, and all are there")
    func batches() async throws {
        let directory = try TemporaryDirectory()
        let store = try LedgerStore(directory: directory.path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<500 {
                group.addTask { try await store.record(Self.entry(Int64(number), key: UInt8(number % 250))) }
            }
            try await group.waitForAll()
        }
        #expect(try await store.keys().count == 500)
    }

    @Test("an entry that was acknowledged survives the process")
    func killed() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let store = try LedgerStore(directory: path)
            try await store.record(
                LedgerEntry(
                    number: 7,
                    key: [7],
                    recipients: ["a@example.com"],
                    id: TransactionID(milliseconds: 1, sequence: 1),
                    reply: .success(.ok, nil, "kept"),
                    moment: 5
                )
            )
            kill(getpid(), SIGKILL)
        }
        #expect(try await LedgerStore(directory: path).entries([7]).map(\.reply) == [.success(.ok, nil, "kept")])
    }
}
