import ContentStorage
@testable import Gateway
import MailPolicy
import MailTypes
import NIOCore
import NIOEmbedded
import NIOPosix
import SMTPCore
import Synchronization
import Testing
import VirusScan

/// Answers when it is told to.
private final class SlowScanner: VirusScanner {
    private let waiting = Mutex<[CheckedContinuation<ScanFindings, Never>]>([])
    private let count = Atomic(0)

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

        init(onFailure: FailurePolicy, generation: Int = 0) {
            var configuration = GatewayConfiguration(hostname: "mx.example.com", dataDirectory: "/nonexistent")
            configuration.antivirus.engine = .clamd
            configuration.antivirus.onFailure = onFailure
            configuration.limits.inspectionSeconds = 45
            self.snapshot = GatewaySnapshot(configuration: configuration, rules: nil, generation: generation)
            self.threads.start()
            self.inspector = MessageInspector(threads: self.threads, scanner: self.scanner, queueLimit: 10)
        }

        func inspect(_ bytes: [UInt8] = InspectionDeadlineTests.text, snapshot: GatewaySnapshot? = nil) -> AsyncStream<Judgement> {
            let (stream, continuation) = AsyncStream<Judgement>.makeStream()
            let subject = InspectionSubject(
                envelope: Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null),
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

        /// Until the scanner has been asked that often.
        func scannerIsAsked(_ times: Int) async -> Bool {
            let end = ContinuousClock.now + .seconds(10)
            while self.scanner.scans < times, ContinuousClock.now < end { await Task.yield() }
            return self.scanner.scans == times
        }

        func answerScan(_ findings: ScanFindings) async -> Bool {
            let end = ContinuousClock.now + .seconds(10)
            while ContinuousClock.now < end {
                if self.scanner.answer(findings) { return true }
                await Task.yield()
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
        #expect(await bench.scannerIsAsked(1))
        await bench.loop.advanceTime(by: .seconds(46))
        let judgement = try #require(await first.first { _ in true })
        #expect(judgement.decision.disposition == .defer)
        #expect(judgement.decision.reply?.code == 451)
        #expect(judgement.findings.scan.status == .notScanned(.timedOut))

        #expect(await bench.answerScan(Self.infected))
        // The verdict reaches the loop behind the scan's answer: the retry may come a moment before it, as any sender's may.
        var disposition: Disposition?
        for _ in 0..<1_000 {
            try await bench.settle()
            let asked = bench.scanner.scans
            let retry = bench.inspect()
            if bench.scanner.scans > asked { _ = await bench.answerScan(Self.infected) }
            disposition = try await Self.judgement(retry, bench, askedBefore: asked)
            if bench.scanner.scans == asked { break }
        }
        #expect(disposition == .reject)
        try await bench.stop()
    }

    private static func judgement(_ stream: AsyncStream<Judgement>, _ bench: Bench, askedBefore: Int) async throws -> Disposition? {
        let answering = Task {
            // Were the scanner asked again, the test would wait for ever: answer, and let the caller see that it was asked.
            while !Task.isCancelled {
                if bench.scanner.scans > askedBefore, bench.scanner.answer(Self.infected) { return }
                await Task.yield()
            }
        }
        let judgement = await stream.first { _ in true }
        answering.cancel()
        return judgement?.decision.disposition
    }

    @Test("a policy that accepts a missing check says what was missing")
    func accepted() async throws {
        let bench = Bench(onFailure: .accept)
        let stream = bench.inspect()
        #expect(await bench.scannerIsAsked(1))
        await bench.loop.advanceTime(by: .seconds(46))
        let judgement = try #require(await stream.first { _ in true })
        #expect(judgement.decision.disposition == .deliver)
        #expect(judgement.decision.unchecked == ["virus"])
        #expect(await bench.answerScan(ScanFindings(status: .clean)))
        try await bench.stop()
    }

    @Test("a scan in time is no matter for the deadline")
    func inTime() async throws {
        let bench = Bench(onFailure: .defer)
        let stream = bench.inspect()
        #expect(await bench.answerScan(ScanFindings(status: .clean)))
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
        #expect(cache.find(key).scan?.status == Self.infected.status)
        #expect(cache.find(key).rules == nil)
        #expect(cache.find(VerdictCache.Key(contentHash: [2], generation: 0)).scan == nil)
        #expect(cache.find(VerdictCache.Key(contentHash: [1], generation: 1)).scan == nil)
        cache.remember(key, rules: RuleFindings())
        #expect(cache.find(key).scan?.status == Self.infected.status)
        #expect(cache.find(key).rules != nil)
    }
}
