import Foundation
import GRDB
import MailPolicy
import OutpostTestKit
import SystemKit
import Testing

@testable import MailStore

@Suite("Checks of small databases")
struct SmallDatabaseCheckTests {
    private let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func file(_ name: String) -> String { "\(self.directory.path)/\(name).sqlite" }

    /// Makes each of them as its owner does.
    private func makeAll() throws {
        _ = try ListStore(directory: self.directory.path)
        _ = try LedgerStore(directory: self.directory.path)
        _ = try GreylistDatabase(directory: self.directory.path)
        _ = try RateDatabase(directory: self.directory.path)
        _ = try DMARCStore(directory: self.directory.path)
        _ = try RuleHitStore(directory: self.directory.path)
    }

    private func check(_ name: String, repairs: Bool = false) throws -> SmallDatabaseCheck.Report {
        let database = try #require(SmallDatabase.all.first { $0.name == name })
        return try #require(SmallDatabaseCheck(database, dataDirectory: self.directory.path, repairs: repairs)).run()
    }

    private func execute(_ name: String, _ sql: String) throws {
        let queue = try DatabaseQueue(path: self.file(name))
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    /// Nothing but noise.
    private func ruin(_ name: String) throws {
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: self.file(name) + suffix) }
        try Data(repeating: 7, count: 50_000).write(to: URL(filePath: self.file(name)))
        chmod(self.file(name), 0o600)
    }

    private func addLists(_ count: Int) async throws {
        let store = try ListStore(directory: self.directory.path)
        for number in 1...count {
            let subject = try ListEntry.subject("s\(number)@bad.example", action: .deny, isSpoofable: true)
            let entry = ListEntry(
                id: "",
                action: .deny,
                text: "s\(number)@bad.example",
                subject: subject,
                isSpoofable: true,
                scope: .all,
                comment: String(repeating: "x", count: 200),
                expires: nil
            )
            _ = try await store.add(entry, by: "ann", now: Sample.start)
        }
    }

    @Test("each database of the data directory is known, and sound when it is new")
    func sound() throws {
        for database in SmallDatabase.all {
            #expect(SmallDatabaseCheck(database, dataDirectory: self.directory.path, repairs: true) == nil)
        }
        try self.makeAll()
        let files = try FileManager.default.contentsOfDirectory(atPath: self.directory.path).filter { $0.hasSuffix(".sqlite") }
        #expect(Set(files) == Set(SmallDatabase.all.map { $0.name + ".sqlite" }))
        for database in SmallDatabase.all { #expect(try self.check(database.name).problems == []) }
    }

    @Test("what is no database gives way to a new one, and keeps a name that says so", arguments: SmallDatabase.all.map(\.name))
    func noDatabase(name: String) throws {
        for round in 1...2 {
            try self.makeAll()
            try self.ruin(name)
            let found = try self.check(name).problems
            #expect(found.map(\.kind) == [.databaseDamaged] && found.map(\.remedy) == [.none])
            let repaired = try #require(try self.check(name, repairs: true).problems.first)
            #expect(repaired.isOpen)
            let aside = "\(name).sqlite.damaged" + (round == 1 ? "" : ".\(round)")
            guard case .putAside(let text) = repaired.remedy else {
                Issue.record("\(repaired)")
                return
            }
            #expect(text.contains(aside) && text.contains("0 rows"))
            #expect(FileManager.default.contents(atPath: "\(self.directory.path)/\(aside)") == Data(repeating: 7, count: 50_000))
            #expect(try self.check(name).problems == [])
        }
        try self.makeAll()
    }

    @Test("while a gateway runs nothing is replaced")
    func gatewayRuns() throws {
        try self.makeAll()
        try self.ruin("ledger")
        let gateway = try DataDirectoryLock(self.directory.path)
        let problem = try #require(try self.check("ledger", repairs: true).problems.first)
        #expect(problem.remedy == .none && problem.detail.contains("stop the gateway"))
        #expect(FileManager.default.contents(atPath: self.file("ledger"))?.count == 50_000)
        withExtendedLifetime(gateway) {}
    }

    @Test("entries of the lists that can be read of a damaged database are kept")
    func salvage() async throws {
        let count = 300
        try await self.addLists(count)
        try self.execute("lists", "DROP INDEX entries_by_sender")
        let queue = try DatabaseQueue(path: self.file("lists"))
        try await queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try queue.close()
        let size = try #require(FileManager.default.attributesOfItem(atPath: self.file("lists"))[.size] as? Int)
        let file = try FileHandle(forUpdating: URL(filePath: self.file("lists")))
        try file.seek(toOffset: UInt64(size / 2 / 4_096 * 4_096))
        try file.write(contentsOf: Data(repeating: 0xff, count: 2 * 4_096))
        try file.close()
        #expect(try self.check("lists").problems.map(\.kind) == [.databaseDamaged])
        let report = try self.check("lists", repairs: true)
        #expect(report.problems.map(\.kind) == [.databaseDamaged] && report.problems[0].isOpen)
        let kept = try await ListStore(directory: self.directory.path).entries()
        #expect(kept.entries.count == report.rows && kept.unknown == 0)
        #expect(kept.entries.count > count / 2 && kept.entries.count < count)
        // From both sides of the damage.
        #expect(kept.entries.first?.entry.text == "s1@bad.example")
        #expect(kept.entries.last?.entry.text == "s\(count)@bad.example")
        #expect(try self.check("lists").problems == [])
    }

    @Test("damage that is in an index only goes beside a running gateway")
    func index() async throws {
        try await self.addLists(20)
        try self.execute("lists", "DROP INDEX entries_by_sender; CREATE INDEX entries_by_sender ON entries (sender)")
        // The index loses a row that the table has.
        try self.execute(
            "lists",
            """
            PRAGMA writable_schema = ON;
            CREATE TABLE copy AS SELECT sql, rootpage FROM sqlite_schema WHERE name = 'entries_by_sender';
            DELETE FROM sqlite_schema WHERE name = 'entries_by_sender';
            """
        )
        try self.execute("lists", "DELETE FROM entries WHERE id = 7")
        try self.execute(
            "lists",
            """
            PRAGMA writable_schema = ON;
            INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
            SELECT 'index', 'entries_by_sender', 'entries', rootpage, sql FROM copy;
            """
        )
        let gateway = try DataDirectoryLock(self.directory.path)
        #expect(try self.check("lists").problems.map(\.kind) == [.databaseDamaged])
        let repaired = try self.check("lists", repairs: true).problems
        #expect(repaired.map(\.remedy) == [.done("indexes made anew")])
        #expect(try self.check("lists").problems == [])
        withExtendedLifetime(gateway) {}
    }

    @Test("a table without a column that is read is put aside, and its rows are taken over")
    func schema() async throws {
        try self.makeAll()
        try self.execute(
            "rule-hits",
            "DROP TABLE hits; CREATE TABLE hits (rule TEXT NOT NULL, day TEXT NOT NULL, live INTEGER NOT NULL)"
        )
        let found = try self.check("rule-hits").problems
        #expect(found.map(\.kind) == [.schemaUnknown] && found[0].detail == "hits has no column shadow")
        #expect(try self.check("rule-hits", repairs: true).problems.map(\.isOpen) == [true])
        #expect(try self.check("rule-hits").problems == [])
    }

    @Test("a repair that was cut off is ended; until then nobody opens the database")
    func cutOff() async throws {
        try await self.addLists(3)
        try FileManager.default.copyItem(atPath: self.file("lists"), toPath: self.file("lists") + ".salvaged")
        #expect(throws: QuarantineError.self) { _ = try ListStore(directory: self.directory.path) }
        #expect(try self.check("lists").problems.map(\.kind) == [.databaseDamaged])
        #expect(try self.check("lists", repairs: true).problems.map(\.isOpen) == [true])
        #expect(try self.check("lists").problems == [])
        _ = try ListStore(directory: self.directory.path)
    }

    @Test("a file that others may read is theirs no more")
    func permissions() throws {
        try self.makeAll()
        chmod(self.file("dmarc"), 0o644)
        let found = try self.check("dmarc").problems
        #expect(found.map(\.kind).first == .permissions && found[0].name == "dmarc.sqlite")
        // SQLite gives the files beside it the same mode.
        let repaired = try self.check("dmarc", repairs: true).problems
        #expect(repaired.count >= 1 && repaired.allSatisfy { $0.kind == .permissions && $0.remedy == .done("corrected") })
        #expect(try self.check("dmarc").problems == [])
    }
}
