import NIOPosix
import Synchronization
import SystemKit

/// One `outpost-scanner` process, its directory and its client.
final class ScannerWorker: Sendable {
    /// What a worker says when it listens: `ready 8700000 1.4.6/27450/1732300000 landlock-7+seccomp`.
    struct Greeting: Hashable, Sendable {
        var signatures: Int
        var libraryVersion: String
        /// 0 without the official database.
        var databaseVersion: Int
        /// Seconds since 1970; 0 without the official database.
        var databaseTime: Int
        /// What the kernel keeps it from, as `CurrentProcess.Confinement` writes it.
        var confinement: String

        /// As a listing shows it.
        var engine: String { "libclamav \(self.libraryVersion) / \(self.databaseVersion)" }

        init?(_ line: String) {
            let words = line.split(separator: " ")
            guard words.count == 4, words[0] == "ready", let signatures = Int(words[1]) else { return nil }
            let facts = words[2].split(separator: "/", omittingEmptySubsequences: false)
            guard facts.count == 3, let version = Int(facts[1]), let time = Int(facts[2]) else { return nil }
            self.signatures = signatures
            self.libraryVersion = String(facts[0])
            self.databaseVersion = version
            self.databaseTime = time
            self.confinement = String(words[3])
        }
    }

    enum Event: Hashable, Sendable {
        case ready(Greeting)
        /// Reaped, and its directory removed.
        case ended(ChildProcess.End)
    }

    private struct Use {
        var scans = 0
        var isRetired = false
        var greeting: Greeting?
    }

    /// Counts the workers of this process, whoever starts them: names of directories must differ.
    private static let count = Atomic(0)

    let number: Int
    let client: ClamdClient
    private let directory: String
    private let process: ChildProcess
    private let use = Mutex(Use())

    /// Starts the process.
    /// - Parameter report: called in order, `.ended` last and always.
    init(
        configuration: ScannerSupervisor.Configuration,
        scannerPath: String,
        threads: NIOThreadPool,
        report: @escaping @Sendable (_ worker: Int, Event) -> Void
    ) throws(SystemError) {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        let directory = "\(configuration.runDirectory)/scan-\(CurrentProcess.id)-\(number)"
        try Directory.make(directory)
        if let user = configuration.user, CurrentProcess.isRoot { try Directory.give(directory, to: user) }
        let socket = Self.socketPath(in: directory)
        self.number = number
        self.directory = directory
        self.client = ClamdClient(endpoint: .unix(socket), threads: threads)
        self.process = ChildProcess(
            path: scannerPath,
            arguments: configuration.arguments(socket: socket, directory: directory),
            environment: Self.environment
        ) { event in
            switch event {
            case .line(let line):
                if let greeting = Greeting(line) { report(number, .ready(greeting)) }
            case .ended(let end):
                Directory.removeTree(directory)
                report(number, .ended(end))
            }
        }
    }

    static func socketPath(in directory: String) -> String { "\(directory)/s" }

    /// True for a directory of a worker whose gateway is gone without having removed it.
    static func isLeftover(directory name: String) -> Bool {
        let words = name.split(separator: "-")
        guard words.count == 3, words[0] == "scan", let owner = Int32(words[1]), let number = Int(words[2]) else { return false }
        // In a container every gateway has the same process number.
        return owner == CurrentProcess.id ? number > self.count.load(ordering: .relaxed) : !CurrentProcess.exists(owner)
    }

    /// Swift's own crash reports are off: they can swallow the signal that ended the process.
    private static var environment: [String] {
        let inherited = ["LD_LIBRARY_PATH", "TZ"].compactMap { name in
            CurrentProcess.environment(name).map { "\(name)=\($0)" }
        }
        return ["SWIFT_BACKTRACE=enable=no", "LC_ALL=C", "PATH=/usr/bin:/bin"] + inherited
    }

    var processID: Int32? { self.process.processID }

    var greeting: Greeting? {
        get { self.use.withLock { $0.greeting } }
        set { self.use.withLock { $0.greeting = newValue } }
    }

    /// Nothing in a worker is worth a farewell, and a stopped one would not hear a polite signal.
    func kill() {
        self.process.signal(9)
    }

    /// Each is followed by `endScan`.
    func beginScan() {
        self.use.withLock { $0.scans += 1 }
    }

    func endScan() {
        let isLast = self.use.withLock { use in
            use.scans -= 1
            return use.isRetired && use.scans == 0
        }
        if isLast { self.kill() }
    }

    /// It gets no more scans and ends after those it has.
    func retire() {
        let isIdle = self.use.withLock { use in
            use.isRetired = true
            return use.scans == 0
        }
        if isIdle { self.kill() }
    }
}

extension ScannerSupervisor.Configuration {
    fileprivate func arguments(socket: String, directory: String) -> [String] {
        // A stream longer than a file may be is answered with a finding; it is the gateway's own message, of bounded size.
        let streamSize = 2_000_000_000
        var words = [
            "--socket", socket, "--database", self.database, "--temporary-directory", directory, "--end-with-input",
            "--threads", "\(ScanLanes.places(self))", "--max-stream-size", "\(streamSize)",
            "--max-file-size", "\(self.maxFileSize)", "--max-scan-size", "\(self.maxScanSize)",
            "--max-recursion", "\(self.maxRecursion)", "--max-files", "\(self.maxFiles)",
            "--max-scan-time", "\(Int(self.scanTimeLimit / .milliseconds(1)))",
        ]
        if let user = self.user { words += ["--user", user] }
        if self.alertsOnMacros { words.append("--alert-macros") }
        if self.alertsOnBroken { words.append("--alert-broken") }
        return words
    }
}
