import ContentStorage
import Foundation
import GRDB
import Glibc
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("Finding messages")
struct ListingTests {
    let directory: TemporaryDirectory
    let store: QuarantineStore

    init() async throws {
        self.directory = try TemporaryDirectory()
        self.store = try Sample.store(self.directory)
    }

    private func fill() async throws {
        let records = [
            Sample.record(1, subject: "Invoice 4711"),
            Sample.record(
                2,
                envelope: Sample.envelope(from: nil, to: ["Boss@example.com", "b@example.net"]),
                subject: "Grüße aus KÖLN"
            ),
            Sample.record(3, kind: .rejectedCopy, rules: ["EXE_INSIDE", "BIG_WIN"], signature: "Win.Test.EICAR_HDB-1"),
            Sample.record(4, subject: "100% off_now", rules: ["UNDER_SCORE", "UNDERXSCORE"]),
        ]
        for record in records {
            if record.kind == .held {
                try await self.store.hold(record, content: .memory(Sample.message))
            } else {
                try await self.store.keepCopy(record, content: .memory(Sample.message))
            }
        }
        try await self.store.delete(Sample.id(4), by: "ann")
    }

    @Test(
        "filters narrow, and what is left comes newest first",
        arguments: [
            (QuarantineFilter(), [4, 3, 2, 1]),
            (.waiting, [2, 1]),
            (QuarantineFilter(kind: .rejectedCopy), [3]),
            (QuarantineFilter(states: [.deleted, .released]), [4]),
            (QuarantineFilter(since: Sample.start + 2, until: Sample.start + 4), [3, 2]),
            (QuarantineFilter(from: "SENDER@"), [4, 3, 1]),
            (QuarantineFilter(from: "a person"), [4, 3, 2, 1]),
            (QuarantineFilter(to: "boss@example.com"), [2]),
            (QuarantineFilter(to: "example.net"), [2]),
            (QuarantineFilter(rule: "big_win"), [3, 2, 1]),
            (QuarantineFilter(rule: "BIG"), []),
            (QuarantineFilter(rule: "EXE*"), [3]),
            (QuarantineFilter(rule: "UNDER_*"), [4]),
            (QuarantineFilter(signature: "*eicar*"), [3]),
            (QuarantineFilter(text: "köln grüße"), [2]),
            (QuarantineFilter(text: "invoice nothing"), []),
            (QuarantineFilter(text: "100%"), [4]),
            (QuarantineFilter(text: "' OR 1=1 --"), []),
            (QuarantineFilter(kind: .held, states: [.waiting], text: "user@example.com"), [1]),
        ] as [(QuarantineFilter, [Int])]
    )
    func filters(filter: QuarantineFilter, expected: [Int]) async throws {
        try await self.fill()
        #expect(try await self.store.list(filter).map(\.id) == expected.map(Sample.id))
        #expect(try await self.store.count(filter) == expected.count)
    }

    @Test("pages follow each other without a gap")
    func pages() async throws {
        for number in 0..<25 { try await self.store.hold(number) }
        var seen: [TransactionID] = []
        for offset in stride(from: 0, to: 30, by: 10) {
            seen += try await self.store.list(limit: 10, offset: offset).map(\.id)
        }
        #expect(seen == (0..<25).reversed().map(Sample.id))
    }

    @Test("a part of an id stands for the message when only one has it")
    func shortIDs() async throws {
        try await self.fill()
        let full = Sample.id(1).text
        #expect(try await self.store.resolve(full.lowercased()) == Sample.id(1))
        #expect(try await self.store.resolve(String(full.suffix(4))) == Sample.id(1))
        await #expect(throws: QuarantineError.ambiguous(String(full.prefix(4)), [4, 3, 2, 1].map(Sample.id))) {
            try await self.store.resolve(String(full.prefix(4)))
        }
        await #expect(throws: QuarantineError.notFound("ZZZZ")) { try await self.store.resolve("ZZZZ") }
    }

    @Test(
        "what is no id is refused before it reaches the database or a path",
        arguments: ["", "../../etc", "*", "A%", "AAAAAAAAAAAAA", "ü"]
    )
    func hostileIDs(text: String) async throws {
        try await self.fill()
        await #expect(throws: QuarantineError.notAnID(text)) { try await self.store.resolve(text) }
    }

    @Test("ten thousand messages are listed and searched")
    func manyRows() async throws {
        let store = self.store
        try await store.pool.write { database in
            for number in 0..<10_000 {
                try RowCodec.insert(Sample.record(number, subject: "Number \(number)"), octets: 100, into: database)
            }
        }
        let all = try await store.list(limit: 20_000).count
        let found = try await store.list(QuarantineFilter(text: "9999")).count
        let hit = try await store.count(QuarantineFilter(rule: "BIG_WIN"))
        #expect((all, found, hit) == (10_000, 1, 10_000))
    }

    @Test("a note stays with its message and in the trail")
    func notes() async throws {
        try await self.store.hold(1)
        try await self.store.mark(Sample.id(1), note: "ask Ann", by: "bob")
        #expect(try await self.store.list().first?.note == "ask Ann")
        try await self.store.mark(Sample.id(1), note: "", by: "bob")
        #expect(try await self.store.record(Sample.id(1)).note == nil)
        #expect(try await self.store.audit(Sample.id(1)).map(\.detail) == ["ask Ann", ""])
        await #expect(throws: QuarantineError.notFound(Sample.id(2).text)) {
            try await self.store.mark(Sample.id(2), note: "x", by: "bob")
        }
    }

    @Test("an export is the stored bytes, for its user only, and replaces nothing")
    func export() async throws {
        try await self.store.hold(1)
        let path = self.directory.path + "/out.eml"
        try await self.store.export(Sample.id(1), to: path, by: "ann")
        #expect(try Fixture.bytes(URL(filePath: path)) == Sample.message)
        #expect(try Self.mode(path) == 0o600)
        await #expect(throws: (any Error).self) { try await self.store.export(Sample.id(1), to: path, by: "ann") }
        #expect(try await self.store.audit(Sample.id(1)).map(\.action) == [.exported])
    }

    // MARK: Permissions

    static func mode(_ path: String) throws -> UInt32 {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o777
    }

    private static func all(below path: String) -> [String] {
        [path] + (FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []).map { "\(path)/\($0)" }
    }

    @Test("directories are 0700 and files 0600, whatever the umask, and a looser directory is closed again")
    func permissions() async throws {
        try await self.store.hold(1)
        let path = self.store.files.directory
        chmod(path, 0o755)
        _ = try Sample.store(self.directory)
        for item in Self.all(below: path) {
            var status = stat()
            try #require(stat(item, &status) == 0)
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            #expect(status.st_mode & 0o777 == (isDirectory ? 0o700 : 0o600), "\(item)")
        }
    }

    @Test("what root makes belongs to the directory's owner", .enabled(if: geteuid() == 0, "needs root"))
    func rootLeavesOwner() async throws {
        let nobody: uid_t = 65_534
        let home = try TemporaryDirectory()
        #expect(chown(home.path, nobody, nobody) == 0)
        let store = try Sample.store(home)
        try await store.hold(1)
        try await store.keepCopy(Sample.record(2, kind: .rejectedCopy), content: .memory(Sample.message))
        let items = Self.all(below: home.path + "/quarantine")
        #expect(items.contains { $0.hasSuffix("-wal") } && items.contains { $0.hasSuffix("-shm") })
        for item in items {
            var status = stat()
            try #require(stat(item, &status) == 0)
            #expect(status.st_uid == nobody && status.st_gid == nobody, "\(item)")
        }
    }

    @Test("a directory that cannot be made is told by name")
    func unusable() throws {
        let path = self.directory.path + "/no/such/place"
        #expect {
            try QuarantineStore(directory: path)
        } throws: { error in
            "\(error)".hasPrefix("the quarantine cannot be used: ") && "\(error)".contains("/no/such")
        }
    }
}
