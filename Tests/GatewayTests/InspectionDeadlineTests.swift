import ContentStorage
import MailPolicy
import MailTypes
import NIOCore
import NIOEmbedded
import NIOPosix
import OpenSSLKit
import SMTPCore
import Synchronization
import Testing
import VirusScan

@testable import Gateway

/// Answers when it is told to.
private final class SlowScanner: VirusScanner {
    private let waiting = Mutex<[CheckedContinuation<ScanFindings, Never>]>([])
    private let count = Atomic(0)

    func load() async -> ScanLoad { ScanLoad() }

    var scans: Int { self.count.load(ordering: .relaxed) }

    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        self.count.wrappingAdd(1, ordering: .relaxed)
        return await withCheckedContinuation { continuation in self.waiting.withLock { $0.append(continuation) } }
    }

    func answer(_ findings: ScanFindings) -> Bool {
        let first = self.waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        first?.resume(returning: findings)
        return first != nil
    }
}

@Suite("A check that is slower than the inspection's time")
struct InspectionDeadlineTests {
    private static let text = Array("From: a@example.org\r\nSubject: slow\r\n\r\ntext\r\n".utf8)

    private final class Bench: Sendable {
        let loop = NIOAsyncTestingEventLoop()
        let threads = NIOThreadPool(numberOfThreads: 1)
        let scanner = SlowScanner()
        let inspector: MessageInspector
        let snapshot: GatewaySnapshot
        static let anyEnvelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)

        init(onFailure: FailurePolicy, generation: Int = 0) {
            var configuration = GatewayConfiguration(hostname: "mx.example.com", dataDirectory: "/nonexistent")
            configuration.antivirus.engine = .clamd
            configuration.antivirus.onFailure = onFailure
            configuration.limits.inspectionSeconds = 45
            self.snapshot = GatewaySnapshot(configuration: configuration, rules: nil, generation: generation)
            self.threads.start()
            self.inspector = MessageInspector(threads: self.threads, scanner: self.scanner, queueLimit: 10)
        }

        func inspect(_ bytes: [UInt8] = InspectionDeadlineTests.text, snapshot: GatewaySnapshot? = nil) -> AsyncStream<Judgement>
        {
            let (stream, continuation) = AsyncStream<Judgement>.makeStream()
            let subject = InspectionSubject(
                envelope: Self.anyEnvelope,
                content: .memory(bytes),
                facts: ContentFacts(octets: bytes.count),
                policy: Policy(name: "default")
            )
            let snapshot = snapshot ?? self.snapshot
            self.loop.execute {
                self.inspector.inspect(subject, snapshot: snapshot, on: self.loop) {
                    continuation.yield($0)
                    continuation.finish()
                }
            }
            return stream
        }

        /// How long something may take that is done by other threads, when all tests run at once.
        private static let patience = Duration.seconds(60)

        /// Until the scanner has been asked that often,
        /// and all other checks are done.
        func scannerIsAsked(_ times: Int) async throws -> Bool {
            let end = ContinuousClock.now + Self.patience
            while self.scanner.scans < times, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(1)) }
            // There is one thread: what is given to it now comes behind the examination.
            try await self.threads.runIfActive {}
            try await self.settle()
            return self.scanner.scans == times
        }

        func answerScan(_ findings: ScanFindings) async -> Bool {
            let end = ContinuousClock.now + Self.patience
            while ContinuousClock.now < end {
                if self.scanner.answer(findings) { return true }
                try? await Task.sleep(for: .milliseconds(1))
            }
            return false
        }

        /// The late verdict comes over the loop's queue, at some moment behind the scan's end.
        func verdictIsRemembered() async -> Bool {
            let key = VerdictCache.Key(contentHash: SHA256.hash(InspectionDeadlineTests.text), generation: 0)
            let end = ContinuousClock.now + Self.patience
            while ContinuousClock.now < end {
                if self.inspector.cache.find(key, envelope: Self.anyEnvelope).scan != nil { return true }
                try? await Task.sleep(for: .milliseconds(1))
            }
            return false
        }

        /// What the loop was given by other threads so far is done.
        func settle() async throws { try await self.loop.executeInContext {} }

        func stop() async throws { try await self.threads.shutdownGracefully() }
    }

    private static let infected = ScanFindings(status: .found(["Eicar"]))

    @Test("the sender is told to come again, and the retry gets the finished verdict at once")
    func retry() async throws {
        let bench = Bench(onFailure: .defer)
        let first = bench.inspect()
        #expect(try await bench.scannerIsAsked(1))
        await bench.loop.advanceTime(by: .seconds(46))
        let judgement = try #require(await first.first { _ in true })
        #expect(judgement.decision.disposition == .defer)
        #expect(judgement.decision.reply?.code == 451)
        #expect(judgement.findings.scan.status == .notScanned(.timedOut))

        try #require(await bench.answerScan(Self.infected))
        #expect(await bench.verdictIsRemembered())
        let retry = try #require(await bench.inspect().first { _ in true })
        #expect(retry.decision.disposition == .reject)
        #expect(bench.scanner.scans == 1)
        // Another message is another matter, and so is the same one behind a reload.
        _ = bench.inspect(Self.text + Self.text)
        #expect(try await bench.scannerIsAsked(2))
        try #require(await bench.answerScan(ScanFindings(status: .clean)))
        let reloaded = GatewaySnapshot(configuration: bench.snapshot.configuration, rules: nil, generation: 1)
        _ = bench.inspect(snapshot: reloaded)
        #expect(try await bench.scannerIsAsked(3))
        try #require(await bench.answerScan(ScanFindings(status: .clean)))
        try await bench.stop()
    }

    @Test("a policy that accepts a missing check says what was missing")
    func accepted() async throws {
        let bench = Bench(onFailure: .accept)
        let stream = bench.inspect()
        #expect(try await bench.scannerIsAsked(1))
        await bench.loop.advanceTime(by: .seconds(46))
        let judgement = try #require(await stream.first { _ in true })
        #expect(judgement.decision.disposition == .deliver)
        #expect(judgement.decision.unchecked == ["virus"])
        try #require(await bench.answerScan(ScanFindings(status: .clean)))
        try await bench.stop()
    }

    @Test("a scan in time is no matter for the deadline")
    func inTime() async throws {
        let bench = Bench(onFailure: .defer)
        let stream = bench.inspect()
        try #require(await bench.answerScan(ScanFindings(status: .clean)))
        let judgement = try #require(await stream.first { _ in true })
        #expect(judgement.decision.disposition == .deliver)
        await bench.loop.advanceTime(by: .seconds(60))
        try await bench.stop()
    }

    @Test("findings are remembered for the message and the generation that they belong to")
    func keys() {
        let cache = VerdictCache()
        let key = VerdictCache.Key(contentHash: [1], generation: 0)
        cache.remember(key, scan: Self.infected)
        #expect(cache.find(key, envelope: Bench.anyEnvelope).scan?.status == Self.infected.status)
        #expect(cache.find(key, envelope: Bench.anyEnvelope).rules == nil)
        #expect(cache.find(VerdictCache.Key(contentHash: [2], generation: 0), envelope: Bench.anyEnvelope).scan == nil)
        #expect(cache.find(VerdictCache.Key(contentHash: [1], generation: 1), envelope: Bench.anyEnvelope).scan == nil)
        cache.remember(key, rules: RuleFindings(), envelope: Bench.anyEnvelope)
        #expect(cache.find(key, envelope: Bench.anyEnvelope).scan?.status == Self.infected.status)
        var retry = Bench.anyEnvelope
        retry.client.port = 4_711
        #expect(cache.find(key, envelope: retry).rules != nil)
        // Rules look at the client and the sender: what they found of another says nothing here.
        retry.client.helo = "other.example"
        #expect(cache.find(key, envelope: retry).rules == nil)
    }
}
