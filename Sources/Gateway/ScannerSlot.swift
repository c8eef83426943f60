import Logging
import MailTypes
import Synchronization
import SystemKit
import VirusScan

/// Holds the virus engine that the configuration names, and exchanges it on reload.
final class ScannerSlot: VirusScanner {
    fileprivate enum Engine: Sendable {
        case off
        case builtin(ScannerSupervisor)
        case clamd(ClamdScanner)
    }

    private let engine: Mutex<Engine>
    private let logger: Logger

    /// The configured engine is in place from the start, so that no message slips by unscanned; `start` sets it to work.
    /// - Parameter runDirectory: where the sockets of a command's scanner are; nil: the gateway's own place.
    /// - Throws: when it can never run, e.g. because of a path.
    init(_ configuration: GatewayConfiguration, runDirectory: String? = nil, logger: Logger) throws {
        self.logger = logger
        self.engine = Mutex(try Engine(configuration, runDirectory: runDirectory, logger: logger))
    }

    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        switch self.engine.withLock({ $0 }) {
        case .off: ScanFindings(status: .off)
        case .builtin(let supervisor): await supervisor.scan(subject, budget: budget)
        case .clamd(let scanner): await scanner.scan(subject, budget: budget)
        }
    }

    func load() async -> ScanLoad {
        switch self.engine.withLock({ $0 }) {
        case .off: ScanLoad()
        case .builtin(let supervisor): await supervisor.load()
        case .clamd(let scanner): await scanner.load()
        }
    }

    /// For listings.
    func figures() async -> GatewayStatus.Scanner {
        switch self.engine.withLock({ $0 }) {
        case .off: GatewayStatus.Scanner(engine: "none", isReady: false)
        case .builtin(let supervisor): GatewayStatus.Scanner(await supervisor.status())
        case .clamd(let scanner): GatewayStatus.Scanner(await scanner.status())
        }
    }

    /// Scans that come before the engine is ready wait for it within their budget. Root's privileges must be gone by now:
    /// the scanner's directories are the running user's.
    func start() async throws {
        try await self.engine.withLock({ $0 }).start()
    }

    /// Exchanges the engine for the one that a new configuration names; the one in use answers until that can.
    func use(_ configuration: GatewayConfiguration) async throws {
        let next = try Engine(configuration, logger: self.logger)
        try await next.start()
        if case .builtin(let supervisor) = next { await supervisor.started() }
        await self.exchange(next)
    }

    func stop() async { await self.exchange(.off) }

    private func exchange(_ next: Engine) async {
        let previous = self.engine.withLock { engine in
            let previous = engine
            engine = next
            return previous
        }
        await previous.stop()
    }
}

extension ScannerSlot.Engine {
    init(_ configuration: GatewayConfiguration, runDirectory: String? = nil, logger: Logger) throws {
        switch configuration.antivirus.engine {
        case .none:
            self = .off
        case .builtin:
            var settings = ScannerSupervisor.Configuration(configuration)
            if let runDirectory {
                settings.runDirectory = runDirectory
                settings.startsOnce = true
            }
            self = .builtin(try ScannerSupervisor(configuration: settings, logger: logger))
        case .clamd:
            let endpoints = try configuration.antivirus.clamd.map { text in
                guard let endpoint = ClamdEndpoint(text) else {
                    throw Gateway.StartError("antivirus.clamd: \(text) is neither unix:/path nor host:port")
                }
                return endpoint
            }
            var settings = ClamdScanner.Configuration(endpoints: endpoints)
            settings.longQueueLimit = configuration.limits.slowQueue
            settings.longQueuePerNetwork = configuration.limits.slowQueuePerNetwork
            self = .clamd(ClamdScanner(configuration: settings, logger: logger))
        }
    }

    func start() async throws {
        if case .builtin(let supervisor) = self { try await supervisor.start() }
    }

    func stop() async {
        switch self {
        case .off: break
        case .builtin(let supervisor): await supervisor.stop()
        case .clamd(let scanner): await scanner.stop()
        }
    }
}

extension ScannerSupervisor.Configuration {
    init(_ configuration: GatewayConfiguration) {
        let antivirus = configuration.antivirus
        self.init(database: antivirus.database, runDirectory: configuration.runDirectory)
        self.scannerPath = antivirus.scannerPath
        self.concurrency = antivirus.concurrency
        self.longQueueLimit = configuration.limits.slowQueue
        self.longQueuePerNetwork = configuration.limits.slowQueuePerNetwork
        self.maxFileSize = antivirus.maxFileSize
        self.maxScanSize = antivirus.maxScanSize
        self.maxRecursion = antivirus.maxRecursion
        self.maxFiles = antivirus.maxFiles
        self.user = antivirus.runAsUser
    }
}
