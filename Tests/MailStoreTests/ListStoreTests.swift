import Foundation
import GRDB
import MailPolicy
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Stored lists")
struct ListStoreTests {
    private func entry(
        _ text: String,
        _ action: ListEntry.Action = .deny,
        isSpoofable: Bool = false,
        scope: ListScope = .all,
        expires: Int64? = nil
    ) throws -> ListEntry {
        ListEntry(
            id: "",
            action: action,
            text: text,
            subject: try ListEntry.subject(text, action: action, isSpoofable: isSpoofable),
            isSpoofable: isSpoofable,
            scope: scope,
            comment: "why",
            expires: expires
        )
    }

    @Test("what one connection adds and removes another one sees, and hears of")
    func twoConnections() async throws {
        let directory = try TemporaryDirectory()
        let gateway = try ListStore(directory: directory.path)
        let command = try ListStore(directory: directory.path)
        let before = try await gateway.changeMark()
        #expect(try await gateway.changeMark() == before)
        let added = try await command.add(
            self.entry("example.org", .allow, scope: .recipient("bob@example.com"), expires: Sample.start + 1),
            by: "ann",
            now: Sample.start
        )
        let after = try await gateway.changeMark()
        #expect(after != before)
        #expect(try await gateway.changeMark() == after)
        let seen = try await gateway.entries().entries
        #expect(seen == [StoredListEntry(entry: added, created: Sample.start, createdBy: "ann")])
        #expect(try gateway.entriesAtStart().entries == seen)
        #expect(try await command.remove(added.id))
        #expect(try await !command.remove(added.id))
        #expect(try await !command.remove("lists.deny[0]"))
        #expect(try await gateway.changeMark() != after)
        #expect(try await gateway.entries().entries.isEmpty)
    }

    @Test("the same entry is not added twice, unless the first has expired; numbers are not given again")
    func twice() async throws {
        let directory = try TemporaryDirectory()
        let store = try ListStore(directory: directory.path)
        let first = try await store.add(self.entry("192.0.2.1", expires: Sample.start + 10), by: "x", now: Sample.start)
        await #expect(throws: ListStoreError.exists(id: first.id)) {
            try await store.add(self.entry("192.0.2.1"), by: "x", now: Sample.start)
        }
        let second = try await store.add(self.entry("192.0.2.1"), by: "x", now: Sample.start + 11)
        #expect(second.id != first.id)
        #expect(try await store.remove(second.id))
        let third = try await store.add(self.entry("192.0.2.2"), by: "x", now: Sample.start + ListStore.expiredKept + 11)
        #expect(third.id != second.id)
        #expect(try await store.entries().entries.map(\.entry.id) == [third.id], "expired entries go after 30 days")
    }

    @Test("rows of another version do not count, and are told")
    func unknown() async throws {
        let directory = try TemporaryDirectory()
        let store = try ListStore(directory: directory.path)
        _ = try await store.add(self.entry("helo:*.dyn.example", isSpoofable: true), by: "x", now: Sample.start)
        let other = try DatabaseQueue(path: ListStore.file(in: directory.path))
        try await other.write { try $0.execute(sql: "UPDATE entries SET spoofable = 0") }
        let read = try await store.entries()
        #expect(read.entries.isEmpty)
        #expect(read.unknown == 1)
    }

    @Test("what is no database is an error")
    func damaged() throws {
        let directory = try TemporaryDirectory()
        try directory.write(String(repeating: "no database ", count: 1_000), to: "lists.sqlite")
        #expect(throws: DatabaseError.self) { try ListStore(directory: directory.path) }
    }
}

@Suite("Stored greylist")
struct GreylistDatabaseTests {
    private static let minute: Int64 = 60_000
    private let settings = GreylistSettings()

    private func key(_ content: UInt8, source: String = "network 192.0.2.0/24", path: String = "ann@example.org") -> GreylistKey {
        GreylistKey(source: source, path: path, content: [content])
    }

    @Test("delayed, then taken; over two connections, and a new message of the sender is not delayed")
    func course() async throws {
        let directory = try TemporaryDirectory()
        let first = try GreylistDatabase(directory: directory.path)
        let second = try GreylistDatabase(directory: directory.path)
        var now = Sample.start
        #expect(try await first.visit(self.key(1), settings: self.settings, now: now) == .delay(seconds: 300))
        #expect(try await second.visit(self.key(1), settings: self.settings, now: now + 1_000) == .delay(seconds: 299))
        let pending = try await second.list(.pending, limit: 10, now: now)
        #expect(pending.map(\.visits) == [2])
        #expect(pending.first?.first == now)
        now += 5 * Self.minute
        // Another message of the same sender has a record of its own until the sender is known.
        #expect(try await first.visit(self.key(2), settings: self.settings, now: now) == .delay(seconds: 300))
        #expect(try await second.visit(self.key(1), settings: self.settings, now: now) == .returned)
        #expect(try await first.visit(self.key(2), settings: self.settings, now: now + 1) == .known)
        #expect(try await first.visit(self.key(3), settings: self.settings, now: now + 2) == .known)
        let other = self.key(3, path: "eve@example.org")
        #expect(try await first.visit(other, settings: self.settings, now: now) == .delay(seconds: 300))
        #expect(try await first.list(.passed, limit: 10, now: now).map(\.path) == ["ann@example.org"])
    }

    @Test("people let senders pass and forget them")
    func people() async throws {
        let directory = try TemporaryDirectory()
        let store = try GreylistDatabase(directory: directory.path)
        let now = Sample.start
        _ = try await store.visit(self.key(1), settings: self.settings, now: now)
        let pending = try #require(try await store.list(limit: 10, now: now).first)
        #expect(try await store.pass(pending.id, settings: self.settings, now: now))
        #expect(try await !store.pass(pending.id, settings: self.settings, now: now))
        #expect(try await store.visit(self.key(1), settings: self.settings, now: now + 1) == .known)
        let passed = try #require(try await store.list(.passed, limit: 10, now: now).first)
        #expect(try await store.remove(passed.id))
        #expect(try await !store.remove(passed.id))
        #expect(try await store.visit(self.key(1), settings: self.settings, now: now + 2) == .delay(seconds: 300))
    }

    @Test("what has expired goes, and beyond the limit those that were not used for longest")
    func bounds() async throws {
        let directory = try TemporaryDirectory()
        let store = try GreylistDatabase(directory: directory.path, limit: 5)
        for number in 0..<20 {
            _ = try await store.visit(self.key(UInt8(number)), settings: self.settings, now: Sample.start + Int64(number))
        }
        let later = Sample.start + 2 * Self.minute
        _ = try await store.visit(self.key(100), settings: self.settings, now: later)
        #expect(try await store.list(limit: 100, now: later).count == 6, "the clearance, and the visit itself")
        let muchLater = later + 3 * 86_400_000
        _ = try await store.visit(self.key(101), settings: self.settings, now: muchLater)
        #expect(try await store.list(limit: 100, now: Sample.start).count == 1)
    }

    @Test("a damaged file is put aside, for it can be lost")
    func damaged() async throws {
        let directory = try TemporaryDirectory()
        try directory.write(String(repeating: "no database ", count: 1_000), to: "greylist.sqlite")
        let store = try GreylistDatabase(directory: directory.path)
        #expect(try await store.visit(self.key(1), settings: self.settings, now: Sample.start) == .delay(seconds: 300))
        #expect(FileManager.default.fileExists(atPath: directory.path + "/greylist.sqlite.damaged"))
        #expect(try await GreylistDatabase(directory: directory.path).list(limit: 9, now: Sample.start).count == 1)
    }

    @Test("many at once are all answered")
    func together() async throws {
        let directory = try TemporaryDirectory()
        let store = try GreylistDatabase(directory: directory.path)
        let settings = self.settings
        let verdicts = try await withThrowingTaskGroup(of: GreylistVerdict.self) { group in
            for number in 0..<500 {
                group.addTask {
                    let key = GreylistKey(source: "network 192.0.2.0/24", path: "a@b.example", content: [UInt8(number % 100)])
                    return try await store.visit(key, settings: settings, now: Sample.start)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(verdicts.count == 500)
        #expect(try await store.list(limit: 1_000, now: Sample.start).map(\.visits).reduce(0, +) == 500)
    }
}
