import Logging
import MailTypes
import NIOPosix
import Synchronization
import SystemKit

/// Runs `outpost-scanner` and scans with it.
///
/// Hostile files are parsed in a process that may end at any time. Its end costs nothing but time: every scan it had is done
/// again, each alone in a second worker, and only the one that ends that one too has no result. A worker that hangs is ended at
/// the deadline of the scan that waits for it.
package final class ScannerSupervisor: VirusScanner {
    package struct Configuration: Hashable, Sendable {
        /// Path of `outpost-scanner`; nil: beside the running program.
        package var scannerPath: String?
        /// Directory of signature databases.
        package var database: String
        /// Where sockets and unpacked archives live while workers run; made when absent. Up to 80 octets long: the path of a
        /// Unix socket is limited.
        package var runDirectory: String
        /// Scans at once that are expected to be short, and as many long ones; 0: as many as there are cores.
        package var concurrency = 0
        /// Scans that wait; more are not scanned.
        package var queueLimit = 1_000
        /// Long scans that wait, in all and of one client network.
        package var longQueueLimit = 64
        package var longQueuePerNetwork = 8
        /// Octets of one file inside an archive.
        package var maxFileSize = 100 * 1_048_576
        /// Octets of everything unpacked from one message.
        package var maxScanSize = 400 * 1_048_576
        package var maxRecursion = 17
        package var maxFiles = 10_000
        /// Time of one scan in the engine, which then has no result. Should be shorter than the budget of a message: an engine
        /// that stops by itself need not be ended.
        package var scanTimeLimit = Duration.seconds(25)
        /// Documents with macros, damaged executables are findings.
        package var alertsOnMacros = false
        package var alertsOnBroken = false
        /// A scan without an answer for less than this says nothing about its worker; after it, and half its budget, the worker
        /// counts as hanging and is ended.
        package var shortestHang = Duration.seconds(5)
        /// The user a worker becomes when this process is root.
        package var user: String?
        /// How often the signature directory is looked at.
        package var watchInterval = Duration.seconds(10)
        /// Time to load the signatures; the official ones take some seconds, many times that on a busy machine.
        package var startLimit = Duration.seconds(300)
        /// The pause before a worker is started again, doubled each time until a scan has an answer.
        package var firstRestartDelay = Duration.milliseconds(100)
        package var longestRestartDelay = Duration.seconds(30)
        /// A worker that cannot be started once is not tried again, and scans hear so at once: a command has nobody who mends what is
        /// wrong while it waits.
        package var startsOnce = false
        /// The second worker, for scans done again, ends when it was not needed for this long.
        package var secondWorkerRest = Duration.seconds(60)

        package init(database: String, runDirectory: String) {
            self.database = database
            self.runDirectory = runDirectory
        }

        package var scansAtOnce: Int { self.concurrency > 0 ? self.concurrency : CurrentProcess.coreCount }
    }

    /// For listings.
    package struct Status: Hashable, Sendable {
        package var isReady: Bool
        /// `1.4.6`; nil before the first worker is ready.
        package var libraryVersion: String?
        package var signatures: Int
        /// Of the official database; 0 without it.
        package var databaseVersion: Int
        /// Seconds since 1970: when the official database was made, or without it when a signature file last changed.
        package var databaseTime: Int
        /// Ends of a worker that were not asked for.
        package var restarts: Int
        package var lastFailure: String?
        package var processIDs: [Int32]
        package var load: ScanLoad
        package var queueLimit: Int
    }

    private let configuration: Configuration
    private let threads: NIOThreadPool
    private let lanes: ScanLanes
    /// Scans done again go one by one.
    private let aloneGate: FairGate
    private let main: WorkerSlot
    private let second: WorkerSlot
    private let isStopped = Atomic(false)

    /// - Throws: `SystemError` when the path of the running program cannot be found.
    package init(configuration: Configuration, logger: Logger) throws {
        let path = try configuration.scannerPath ?? Self.besideThisProgram()
        let lanes = ScanLanes(configuration)
        // One more thread for the scan that is done again.
        let threads = NIOThreadPool(numberOfThreads: lanes.places + 1)
        self.configuration = configuration
        self.threads = threads
        self.lanes = lanes
        self.aloneGate = FairGate(FairQueue.Bounds(places: 1, waiting: configuration.queueLimit))
        self.main = WorkerSlot(configuration: configuration, scannerPath: path, threads: threads, logger: logger)
        self.second = WorkerSlot(configuration: configuration, scannerPath: path, threads: threads, logger: logger)
    }

    private static func besideThisProgram() throws(SystemError) -> String {
        let program = try CurrentProcess.executablePath()
        return "\(program[..<(program.lastIndex(of: "/") ?? program.startIndex)])/outpost-scanner"
    }

    /// Begins to start the first worker. Scans wait for it as long as they may.
    /// - Throws: `SystemError` when no worker can ever run: the directory cannot be made, its path is too long.
    package func start() async throws {
        try Directory.make(self.configuration.runDirectory)
        let longest = ScannerWorker.socketPath(in: "\(self.configuration.runDirectory)/scan-4194304-99999999")
        guard longest.utf8.count <= StreamSocket.maximumPathLength else {
            throw SystemError(code: 36, "make sockets in \(self.configuration.runDirectory)")
        }
        self.removeLeftovers()
        self.threads.start()
        await self.main.start()
    }

    /// Returns when the first worker is ready or could not be started; then it is tried again.
    package func started() async { await self.main.started() }

    /// Ends all workers; returns when they are reaped.
    package func stop() async {
        // First of all: a scan that the end of its worker surprises must not start another one.
        self.isStopped.store(true, ordering: .sequentiallyConsistent)
        await self.main.close()
        await self.second.close()
        try? await self.threads.shutdownGracefully()
    }

    package func status() async -> Status {
        let greeting = await self.main.greeting
        let files = (try? Directory.entries(self.configuration.database)) ?? []
        let changed = (files.map { $0.modified }.max() ?? 0) / 1_000_000_000
        let officialTime = greeting?.databaseTime ?? 0
        let failures = await [self.main.lastFailure, self.second.lastFailure]
        return await Status(
            isReady: greeting != nil,
            libraryVersion: greeting?.libraryVersion,
            signatures: greeting?.signatures ?? 0,
            databaseVersion: greeting?.databaseVersion ?? 0,
            databaseTime: officialTime > 0 ? officialTime : changed,
            restarts: self.main.restarts + self.second.restarts,
            lastFailure: failures.compactMap { $0 }.first,
            processIDs: self.main.processIDs + self.second.processIDs,
            load: self.lanes.load,
            queueLimit: self.configuration.queueLimit
        )
    }

    package func load() async -> ScanLoad { await self.lanes.load }

    // MARK: Scanning

    package func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        let began = ContinuousClock.now
        let deadline = began + budget
        var findings: ScanFindings
        switch await self.lanes.enter(subject.demand, deadline: deadline) {
        case .entered(let pass):
            findings = await self.answer(subject, deadline, budget)
            await pass.leave()
        case .notScanned(let failure): findings = ScanFindings(status: .notScanned(failure))
        }
        findings.microseconds = Int((ContinuousClock.now - began) / .microseconds(1))
        return findings
    }

    private func answer(_ subject: ScanSubject, _ deadline: ContinuousClock.Instant, _ budget: Duration) async -> ScanFindings {
        switch await self.attempt(subject, in: self.main, deadline, budget) {
        case .done(let findings): return findings
        case .workerLost: break
        }
        guard !self.isStopped.load(ordering: .sequentiallyConsistent) else {
            return ScanFindings(status: .notScanned(.failed("stopped")))
        }
        // Whether this scan ended the worker or another one did shows when it is alone.
        let pass: UInt64
        switch await self.aloneGate.enter(network: subject.demand.network, cost: subject.demand.cost, deadline: deadline) {
        case .entered(let id): pass = id
        case .full: return ScanFindings(status: .notScanned(.overloaded))
        case .timedOut: return ScanFindings(status: .notScanned(.timedOut))
        }
        await self.second.start()
        let attempt = await self.attempt(subject, in: self.second, deadline, budget)
        await self.second.rest(after: self.configuration.secondWorkerRest)
        await self.aloneGate.leave(pass)
        switch attempt {
        case .done(let findings): return findings
        case .workerLost(let reason): return ScanFindings(status: .notScanned(.failed(reason)))
        }
    }

    private enum Attempt {
        case done(ScanFindings)
        case workerLost(String)
    }

    private func attempt(
        _ subject: ScanSubject,
        in slot: WorkerSlot,
        _ deadline: ContinuousClock.Instant,
        _ budget: Duration
    ) async -> Attempt {
        while let worker = await slot.worker(deadline: deadline) {
            defer { worker.endScan() }
            if slot === self.second {
                // It may have ended while it rested, and a process that is being killed still takes connections: only an answer
                // shows that the message meets a living one. A dead one must not count against this scan.
                worker.client.closeIdle()
                guard case .success = await worker.client.version(deadline: deadline) else {
                    await slot.discard(worker)
                    continue
                }
            }
            let began = ContinuousClock.now
            switch await worker.client.scan(subject, deadline: deadline) {
            case .status(let status):
                await slot.answered()
                return .done(ScanFindings(status: status, engine: worker.greeting?.engine))
            case .timedOut:
                // A scan that waited long, or had little time from the start, proves nothing about the worker. Its own end is
                // left to the engine's time limit.
                var hang = max(budget / 2, self.configuration.shortestHang)
                // A long scan gives way to others and may need all the time that the engine allows it.
                if subject.demand.isLong { hang = max(hang, self.configuration.scanTimeLimit + self.configuration.shortestHang) }
                let isHang = ContinuousClock.now - began >= hang
                if isHang { await slot.discard(worker) }
                return .done(ScanFindings(status: .notScanned(.timedOut)))
            case .unreachable:
                // It ended a moment ago, and not because of this message: the next one gets it.
                await slot.discard(worker)
            case .lost(let reason):
                await slot.discard(worker)
                return .workerLost("the virus scanner ended: \(reason)")
            case .cancelled:
                return .done(ScanFindings(status: .notScanned(.failed("stopped"))))
            }
        }
        let failure = await slot.lastFailure.map { CheckFailure.failed("no virus scanner: \($0)") } ?? .timedOut
        return .done(ScanFindings(status: .notScanned(failure)))
    }

    /// Directories of gateways that did not end by themselves.
    private func removeLeftovers() {
        let entries = (try? Directory.entries(self.configuration.runDirectory)) ?? []
        for entry in entries where entry.isDirectory && ScannerWorker.isLeftover(directory: entry.name) {
            Directory.removeTree("\(self.configuration.runDirectory)/\(entry.name)")
        }
    }
}

extension ScanLanes {
    /// Long scans run beside as many quick ones. Were both lanes full, each scan had half a core; but the scanner slows long ones
    /// down in favour of the others (`ScanPace`), so that quick ones hardly notice.
    fileprivate init(_ configuration: ScannerSupervisor.Configuration) {
        let width = configuration.scansAtOnce
        self.init(
            quick: width,
            long: width,
            spares: width * 2,
            queueLimit: configuration.queueLimit,
            longQueueLimit: configuration.longQueueLimit,
            longQueuePerNetwork: configuration.longQueuePerNetwork
        )
    }

    /// Scans that the scanner may run at once: those of the lanes.
    static func places(_ configuration: ScannerSupervisor.Configuration) -> Int { ScanLanes(configuration).places }
}
