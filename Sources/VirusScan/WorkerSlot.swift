import Logging
import NIOPosix
import SystemKit

/// Keeps one worker running: starts it, starts it again after its end, exchanges it when the signatures change.
actor WorkerSlot {
    typealias Instant = ContinuousClock.Instant

    private enum Signal: Sendable {
        case workerEnded(ChildProcess.End)
        case databaseChanged
        case stop
    }

    private enum Launch: Sendable {
        case ready(ScannerWorker)
        case failed(String)
    }

    private struct Waiter {
        var id: UInt64
        var continuation: CheckedContinuation<ScannerWorker?, Never>
    }

    private let configuration: ScannerSupervisor.Configuration
    private let scannerPath: String
    private let threads: NIOThreadPool
    private let logger: Logger

    private var current: ScannerWorker?
    /// Every process that is not yet reaped.
    private var processes: [Int: ScannerWorker] = [:]
    private var launches: [Int: CheckedContinuation<Launch, Never>] = [:]
    private var waiters: [Waiter] = []
    private var nextWaiter: UInt64 = 0
    private var firstOutcome: [CheckedContinuation<Void, Never>] = []
    private var hadOutcome = false
    private var ends: [CheckedContinuation<Void, Never>] = []
    private var signals: AsyncStream<Signal>.Continuation?
    private var tasks: [Task<Void, Never>] = []
    private var delay: Duration
    private var isStopping = false
    private var stopping: Task<Void, Never>?
    private var isClosed = false
    /// `Configuration.startsOnce`
    private var hasGivenUp = false
    private var uses: UInt64 = 0

    private(set) var restarts = 0
    private(set) var lastFailure: String?

    init(configuration: ScannerSupervisor.Configuration, scannerPath: String, threads: NIOThreadPool, logger: Logger) {
        self.configuration = configuration
        self.scannerPath = scannerPath
        self.threads = threads
        self.logger = logger
        self.delay = configuration.firstRestartDelay
    }

    var processIDs: [Int32] { self.processes.values.compactMap { $0.processID }.sorted() }

    var greeting: ScannerWorker.Greeting? { self.current?.greeting }

    /// Starts what it needs, once.
    func start() async {
        self.uses += 1
        while let stopping = self.stopping { await stopping.value }
        guard self.signals == nil, !self.isClosed else { return }
        let (stream, continuation) = AsyncStream<Signal>.makeStream()
        self.signals = continuation
        self.hadOutcome = false
        self.tasks = [
            Task { await self.run(stream) },
            Task { await self.watch(continuation) },
        ]
    }

    /// Waits until the first worker is ready or could not be started.
    func started() async {
        guard !self.hadOutcome, self.signals != nil else { return }
        await withCheckedContinuation { self.firstOutcome.append($0) }
    }

    /// Ends all processes for good; returns when they are reaped.
    func close() async {
        self.isClosed = true
        await self.stop()
    }

    /// Ends all processes; returns when they are reaped. It can be started again.
    func stop() async {
        let task = self.stopping ?? Task { await self.endAll() }
        self.stopping = task
        await task.value
    }

    private func endAll() async {
        defer { self.stopping = nil }
        guard let signals = self.signals else { return }
        self.isStopping = true
        signals.yield(.stop)
        for worker in self.processes.values { worker.kill() }
        for task in self.tasks { task.cancel() }
        for task in self.tasks { await task.value }
        if !self.processes.isEmpty { await withCheckedContinuation { self.ends.append($0) } }
        self.dismissWaiters()
        self.current = nil
        self.signals = nil
        self.isStopping = false
    }

    /// The worker, as soon as there is one; nil at the deadline, after `close`, and when none can be started once. Its use is counted: `endScan` must follow.
    func worker(deadline: Instant) async -> ScannerWorker? {
        self.uses += 1
        if let current = self.current {
            current.beginScan()
            return current
        }
        guard !self.isClosed, !self.hasGivenUp else { return nil }
        self.nextWaiter += 1
        let id = self.nextWaiter
        let timer = Task {
            try await Task.sleep(until: deadline, clock: .continuous)
            self.expire(id)
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { self.waiters.append(Waiter(id: id, continuation: $0)) }
    }

    /// Ends a worker that hangs or is gone; nobody gets it any more.
    func discard(_ worker: ScannerWorker) {
        worker.kill()
        if self.current === worker { self.current = nil }
    }

    /// A scan got its answer: what ended workers before is over.
    func answered() {
        self.delay = self.configuration.firstRestartDelay
    }

    /// Stops when nobody asks for the worker for some time.
    func rest(after time: Duration) {
        let uses = self.uses
        Task {
            try? await Task.sleep(for: time)
            if self.uses == uses { await self.stop() }
        }
    }

    private func giveUp() {
        self.hasGivenUp = true
        self.dismissWaiters()
    }

    private func dismissWaiters() {
        for waiter in self.waiters { waiter.continuation.resume(returning: nil) }
        self.waiters = []
    }

    private func expire(_ id: UInt64) {
        guard let index = self.waiters.firstIndex(where: { $0.id == id }) else { return }
        self.waiters.remove(at: index).continuation.resume(returning: nil)
    }

    // MARK: Running

    private func run(_ stream: AsyncStream<Signal>) async {
        while !self.isStopping, !self.hasGivenUp {
            guard self.current != nil else {
                await self.startWorker()
                continue
            }
            for await signal in stream {
                if await self.handle(signal) { break }
            }
        }
        self.noteOutcome()
    }

    /// True when there is no worker any more, or no need of one.
    private func handle(_ signal: Signal) async -> Bool {
        switch signal {
        case .stop: return true
        case .workerEnded(let end):
            // Others end as well: those that were exchanged, and those that never became ready.
            guard self.current == nil else { return false }
            self.restarts += 1
            self.lastFailure = "\(end)"
            self.logger.warning("virus scanner ended", metadata: ["end": "\(end)"])
            await self.pause()
            return true
        case .databaseChanged:
            await self.exchangeWorker()
            return self.current == nil
        }
    }

    private func startWorker() async {
        switch await self.launch() {
        case .ready(let worker):
            self.adopt(worker)
            self.noteOutcome()
        case .failed(let reason):
            self.lastFailure = reason
            self.noteOutcome()
            if self.isStopping { return }
            self.logger.error("virus scanner does not start", metadata: ["reason": "\(reason)"])
            guard !self.configuration.startsOnce else { return self.giveUp() }
            await self.pause()
        }
    }

    /// The new signatures are loaded beside the old ones; the old worker ends after the scans it has.
    private func exchangeWorker() async {
        switch await self.launch() {
        case .ready(let worker):
            self.current?.retire()
            self.adopt(worker)
        case .failed(let reason):
            if self.isStopping { return }
            self.lastFailure = reason
            self.logger.warning("new virus signatures are not usable; the old ones stay", metadata: ["reason": "\(reason)"])
        // The old worker's end may have been signalled meanwhile; then that signal comes next.
        }
    }

    private func adopt(_ worker: ScannerWorker) {
        // Its end may have come between its greeting and now.
        guard self.processes[worker.number] != nil else { return }
        self.current?.retire()
        self.current = worker
        self.logger.info(
            "virus scanner is ready",
            metadata: [
                "signatures": "\(worker.greeting?.signatures ?? 0)", "database": "\(worker.greeting?.databaseVersion ?? 0)",
                "confinement": "\(worker.greeting?.confinement ?? "none")",
            ]
        )
        for waiter in self.waiters {
            worker.beginScan()
            waiter.continuation.resume(returning: worker)
        }
        self.waiters = []
    }

    private func launch() async -> Launch {
        let worker: ScannerWorker
        do throws(SystemError) {
            worker = try ScannerWorker(
                configuration: self.configuration,
                scannerPath: self.scannerPath,
                threads: self.threads
            ) { number, event in
                Task { await self.heard(number, event) }
            }
        } catch {
            return .failed("\(error)")
        }
        self.processes[worker.number] = worker
        let limit = self.configuration.startLimit
        let timer = Task {
            try await Task.sleep(for: limit)
            worker.kill()
        }
        defer { timer.cancel() }
        return await withCheckedContinuation { self.launches[worker.number] = $0 }
    }

    private func heard(_ number: Int, _ event: ScannerWorker.Event) {
        guard let worker = self.processes[number] else { return }
        switch event {
        case .ready(let greeting):
            worker.greeting = greeting
            self.launches.removeValue(forKey: number)?.resume(returning: .ready(worker))
        case .ended(let end):
            self.processes[number] = nil
            self.launches.removeValue(forKey: number)?.resume(returning: .failed("\(end)"))
            if self.current === worker { self.current = nil }
            self.signals?.yield(.workerEnded(end))
            if self.processes.isEmpty {
                for waiting in self.ends { waiting.resume() }
                self.ends = []
            }
        }
    }

    /// Before the next start, longer each time: a worker that cannot live must not eat the machine.
    private func pause() async {
        try? await Task.sleep(for: self.delay)
        self.delay = min(self.delay * 2, self.configuration.longestRestartDelay)
    }

    private func noteOutcome() {
        self.hadOutcome = true
        for waiting in self.firstOutcome { waiting.resume() }
        self.firstOutcome = []
    }

    // MARK: Watching the signatures

    private func watch(_ signals: AsyncStream<Signal>.Continuation) async {
        var loaded = self.databaseState()
        var seen = loaded
        while !Task.isCancelled {
            try? await Task.sleep(for: self.configuration.watchInterval)
            let now = self.databaseState()
            // Twice the same: whoever writes it has finished, or at least paused.
            if now == seen && now != loaded {
                loaded = now
                signals.yield(.databaseChanged)
            }
            seen = now
        }
    }

    /// A few `stat` calls on a small directory that the kernel has in memory.
    private func databaseState() -> [Directory.Entry] {
        (try? Directory.entries(self.configuration.database)) ?? []
    }
}
