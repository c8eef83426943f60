import ContentStorage
import Foundation
import Glibc
import Logging
import MailTypes
import OutpostTestKit
import Synchronization
import SystemKit
import Testing

@testable import VirusScan

@Suite("The supervised scanner", .serialized, .enabled(if: BuiltScanner.isThere, "outpost-scanner is not built"))
struct ScannerSupervisorTests {
    private static let budget = Duration.seconds(20)

    private let directory: TemporaryDirectory
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        self.directory = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: BuiltScanner.signatures, toPath: self.database)
    }

    private var database: String { self.directory.path + "/db" }

    private func configuration() -> ScannerSupervisor.Configuration {
        var configuration = ScannerSupervisor.Configuration(database: self.database, runDirectory: self.directory.path + "/run")
        configuration.scannerPath = BuiltScanner.path
        configuration.concurrency = 4
        configuration.watchInterval = .milliseconds(30)
        configuration.shortestHang = .milliseconds(100)
        return configuration
    }

    /// Runs a supervisor and, whatever happens, leaves no process behind.
    private func supervised(
        _ configuration: ScannerSupervisor.Configuration,
        _ body: (ScannerSupervisor) async throws -> Void
    ) async throws {
        let supervisor = try ScannerSupervisor(configuration: configuration, logger: self.logger)
        try await supervisor.start()
        await supervisor.started()
        do {
            try await body(supervisor)
        } catch {
            await supervisor.stop()
            throw error
        }
        let processes = await supervisor.status().processIDs
        await supervisor.stop()
        for process in processes { #expect(kill(process, 0) != 0, "process \(process) is left") }
        let left = try Directory.entries(configuration.runDirectory)
        #expect(left.isEmpty)
    }

    @Test("EICAR is found raw, in a message, in archives and in parts, in memory and in a file")
    func eicar() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let clean = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: Self.budget)
            #expect(clean.status == .clean)
            #expect(clean.engine?.hasPrefix("libclamav ") == true)
            #expect(clean.microseconds > 0)

            var samples = [ScanSamples.eicar, ScanSamples.mail(attachment: ScanSamples.eicar)]
            if ScanSamples.isInstalled("zip") {
                let zip = try ScanSamples.packed(
                    ScanSamples.eicar,
                    by: ["zip", "-q", "a.zip", "content.bin"],
                    to: "a.zip",
                    in: directory
                )
                let nested = try ScanSamples.run(["zip", "-q", "b.zip", "a.zip"], result: "b.zip", in: directory)
                samples += [zip, nested, ScanSamples.mail(attachment: nested)]
            }
            if ScanSamples.isInstalled("gzip") {
                samples.append(
                    try ScanSamples.packed(
                        ScanSamples.eicar,
                        by: ["gzip", "-kf", "content.bin"],
                        to: "content.bin.gz",
                        in: directory
                    )
                )
            }
            for sample in samples {
                let inMemory = await supervisor.scan(ScanSamples.subject(sample), budget: Self.budget)
                #expect(inMemory.status == .found([ScanSamples.eicarName]))
                let inFile = try await supervisor.scan(ScanSamples.file(sample, in: directory), budget: Self.budget)
                #expect(inFile.status == .found([ScanSamples.eicarName]))
            }
            let inPart = ScanSubject(message: .memory(ScanSamples.clean), parts: [[], ScanSamples.clean, ScanSamples.eicar])
            #expect(await supervisor.scan(inPart, budget: Self.budget).status == .found([ScanSamples.eicarName]))
        }
    }

    @Test("a command whose scanner cannot be started hears so at once, however long it would have waited")
    func startsOnce() async throws {
        var configuration = self.configuration()
        configuration.startsOnce = true
        configuration.database = self.directory.path + "/nothing"
        try await self.supervised(configuration) { supervisor in
            for _ in 0..<2 {
                // A day: the test would not end.
                let findings = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: .seconds(86_400))
                guard case .notScanned(.failed(let reason)) = findings.status else {
                    Issue.record("\(findings.status)")
                    return
                }
                #expect(reason.hasPrefix("no virus scanner: exited with"), "\(reason)")
            }
        }
    }

    @Test("a locked archive is a finding", .enabled(if: ScanSamples.isInstalled("zip")))
    func encrypted() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let zip = try ScanSamples.packed(
                ScanSamples.clean,
                by: ["zip", "-q", "-P", "secret", "a.zip", "content.bin"],
                to: "a.zip",
                in: directory
            )
            for sample in [zip, ScanSamples.mail(attachment: zip)] {
                let findings = await supervisor.scan(ScanSamples.subject(sample), budget: Self.budget)
                #expect(findings.status == .found(["Heuristics.Encrypted.Zip"]))
            }
        }
    }

    @Test(
        "a file that the engine would cut is never clean, however it is packed, and however often it is seen",
        arguments: [
            ["zip", "-q", "o", "content.bin"], ["gzip", "-kf", "content.bin"], ["bzip2", "-kf", "content.bin"],
            ["xz", "-kf", "content.bin"], ["7z", "a", "-y", "o.7z", "content.bin"], ["tar", "czf", "o.tgz", "content.bin"],
        ].filter { ScanSamples.isInstalled($0[0]) }
    )
    func memberTooLarge(tool: [String]) async throws {
        let results = [
            "zip": "o.zip", "gzip": "content.bin.gz", "bzip2": "content.bin.bz2", "xz": "content.bin.xz", "7z": "o.7z",
            "tar": "o.tgz",
        ]
        var configuration = self.configuration()
        configuration.maxFileSize = 300_000
        try await self.supervised(configuration) { supervisor in
            // Within the engine's own limit, and far beyond it.
            for size in [400_000, 8_000_000] {
                for leftover in results.values {
                    try? FileManager.default.removeItem(at: directory.url.appending(path: leftover))
                }
                let content = [UInt8](repeating: 0, count: size)
                let packed = try ScanSamples.packed(content, by: tool, to: results[tool[0]]!, in: directory)
                #expect(packed.count < 200_000)
                for sample in [packed, packed, ScanSamples.mail(attachment: packed)] {
                    let findings = await supervisor.scan(ScanSamples.subject(sample), budget: Self.budget)
                    guard case .found(let names) = findings.status else {
                        Issue.record("\(tool[0]) with \(size) octets: \(findings.status)")
                        continue
                    }
                    #expect(names.allSatisfy { $0.hasPrefix("Heuristics.Limits.Exceeded.") })
                }
            }
            let allowed = try ScanSamples.packed(
                [UInt8](repeating: 0, count: 299_000),
                by: ["gzip", "-kf", "content.bin"],
                to: "content.bin.gz",
                in: directory
            )
            #expect(await supervisor.scan(ScanSamples.subject(allowed), budget: Self.budget).status == .clean)
            let long = ScanSamples.subject([UInt8](repeating: 0x41, count: 300_001))
            #expect(await supervisor.scan(long, budget: Self.budget).status == .found(["Heuristics.Limits.Exceeded.MaxFileSize"]))
        }
    }

    @Test(
        "all of ClamAV's test files are found",
        .enabled(if: FileManager.default.fileExists(atPath: "/usr/share/clamav-testfiles"))
    )
    func testFiles() async throws {
        let base = "/usr/share/clamav-testfiles"
        try await self.supervised(self.configuration()) { supervisor in
            for name in try FileManager.default.contentsOfDirectory(atPath: base).sorted() {
                let bytes = try Fixture.bytes(URL(filePath: "\(base)/\(name)"))
                let findings = await supervisor.scan(ScanSamples.subject(bytes), budget: Self.budget)
                guard case .found(let names) = findings.status else {
                    Issue.record("\(name): \(findings.status)")
                    continue
                }
                #expect(names.contains("ClamAV-Test-File.UNOFFICIAL"), "\(name): \(names)")
            }
        }
    }

    @Test("a worker that is killed in the middle costs its scans nothing but time")
    func killed() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let first = try #require(await supervisor.status().processIDs.first)
            kill(first, SIGSTOP)
            let scans = (0..<3).map { index in
                let content = index == 0 ? ScanSamples.eicar : ScanSamples.clean + [UInt8(index)]
                return Task { await supervisor.scan(ScanSamples.subject(content), budget: Self.budget) }
            }
            #expect(await eventually { await supervisor.status().load.running == 3 })
            kill(first, SIGKILL)
            var answers: [ScanFindings.Status] = []
            for scan in scans { await answers.append(scan.value.status) }
            #expect(answers == [.found([ScanSamples.eicarName]), .clean, .clean])
            #expect(await eventually { await supervisor.status().isReady })
            #expect(await supervisor.status().restarts == 1)
            #expect(await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: Self.budget).status == .clean)
        }
    }

    @Test("a worker that hangs is ended at the deadline of the scan that waits; other scans get their answers")
    func hanging() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let first = try #require(await supervisor.status().processIDs.first)
            kill(first, SIGSTOP)
            let hung = Task { await supervisor.scan(ScanSamples.subject(ScanSamples.clean + [1]), budget: .milliseconds(500)) }
            let patient = Task { await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget) }
            #expect(await hung.value.status == .notScanned(.timedOut))
            #expect(await patient.value.status == .found([ScanSamples.eicarName]))
            #expect(await eventually { await supervisor.status().isReady })
            #expect(kill(first, 0) != 0)
        }
    }

    @Test("new signatures are taken without a pause, and the old worker ends")
    func databaseChange() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let before = await supervisor.status()
            let content = Array("a content that only the new signatures know".utf8)
            // Not by cancelling: that would end a scan without its verdict.
            let isOver = Flag()
            let stream = Task {
                var statuses: Set<ScanFindings.Status> = []
                while !isOver.isSet {
                    await statuses.insert(supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: Self.budget).status)
                }
                return statuses
            }
            let hex = content.map { String(format: "%02x", $0) }.joined()
            try self.directory.write("Outpost.Test.New:0:*:\(hex)\n", to: "db/new.ndb")
            #expect(await eventually { await supervisor.status().signatures == before.signatures + 1 })
            #expect(
                await supervisor.scan(ScanSamples.subject(content), budget: Self.budget).status
                    == .found(["Outpost.Test.New.UNOFFICIAL"])
            )
            #expect(await eventually { await supervisor.status().processIDs.count == 1 })
            isOver.set()
            #expect(await stream.value == [.clean])
            #expect(await supervisor.status().processIDs != before.processIDs)
            #expect(await supervisor.status().restarts == 0)
        }
    }

    @Test("broken signatures leave the old worker at work")
    func brokenDatabase() async throws {
        try await self.supervised(self.configuration()) { supervisor in
            let before = await supervisor.status()
            try self.directory.write("this is:no signature\n", to: "db/broken.ndb")
            #expect(await eventually { await supervisor.status().lastFailure != nil })
            #expect(
                await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget).status
                    == .found([ScanSamples.eicarName])
            )
            #expect(await eventually { await supervisor.status().processIDs == before.processIDs })
        }
    }

    @Test("without signatures nothing is clean, and they are taken when they come")
    func emptyDatabase() async throws {
        var configuration = self.configuration()
        configuration.database = self.directory.path + "/later"
        configuration.longestRestartDelay = .milliseconds(200)
        try FileManager.default.createDirectory(atPath: configuration.database, withIntermediateDirectories: true)
        try await self.supervised(configuration) { supervisor in
            #expect(await supervisor.status().isReady == false)
            guard
                case .notScanned = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: .milliseconds(50)).status
            else {
                Issue.record("a verdict without signatures")
                return
            }
            let waiting = Task { await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget) }
            try FileManager.default.copyItem(
                atPath: "\(BuiltScanner.signatures)/outpost.ndb",
                toPath: "\(configuration.database)/outpost.ndb"
            )
            #expect(await waiting.value.status == .found([ScanSamples.eicarName]))
        }
    }

    @Test("a scanner that is not there is a failure, not a crash")
    func absentScanner() async throws {
        var configuration = self.configuration()
        configuration.scannerPath = "/nonexistent/outpost-scanner"
        try await self.supervised(configuration) { supervisor in
            let findings = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: .milliseconds(100))
            guard case .notScanned(.failed(let reason)) = findings.status else {
                Issue.record("\(findings.status)")
                return
            }
            #expect(reason.contains("/nonexistent/outpost-scanner"))
        }
    }

    @Test("a directory whose path is too long for a socket is refused at the start")
    func longPath() async throws {
        var configuration = self.configuration()
        configuration.runDirectory = self.directory.path + "/" + String(repeating: "d", count: 100)
        let supervisor = try ScannerSupervisor(configuration: configuration, logger: self.logger)
        await #expect(throws: SystemError.self) { try await supervisor.start() }
    }

    @Test("more scans than fit are not scanned")
    func queue() async throws {
        var configuration = self.configuration()
        configuration.concurrency = 1
        configuration.longQueueLimit = 1
        func subject(_ content: [UInt8]) -> ScanSubject {
            var subject = ScanSamples.subject(content)
            subject.demand.isLong = true
            return subject
        }
        try await self.supervised(configuration) { supervisor in
            let process = try #require(await supervisor.status().processIDs.first)
            kill(process, SIGSTOP)
            let running = Task { await supervisor.scan(subject(ScanSamples.clean), budget: Self.budget) }
            #expect(await eventually { await supervisor.status().load.longRunning == 1 })
            let waiting = Task { await supervisor.scan(subject(ScanSamples.eicar), budget: Self.budget) }
            #expect(await eventually { await supervisor.status().load.longWaiting == 1 })
            let third = await supervisor.scan(subject(ScanSamples.clean), budget: Self.budget)
            #expect(third.status == .notScanned(.overloaded))
            #expect(await supervisor.load().refusals == 1)
            // A quick one has places of its own.
            let quick = Task { await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget) }
            #expect(await eventually { await supervisor.status().load.running == 1 })
            kill(process, SIGCONT)
            #expect(await quick.value.status == .found([ScanSamples.eicarName]))
            #expect(await running.value.status == .clean)
            #expect(await waiting.value.status == .found([ScanSamples.eicarName]))
        }
    }

    @Test("a scan that ends the second worker too has no verdict", .enabled(if: ScanSamples.isInstalled("perl")))
    func culprit() async throws {
        var configuration = self.configuration()
        // It says who it is, and ends when it sees a message.
        configuration.scannerPath = try self.directory.write(
            """
            #!/usr/bin/perl
            use IO::Socket::UNIX;
            $| = 1;
            my $listener = IO::Socket::UNIX->new(Local => $ARGV[1], Listen => 5) or die;
            print "ready 1 1.0/0/0 none\\n";
            my $connection = $listener->accept;
            while (sysread($connection, my $octets, 4096)) {
                exit 3 if $octets =~ /INSTREAM|FILDES/;
                syswrite($connection, "1: ClamAV 1.0/0/0\\0") if $octets =~ /VERSION/;
            }
            exit 3;

            """,
            to: "scanner"
        )
        chmod(configuration.scannerPath!, 0o755)
        try await self.supervised(configuration) { supervisor in
            let findings = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: Self.budget)
            guard case .notScanned(.failed(let reason)) = findings.status else {
                Issue.record("\(findings.status)")
                return
            }
            #expect(reason.hasPrefix("the virus scanner ended"))
            #expect(await eventually { await supervisor.status().restarts == 2 })
        }
    }

    @Test("a worker that dies at once is started again less and less often")
    func backOff() async throws {
        var configuration = self.configuration()
        let starts = self.directory.path + "/starts"
        configuration.scannerPath = try self.directory.write("#!/bin/sh\necho >> \(starts)\n", to: "scanner")
        configuration.firstRestartDelay = .milliseconds(1)
        chmod(configuration.scannerPath!, 0o755)
        let count = { (try? Fixture.bytes(URL(filePath: starts)).count) ?? 0 }
        try await self.supervised(configuration) { _ in
            let began = ContinuousClock.now
            #expect(await eventually { count() >= 7 })
            // 1 + 2 + 4 + 8 + 16 + 32 milliseconds lie between seven starts.
            #expect(ContinuousClock.now - began >= .milliseconds(62))
        }
    }

    @Test("scans that come before the start wait for it")
    func early() async throws {
        let supervisor = try ScannerSupervisor(configuration: self.configuration(), logger: self.logger)
        let scan = Task { await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget) }
        #expect(await eventually { await supervisor.status().load.running == 1 })
        try await supervisor.start()
        #expect(await scan.value.status == .found([ScanSamples.eicarName]))
        await supervisor.stop()
        let late = await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget)
        guard case .notScanned = late.status else {
            Issue.record("a verdict after the end")
            return
        }
    }

    @Test("directories of gateways that are gone are removed; others stay")
    func leftovers() async throws {
        let configuration = self.configuration()
        // The highest process number of Linux is 4194304.
        let gone = "\(configuration.runDirectory)/scan-4194305-1"
        let other = "\(configuration.runDirectory)/scan-1-1"
        for path in [gone, other] {
            try self.directory.write("", to: String(path.dropFirst(self.directory.path.count + 1)) + "/s")
        }
        let supervisor = try ScannerSupervisor(configuration: configuration, logger: self.logger)
        try await supervisor.start()
        await supervisor.stop()
        let left = try Directory.entries(configuration.runDirectory).map { $0.name }
        #expect(left == ["scan-1-1"])
    }

    @Test("a scan with too little time does not end a worker that is only busy")
    func impatient() async throws {
        var configuration = self.configuration()
        configuration.shortestHang = .seconds(10)
        try await self.supervised(configuration) { supervisor in
            let process = try #require(await supervisor.status().processIDs.first)
            kill(process, SIGSTOP)
            let findings = await supervisor.scan(ScanSamples.subject(ScanSamples.clean), budget: .milliseconds(30))
            #expect(findings.status == .notScanned(.timedOut))
            kill(process, SIGCONT)
            let next = await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget)
            #expect(next.status == .found([ScanSamples.eicarName]))
            #expect(await supervisor.status().processIDs == [process])
        }
    }

    @Test("workers that die again and again never make a wrong verdict")
    func storm() async throws {
        var configuration = self.configuration()
        configuration.longestRestartDelay = .milliseconds(20)
        try await self.supervised(configuration) { supervisor in
            let killer = Task {
                while !Task.isCancelled {
                    for process in await supervisor.status().processIDs { kill(process, SIGKILL) }
                    try? await Task.sleep(for: .milliseconds(60))
                }
            }
            let wrong = await withTaskGroup(of: ScanFindings.Status?.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        let isInfected = index % 2 == 0
                        let filler = Array("\r\n\(index)".utf8)
                        let content = isInfected ? ScanSamples.eicar + filler : ScanSamples.clean + filler
                        let status = await supervisor.scan(ScanSamples.subject(content), budget: .seconds(2)).status
                        switch status {
                        case .clean: return isInfected ? status : nil
                        case .found: return isInfected ? nil : status
                        case .notScanned: return nil
                        case .off: return status
                        }
                    }
                }
                return await group.reduce(into: []) { wrong, status in if let status { wrong.append(status) } }
            }
            #expect(wrong.isEmpty)
            killer.cancel()
            await killer.value
            let found = await eventually {
                let after = await supervisor.scan(ScanSamples.subject(ScanSamples.eicar), budget: Self.budget)
                return after.status == .found([ScanSamples.eicarName])
            }
            #expect(found)
        }
    }
}

private final class Flag: Sendable {
    private let value = Atomic(false)

    var isSet: Bool { self.value.load(ordering: .relaxed) }

    func set() { self.value.store(true, ordering: .relaxed) }
}
