import ContentStorage
import Foundation
import GRDB
import MailTypes
import OpenSSLKit
import OutpostTestKit
import SystemKit
import Testing

@testable import MailStore

/// A data directory with three messages in each store.
private struct CheckedDirectory {
    let temporary: TemporaryDirectory
    var path: String { self.temporary.path }

    init() async throws {
        self.temporary = try TemporaryDirectory()
        let spool = try Sample.spool(self.temporary)
        let quarantine = try Sample.store(self.temporary)
        for number in 1...3 {
            try await spool.store(number, to: ["a@example.com", "b@example.com"])
            var record = Sample.record(number)
            record.contentHash = SHA256.hash(Sample.message)
            try await quarantine.hold(record, content: .memory(Sample.message))
        }
    }

    func file(_ store: StoreCheck.Store, _ number: Int) -> String { "\(self.path)/\(store)/messages/\(Sample.id(number)).eml" }

    func names(_ store: StoreCheck.Store, _ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(self.path)/\(store)/\(folder)")) ?? []).sorted()
    }

    func execute(_ store: StoreCheck.Store, _ sql: String) throws {
        var configuration = Configuration()
        // The store that was just closed may still tidy up.
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: "\(self.path)/\(store)/\(store).sqlite", configuration: configuration)
        try queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA foreign_keys = OFF")
            try database.execute(sql: sql)
        }
    }

    func check(_ store: StoreCheck.Store, repairs: Bool = false) throws -> StoreCheck.Report {
        try #require(try StoreCheck(store, dataDirectory: self.path, repairs: repairs)).run()
    }

    /// The one problem there is, and that it is the same in a repair, and gone after that.
    func problem(_ store: StoreCheck.Store) throws -> StoreProblem {
        let found = try self.check(store).problems
        #expect(found.count == 1, "\(found)")
        #expect(found.allSatisfy { $0.remedy == .none && $0.isOpen })
        #expect(try self.check(store).problems == found, "a check without repair changes nothing")
        let repaired = try self.check(store, repairs: true).problems
        #expect(repaired.map(\.kind) == found.map(\.kind))
        #expect(try self.check(store).problems == [])
        return try #require(repaired.first)
    }

    func age(_ path: String) throws {
        let old = Date(timeIntervalSinceNow: -2 * 3_600)
        try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: path)
    }
}

@Suite("Checks of quarantine and spool")
struct StoreCheckTests {
    private typealias Store = StoreCheck.Store

    @Test("sound stores have no problems, and one that is not there yet is none", arguments: StoreCheck.Store.allCases)
    func sound(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        let report = try directory.check(store)
        #expect(report.problems == [])
        #expect(report.messages == 3)
        let empty = try TemporaryDirectory()
        #expect(try StoreCheck(store, dataDirectory: empty.path, repairs: true) == nil)
    }

    @Test("a row without its file is put aside with sender and recipients", arguments: StoreCheck.Store.allCases)
    func fileMissing(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        try FileManager.default.removeItem(atPath: directory.file(store, 2))
        let problem = try directory.problem(store)
        #expect(problem.kind == .fileMissing)
        #expect(problem.name == "\(Sample.id(2))")
        #expect(problem.detail.contains("sender@example.org"))
        #expect(problem.detail.contains(store == .spool ? "<b@example.com>" : "user@example.com"))
        #expect(problem.isOpen)
        let note = "\(Sample.id(2)).json"
        #expect(directory.names(store, "damaged") == [note])
        let text = String(
            decoding: FileManager.default.contents(atPath: "\(directory.path)/\(store)/damaged/\(note)") ?? Data(),
            as: UTF8.self
        )
        #expect(text.contains("sender@example.org") || text.contains("\\\"domain\\\":\\\"example.org\\\""), "\(text)")
    }

    @Test("damaged content is put aside, never removed", arguments: StoreCheck.Store.allCases, [true, false])
    func damagedContent(store: StoreCheck.Store, isShort: Bool) async throws {
        let directory = try await CheckedDirectory()
        var octets = Sample.message
        if isShort { octets.removeLast() } else { octets[3] ^= 1 }
        try Data(octets).write(to: URL(filePath: directory.file(store, 2)))
        chmod(directory.file(store, 2), 0o600)
        let problem = try directory.problem(store)
        #expect(problem.kind == (isShort ? .wrongLength : .wrongContent))
        #expect(directory.names(store, "damaged") == ["\(Sample.id(2)).eml", "\(Sample.id(2)).json"])
        let kept = FileManager.default.contents(atPath: "\(directory.path)/\(store)/damaged/\(Sample.id(2)).eml")
        #expect(kept == Data(octets))
        #expect(directory.names(store, "messages") == ["\(Sample.id(1)).eml", "\(Sample.id(3)).eml"])
        if store == .spool {
            #expect(try await Sample.spool(directory.temporary).list().map(\.id) == [Sample.id(1), Sample.id(3)])
        } else {
            let entry = try await Sample.store(directory.temporary).record(Sample.id(2))
            #expect(entry.state == .deleted)
        }
    }

    @Test(
        "a repair that was cut off before the row went is run again, and replaces nothing",
        arguments: StoreCheck.Store.allCases
    )
    func putAsideCutOff(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        let files = try MessageFiles(inspecting: "\(directory.path)/\(store)", database: store.databaseName)
        let name = "\(Sample.id(2))"
        _ = try files.putAside(text: "first", "\(name).json")
        try files.putAside("\(name).eml")
        #expect(try directory.problem(store).kind == .fileMissing)
        #expect(directory.names(store, "damaged") == ["\(name).eml", "\(name).json", "\(name).json.2"])
        let kept = FileManager.default.contents(atPath: "\(directory.path)/\(store)/damaged/\(name).eml")
        #expect(kept == Data(Sample.message))
    }

    @Test(
        "a row that means nothing is put aside with its content",
        arguments: [
            (StoreCheck.Store.spool, "facts = x'00'"), (.spool, "expires = 'never'"), (.spool, "route = x'ff'"),
            (.quarantine, "facts = x'00'"),
            (.quarantine, "state = 'odd'"), (.quarantine, "received = 'x'"),
        ]
    )
    func unreadable(store: StoreCheck.Store, change: String) async throws {
        let directory = try await CheckedDirectory()
        try directory.execute(store, "UPDATE messages SET \(change) WHERE id = '\(Sample.id(2))'")
        #expect(try directory.problem(store).kind == .rowUnreadable)
        #expect(directory.names(store, "damaged") == ["\(Sample.id(2)).eml", "\(Sample.id(2)).json"])
        #expect(directory.names(store, "messages").count == 2)
    }

    @Test("recipients of whom the spool does not know whether they wait do wait")
    func recipients() async throws {
        let directory = try await CheckedDirectory()
        let id = Sample.id(2)
        try directory.execute(.spool, "UPDATE recipients SET state = 'delivered' WHERE message = '\(id)' AND number = 0")
        try directory.execute(.spool, "DELETE FROM recipients WHERE message = '\(id)' AND number = 1")
        let problem = try directory.problem(.spool)
        #expect(problem.kind == .recipients)
        #expect(!problem.isOpen)
        let store = try Sample.spool(directory.temporary)
        #expect(try await store.message(id).recipients.map(\.state) == [.delivered, .waiting])
        // Now it can be put off without being forgotten.
        #expect(try await store.attempted(id, [], next: 0) == false)
    }

    @Test("files without a row go once they are old; young ones are named and stay", arguments: StoreCheck.Store.allCases)
    func ownerless(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        let base = "\(directory.path)/\(store)"
        let old = [directory.file(store, 8), "\(base)/temporary/left"]
        let young = [directory.file(store, 9), "\(base)/temporary/young"]
        for path in old + young {
            #expect(FileManager.default.createFile(atPath: path, contents: Data([1]), attributes: [.posixPermissions: 0o600]))
        }
        for path in old { try directory.age(path) }
        let found = try directory.check(store).problems
        #expect(found.filter(\.isOpen).map(\.kind).sorted { $0.rawValue < $1.rawValue } == [.unfinishedFile, .fileWithoutRow])
        #expect(found.filter { $0.remedy == .mayBeOnItsWay }.count == 2)
        let repaired = try directory.check(store, repairs: true).problems
        #expect(repaired.allSatisfy { !$0.isOpen })
        #expect(old.filter { FileManager.default.fileExists(atPath: $0) } == [])
        #expect(young.allSatisfy { FileManager.default.fileExists(atPath: $0) })
        #expect(directory.names(store, "damaged").isEmpty)
    }

    @Test("rows of messages that are not there are removed")
    func strayRows() async throws {
        let directory = try await CheckedDirectory()
        try directory.execute(.spool, "INSERT INTO recipients (message, number, state) VALUES ('nobody', 0, 'waiting')")
        #expect(try directory.problem(.spool).kind == .strayRow)
    }

    @Test("a spool of an earlier version is no problem")
    func earlierVersion() async throws {
        let directory = try await CheckedDirectory()
        try directory.execute(.spool, "DROP TRIGGER notice_made; DROP TABLE told; ALTER TABLE messages DROP COLUMN about")
        #expect(try directory.check(.spool).problems == [])
    }

    @Test("wrong sums are counted again", arguments: StoreCheck.Store.allCases)
    func room(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        try directory.execute(
            store,
            "UPDATE room SET octets = octets + 1000" + (store == .quarantine ? " WHERE kind = 'held'" : "")
        )
        let problem = try directory.problem(store)
        #expect(problem.kind == .room)
        #expect(problem.remedy == .done("counted again"))
    }

    @Test("what others may read is theirs no more", arguments: StoreCheck.Store.allCases)
    func permissions(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        chmod(directory.file(store, 2), 0o644)
        let problem = try directory.problem(store)
        #expect(problem.kind == .permissions)
        #expect(problem.detail == "mode 644 instead of 600")
    }

    @Test("a link is not followed")
    func link() async throws {
        let directory = try await CheckedDirectory()
        let outside = try directory.temporary.write("outside", to: "outside")
        chmod(outside, 0o644)
        let link = "\(directory.path)/spool/messages/link"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: outside)
        let problems = try directory.check(.spool, repairs: true).problems
        #expect(problems.contains { $0.kind == .permissions && $0.remedy == .none })
        var status = stat()
        #expect(stat(outside, &status) == 0 && status.st_mode & 0o777 == 0o644)
    }

    @Test("messages without a database are put aside, and the store can be opened again", arguments: StoreCheck.Store.allCases)
    func databaseMissing(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: "\(directory.path)/\(store)/\(store).sqlite\(suffix)")
        }
        #expect(try directory.problem(store).kind == .databaseMissing)
        #expect(directory.names(store, "damaged").count == 3)
        #expect(try await Sample.spool(directory.temporary).list().count == (store == .spool ? 0 : 3))
    }

    @Test("a database that is none gives way to a new one while no gateway runs", arguments: StoreCheck.Store.allCases)
    func noDatabase(store: StoreCheck.Store) async throws {
        let directory = try await CheckedDirectory()
        let database = "\(directory.path)/\(store)/\(store).sqlite"
        for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: database + suffix) }
        try Data(repeating: 7, count: 50_000).write(to: URL(filePath: database))
        chmod(database, 0o600)
        do {
            let gateway = try DataDirectoryLock(directory.path)
            let problems = try directory.check(store, repairs: true).problems
            #expect(problems.map(\.kind) == [.databaseDamaged])
            #expect(problems[0].detail.contains("stop the gateway") && problems[0].detail.contains("\(getpid())"))
            #expect(directory.names(store, "damaged").isEmpty)
            withExtendedLifetime(gateway) {}
        }
        let problem = try directory.problem(store)
        #expect(problem.kind == .databaseDamaged)
        #expect(directory.names(store, "damaged").filter { $0.hasSuffix(".eml") }.count == 3)
        #expect(directory.names(store, "damaged").contains("\(store).sqlite"))
        // It works.
        if store == .spool {
            try await Sample.spool(directory.temporary).store(5)
        } else {
            try await Sample.store(directory.temporary).hold(5)
        }
    }

    @Test("what can be read of a damaged database is kept, and the files of the rest are put aside")
    func salvage() async throws {
        let directory = try TemporaryDirectory()
        let spool = try Sample.spool(directory)
        let count = 200
        for number in 1...count { try await spool.store(number) }
        let database = directory.path + "/spool/spool.sqlite"
        // All of it into the file, and a hole into the middle of the file.
        try await spool.checkpoint()
        try spool.close()
        let size = try #require(FileManager.default.attributesOfItem(atPath: database)[.size] as? Int)
        let file = try FileHandle(forUpdating: URL(filePath: database))
        try file.seek(toOffset: UInt64(size / 2 / 4_096 * 4_096))
        try file.write(contentsOf: Data(repeating: 0xff, count: 8 * 4_096))
        try file.close()
        let check = try #require(try StoreCheck(.spool, dataDirectory: directory.path, repairs: true))
        let report = try check.run()
        #expect(report.problems.contains { $0.kind == .databaseDamaged && $0.isOpen })
        let kept = try await Sample.spool(directory).list(limit: 1_000)
        #expect(kept.count > 0 && kept.count < count)
        let aside = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/spool/damaged")
        #expect(
            Set(kept.map(\.id.text)).union(aside.map { String($0.prefix(12)) }).isSuperset(
                of: (1...count).map { Sample.id($0).text }
            )
        )
        for message in kept { #expect(try Sample.spool(directory).content(of: message).bytes() == Sample.message) }
        let again = try #require(try StoreCheck(.spool, dataDirectory: directory.path, repairs: false))
        #expect(try again.run().problems == [])
    }

    @Test("a repair that was cut off before the new database had its place goes on there")
    func salvageCutOff() async throws {
        let directory = try await CheckedDirectory()
        let database = "\(directory.path)/spool/spool.sqlite"
        // The state between the two names: complete aside, the old one still there.
        let queue = try DatabaseQueue(path: database + ".salvaged")
        try SpoolSchema.migrator.migrate(queue)
        try queue.close()
        chmod(database + ".salvaged", 0o600)
        #expect(throws: QuarantineError.self) { _ = try Sample.spool(directory.temporary) }
        let problems = try directory.check(.spool, repairs: true).problems
        #expect(problems.first?.kind == .databaseDamaged)
        #expect(directory.names(.spool, "damaged").filter { $0.hasSuffix(".eml") }.count == 3)
        #expect(try directory.check(.spool).problems == [])
    }

    @Test("messages that come and go while it looks are no problems")
    func concurrent() async throws {
        let directory = try await CheckedDirectory()
        let store = try Sample.spool(directory.temporary)
        let work = Task {
            var number = 10
            do {
                while !Task.isCancelled {
                    try await store.store(number, to: ["a@example.com"])
                    let done = SpoolResult(number: 0, state: .delivered, reply: "250 ok")
                    try await store.attempted(Sample.id(number), [done], next: 0)
                    number += 1
                }
            } catch is CancellationError {
                // Out of the database's waiting.
            }
            return number
        }
        for _ in 0..<15 {
            let problems = try directory.check(.spool, repairs: true).problems
            #expect(problems.filter { $0.remedy != .mayBeOnItsWay } == [])
        }
        work.cancel()
        #expect(try await work.value > 11)
        #expect(try directory.check(.spool).problems == [])
    }
}

@Suite("One gateway a data directory")
struct DataDirectoryLockTests {
    @Test("the second is told who has it, and gets it when the first has ended, however that was")
    func lock() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        var first: DataDirectoryLock? = try DataDirectoryLock(path)
        let error = #expect(throws: DataDirectoryLock.Taken.self) { _ = try DataDirectoryLock(path) }
        #expect(error?.description.contains(path) == true && error?.description.contains("process \(getpid())") == true)
        withExtendedLifetime(first) {}
        first = nil
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try DataDirectoryLock(path)
            kill(getpid(), SIGKILL)
            withExtendedLifetime(lock) {}
        }
        _ = try DataDirectoryLock(path)
    }
}
