import ContentStorage
import Glibc
import MailMessage
import MailPolicy
import MailTypes
import NIOCore
import NIOPosix
import SMTPCore
import Synchronization
import SystemKit
import Testing
import VirusScan

@testable import Gateway

/// Finds everything clean and notes what it was asked.
private final class NotingScanner: VirusScanner {
    private let seen = Mutex<[ScanDemand]>([])

    var demands: [ScanDemand] { self.seen.withLock { $0 } }

    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        self.seen.withLock { $0.append(subject.demand) }
        return ScanFindings(status: .clean)
    }

    func load() async -> ScanLoad { ScanLoad() }
}

@Suite("Messages that take long do not hold up others")
struct InspectionLaneTests {
    private static let quick = Array("From: a@example.org\r\nSubject: quick\r\n\r\ntext\r\n".utf8)
    private static let slow = Array("From: a@example.org\r\nSubject: slow\r\n\r\n".utf8) + manyLines(4_000_000)

    private static func manyLines(_ octets: Int) -> [UInt8] {
        let line = Array("A line of text that is as long as lines are in mail, more or less.\r\n".utf8)
        return Array(repeatElement(line, count: octets / line.count).joined())
    }

    private final class Bench: Sendable {
        let threads = NIOThreadPool(numberOfThreads: 1)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let scanner = NotingScanner()
        let lane: SlowLane
        let inspector: MessageInspector
        let snapshot: GatewaySnapshot

        init(waiting: Int = 4, waitingPerNetwork: Int = 2, queueLimit: Int = 8) {
            var configuration = GatewayConfiguration(hostname: "mx.example.com", dataDirectory: "/nonexistent")
            configuration.antivirus.engine = .clamd
            // Too much at once must not become a way around the scan.
            configuration.antivirus.onFailure = .accept
            self.snapshot = GatewaySnapshot(configuration: configuration, rules: nil)
            self.threads.start()
            self.lane = SlowLane(SlowLane.Bounds(places: 1, waiting: waiting, waitingPerNetwork: waitingPerNetwork))
            self.inspector = MessageInspector(
                threads: self.threads,
                scanner: self.scanner,
                slowLane: self.lane,
                queueLimit: queueLimit
            )
        }

        func judge(_ bytes: [UInt8], from client: String = "192.0.2.1") async -> Judgement {
            let subject = InspectionSubject(
                envelope: Envelope(client: ClientIdentity(address: IPAddress(client)!), reversePath: .null),
                content: .memory(bytes),
                facts: ContentFacts(octets: bytes.count),
                policy: Policy(name: "default")
            )
            let loop = self.group.next()
            return await withCheckedContinuation { continuation in
                loop.execute {
                    self.inspector.inspect(subject, snapshot: self.snapshot, on: loop) { continuation.resume(returning: $0) }
                }
            }
        }

        /// Keeps the lane's only place until the returned function is called.
        func occupyLane() async -> @Sendable () -> Void {
            let released = Released()
            Task {
                await self.lane.run(
                    network: IPNetwork("203.0.113.0/24")!,
                    cost: ExpectedCost(octets: 1),
                    deadline: .now + .seconds(600)
                ) { released.wait() }
            }
            while await self.lane.running == 0 { await Task.yield() }
            return { released.signal() }
        }

        func stop() async throws {
            await self.lane.stop()
            try await self.threads.shutdownGracefully()
            try await self.group.shutdownGracefully()
        }
    }

    /// A thread waits for it.
    private final class Released: Sendable {
        private let flag = Atomic(false)
        func signal() { self.flag.store(true, ordering: .releasing) }
        func wait() { while !self.flag.load(ordering: .acquiring) { usleep(1_000) } }
    }

    @Test("while the slow lane is busy, quick messages pass and slow ones wait")
    func lanes() async throws {
        let bench = Bench()
        let release = await bench.occupyLane()
        let slow = Task { await bench.judge(Self.slow) }
        while await bench.inspector.figures.slowWaiting == 0 { await Task.yield() }
        #expect(await bench.judge(Self.quick).decision.disposition == .deliver)
        #expect(bench.scanner.demands.map(\.isLong) == [false])
        #expect(await bench.inspector.figures.slowRunning == 1)
        release()
        #expect(await slow.value.decision.disposition == .deliver)
        #expect(bench.scanner.demands.map(\.isLong) == [false, true])
        #expect(bench.scanner.demands.map(\.network) == [IPNetwork("192.0.2.0/24"), IPNetwork("192.0.2.0/24")])
        try await bench.stop()
    }

    @Test("more slow messages than may wait are put off, whatever on_failure says; those of one network earlier")
    func full() async throws {
        let bench = Bench(waiting: 3, waitingPerNetwork: 2)
        let release = await bench.occupyLane()
        let waiting = ["192.0.2.1", "192.0.2.2", "198.51.100.1"].map { client in
            Task { await bench.judge(Self.slow, from: client) }
        }
        while await bench.inspector.figures.slowWaiting < 3 { await Task.yield() }
        for client in ["192.0.2.3", "198.51.100.2"] {
            let judgement = await bench.judge(Self.slow, from: client)
            #expect(judgement.decision.disposition == .defer)
            #expect(judgement.decision.reply == PolicyReply.overloaded)
            #expect(judgement.decision.unchecked == [])
        }
        #expect(await bench.inspector.figures.messagesPutOff == 2)
        release()
        for task in waiting { #expect(await task.value.decision.disposition == .deliver) }
        try await bench.stop()
    }

    @Test("new clients are turned away before the messages of those that are here")
    func shedding() async throws {
        let bench = Bench(queueLimit: 4)
        #expect(bench.inspector.mayTakeConnection())
        let released = Released()
        let busy = Task { try await bench.threads.runIfActive { released.wait() } }
        var judged: [Task<Judgement, Never>] = []
        for count in 1...4 {
            judged.append(Task { await bench.judge(Self.quick) })
            while await bench.inspector.figures.waiting < count { await Task.yield() }
            #expect(bench.inspector.mayTakeConnection() == (count < 3))
            #expect(bench.inspector.mayTakeMessage() == (count < 4))
        }
        let load = await bench.inspector.figures
        #expect([load.clientsTurnedAway, load.messagesPutOff] == [2, 1])
        released.signal()
        try await busy.value
        for task in judged { #expect(await task.value.decision.disposition == .deliver) }
        #expect(bench.inspector.mayTakeConnection())
        try await bench.stop()
    }

    @Test("threads of the slow lane give way to others")
    func givesWay() async throws {
        let bench = Bench()
        let steps = Mutex<Int32>(0)
        let outcome = await bench.lane.run(
            network: IPNetwork("192.0.2.0/24")!,
            cost: ExpectedCost(octets: 1),
            deadline: .now + .seconds(60)
        ) {
            steps.withLock { $0 = CurrentThread.steps }
        }
        #expect(outcome == .done)
        #expect(steps.withLock { $0 } >= CurrentThread.niceness)
        try await bench.stop()
    }
}

@Suite("What the checks of a message are expected to cost")
struct ExpectedCostTests {
    private static func multipart(_ parts: Int) -> [UInt8] {
        Array("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".utf8)
            + Array(repeatElement(Array("--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n".utf8), count: parts).joined())
            + Array("--b--\r\n".utf8)
    }

    private static func attachment(_ content: [UInt8]) -> [UInt8] {
        Array("MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n".utf8)
            + content
    }

    private func cost(_ bytes: [UInt8]) -> ExpectedCost { ExpectedCost(ParsedMessage(bytes)) }

    @Test("a message of some kilobytes is quick, one of many megabytes is not, whatever is in it")
    func size() {
        #expect(ExpectedCost(octets: 0).milliseconds == 1)
        #expect(ExpectedCost(octets: 1_000_000).isQuick)
        #expect(!ExpectedCost(octets: 10_000_000).isQuick)
        #expect(self.cost(Array("Subject: x\r\n\r\ntext\r\n".utf8)).milliseconds == 1)
    }

    @Test("parts count even beyond the number that is read")
    func parts() {
        #expect(self.cost(Self.multipart(100)).isQuick)
        #expect(self.cost(Self.multipart(1_000)).isQuick)
        #expect(!self.cost(Self.multipart(50_000)).isQuick)
    }

    @Test("an archive counts with what comes out of it, not with what it says")
    func archives() {
        let small = ZipSample.archive([("a.txt", [UInt8](repeating: 0x61, count: 100_000))])
        let bomb = ZipSample.archive([("a.txt", [UInt8](repeating: 0, count: 30_000_000))])
        #expect(bomb.count < 40_000)
        #expect(self.cost(Self.attachment(small)).isQuick)
        #expect(!self.cost(Self.attachment(bomb)).isQuick)
        #expect(!self.cost(Self.attachment(ZipSample.archive([("inner.zip", bomb)]))).isQuick)
        // The directory says that it is small.
        #expect(
            !self.cost(Self.attachment(ZipSample.archive([("a.txt", [UInt8](repeating: 0, count: 30_000_000))], says: 10)))
                .isQuick
        )
        // Kinds that are not opened here are taken for the worst.
        #expect(self.cost(Self.attachment([0x42, 0x5a, 0x68] + [UInt8](repeating: 1, count: 5_000))).isQuick)
        #expect(!self.cost(Self.attachment([0x42, 0x5a, 0x68] + [UInt8](repeating: 1, count: 50_000))).isQuick)
    }
}
