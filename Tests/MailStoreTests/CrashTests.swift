import ContentStorage
import Foundation
import Glibc
import MailTypes
import OutpostTestKit
import Testing

@testable import MailStore

@Suite("What a crash leaves")
struct CrashTests {
    @Test(
        "a process killed at any step leaves the whole message or none, and the messages before it",
        arguments: StoreStep.allCases
    )
    func killed(step: StoreStep) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/quarantine"
        let name = step.rawValue
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, name = name as String] in
            let before = try QuarantineStore(directory: path, limits: QuarantineLimits())
            try await before.hold(1)
            let store = try QuarantineStore(
                directory: path,
                limits: QuarantineLimits(),
                clock: TimeText.now,
                step: { if $0.rawValue == name { kill(getpid(), SIGKILL) } }
            )
            try await store.hold(2)
        }
        let store = try Sample.store(directory)
        let ids = Set(try await store.list().map(\.id))
        #expect(ids.contains(Sample.id(1)))
        #expect(ids.contains(Sample.id(2)) == (step == .committed))
        for id in ids {
            #expect(try await store.content(of: id).bytes() == Sample.message)
        }
        // The gateway never told the sender that it has the message, so the sender sends it again, with another id.
        try await store.hold(3)
        #expect(try await store.content(of: Sample.id(3)).bytes() == Sample.message)
    }

    @Test("files without a row go once they are an hour old; younger ones and messages stay")
    func sweep() async throws {
        let directory = try TemporaryDirectory()
        let first = try Sample.store(directory)
        try await first.hold(1)
        let old = Date(timeIntervalSinceNow: -2 * 3_600)
        let orphans = [
            first.files.path(of: Sample.id(8)), first.files.messages + "/../messages/not a message",
            first.files.temporary + "/left",
        ]
        let kept = [first.files.path(of: Sample.id(9)), first.files.temporary + "/young"]
        for path in orphans + kept {
            #expect(FileManager.default.createFile(atPath: path, contents: Data([1])))
        }
        for path in orphans + [first.files.path(of: Sample.id(1))] {
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: path)
        }
        // The next open within the hour leaves the directory alone.
        _ = try Sample.store(directory)
        #expect(orphans.allSatisfy { FileManager.default.fileExists(atPath: $0) })
        let later = try Sample.store(directory, clock: { Sample.start + 1_000_000 + 3_600_000 })
        #expect(orphans.filter { FileManager.default.fileExists(atPath: $0) } == [])
        #expect(kept.allSatisfy { FileManager.default.fileExists(atPath: $0) })
        #expect(try await later.content(of: Sample.id(1)).bytes() == Sample.message)
    }

    @Test("a release whose process died is taken over and says that the message may have been delivered")
    func releaseCutOff() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/quarantine"
        let store = try Sample.store(directory)
        try await store.hold(1)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let other = try QuarantineStore(directory: path, limits: QuarantineLimits())
            _ = try await other.beginRelease(Sample.id(1), by: "ann")
            kill(getpid(), SIGKILL)
        }
        #expect(try await store.record(Sample.id(1)).state == .releasing)
        let claim = try await store.beginRelease(Sample.id(1), by: "bob")
        #expect(claim.mayHaveBeenDelivered)
        // A failure now does not forget that doubt.
        try await store.finishRelease(claim, .failed("451 later"))
        let entry = try await store.record(Sample.id(1))
        #expect(entry.state == .waiting)
        #expect(entry.mayHaveBeenDelivered)
        #expect(try await store.audit(Sample.id(1)).map(\.action) == [.releaseBegun, .releaseTakenOver, .releaseFailed])
    }

    @Test("while another process releases a message, this one may not")
    func twoProcesses() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/quarantine"
        let store = try Sample.store(directory)
        try await store.hold(1)
        let claim = try await store.beginRelease(Sample.id(1), by: "ann")
        await #expect(processExitsWith: .exitCode(75)) { [path = path as String] in
            let other = try QuarantineStore(directory: path, limits: QuarantineLimits())
            do {
                _ = try await other.beginRelease(Sample.id(1), by: "bob")
            } catch QuarantineError.beingReleased(_, _, by: "ann") {
                exit(75)
            }
        }
        try await store.finishRelease(claim, .delivered("250 ok"))
        await #expect(processExitsWith: .exitCode(1)) { [path = path as String] in
            let other = try QuarantineStore(directory: path, limits: QuarantineLimits())
            do {
                _ = try await other.beginRelease(Sample.id(1), by: "bob")
            } catch QuarantineError.alreadyReleased(_, _, by: "ann") {
                exit(1)
            }
        }
    }
}
