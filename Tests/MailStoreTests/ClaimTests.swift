import ContentStorage
import Dispatch
import Foundation
import MailTypes
import OpenSSLKit
import OutpostTestKit
import Synchronization
import Testing

@testable import MailStore

/// A store whose writer stops at one step, with a message on its way.
private struct StoppedWriter {
    let directory: TemporaryDirectory
    private let gate = DispatchSemaphore(value: 0)
    private let stored: Task<Void, any Error>

    /// Returns when the step is reached.
    init(_ store: StoreCheck.Store, at step: StoreStep) async throws {
        self.directory = try TemporaryDirectory()
        let path = "\(self.directory.path)/\(store)"
        let (steps, continuation) = AsyncStream.makeStream(of: Void.self)
        let gate = self.gate
        let stop: @Sendable (StoreStep) -> Void = {
            guard $0 == step else { return }
            continuation.yield()
            gate.wait()
        }
        self.stored = Task {
            defer { continuation.finish() }
            switch store {
            case .spool:
                let spool = try SpoolStore(directory: path, limits: SpoolLimits(), step: stop)
                try await spool.store(Sample.spooled(1), content: .memory(Sample.message))
            case .quarantine:
                let quarantine = try QuarantineStore(
                    directory: path,
                    limits: QuarantineLimits(),
                    clock: { Sample.start },
                    step: stop
                )
                var record = Sample.record(1)
                record.contentHash = SHA256.hash(Sample.message)
                try await quarantine.hold(record, content: .memory(Sample.message))
            }
        }
        for await _ in steps { break }
    }

    /// What the clock says when it jumps ahead: each file looks as if it had lain there for two hours.
    func ageFiles(_ store: StoreCheck.Store) throws {
        for folder in ["messages", "temporary"] {
            let path = "\(self.directory.path)/\(store)/\(folder)"
            for name in try FileManager.default.contentsOfDirectory(atPath: path) {
                let old = Date(timeIntervalSinceNow: -2 * 3_600)
                try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: "\(path)/\(name)")
            }
        }
    }

    func goOn() async throws {
        self.gate.signal()
        try await self.stored.value
    }
}

@Suite("Files of messages on their way")
struct ClaimTests {
    @Test("the spool's sweep leaves them, however old the clock makes them", arguments: StoreStep.allCases)
    func spool(step: StoreStep) async throws {
        let writer = try await StoppedWriter(.spool, at: step)
        try writer.ageFiles(.spool)
        try await Sample.spool(writer.directory).sweep()
        try await writer.goOn()
        let spool = try Sample.spool(writer.directory)
        let message = try await spool.message(Sample.id(1))
        #expect(try spool.content(of: message).bytes() == Sample.message)
    }

    /// Not while the row is inserted: then another process waits for the database anyway.
    private static let steps = StoreStep.allCases.filter { $0 != .rowInserted }

    @Test("the quarantine's sweep leaves them", arguments: steps)
    func quarantine(step: StoreStep) async throws {
        let writer = try await StoppedWriter(.quarantine, at: step)
        try writer.ageFiles(.quarantine)
        _ = try Sample.store(writer.directory, clock: { Sample.start + 2 * 3_600_000 })
        try await writer.goOn()
        #expect(try await Sample.store(writer.directory).content(of: Sample.id(1)).bytes() == Sample.message)
    }

    @Test("a repair leaves them, and says that they may be on their way", arguments: StoreCheck.Store.allCases, steps)
    func repair(store: StoreCheck.Store, step: StoreStep) async throws {
        let writer = try await StoppedWriter(store, at: step)
        try writer.ageFiles(store)
        let problems = try StoreCheck(store, dataDirectory: writer.directory.path, repairs: true)?.run().problems ?? []
        #expect(problems.map(\.remedy) == (step == .committed ? [] : [.mayBeOnItsWay]))
        try await writer.goOn()
        #expect(try StoreCheck(store, dataDirectory: writer.directory.path, repairs: false)?.run().problems == [])
        #expect(try StoreCheck(store, dataDirectory: writer.directory.path, repairs: false)?.run().messages == 1)
    }

    @Test("the retention of a running gateway removes what a crash left in the quarantine, once an hour")
    func retention() async throws {
        let directory = try TemporaryDirectory()
        let time = Mutex(Sample.start)
        let store = try QuarantineStore(
            directory: directory.path + "/quarantine",
            limits: QuarantineLimits(),
            clock: { time.withLock { $0 } }
        )
        try await store.hold(1)
        let orphan = store.files.path(of: Sample.id(9))
        #expect(FileManager.default.createFile(atPath: orphan, contents: Data([1])))
        for path in [orphan, store.files.path(of: Sample.id(1))] {
            let old = Date(timeIntervalSinceNow: -2 * 3_600)
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: path)
        }
        try await store.purge(.retention, by: "test")
        #expect(FileManager.default.fileExists(atPath: orphan))
        time.withLock { $0 += 3_600_000 }
        try await store.purge(.retention, by: "test")
        #expect(!FileManager.default.fileExists(atPath: orphan))
        #expect(try await store.content(of: Sample.id(1)).bytes() == Sample.message)
    }
}
