import Logging
import MailTypes
import Synchronization
import SystemKit
import VirusScan

/// Holds the virus engine that the configuration names, and exchanges it on reload.
final class ScannerSlot: VirusScanner {
    private enum Engine: Sendable {
        case off
        case builtin(ScannerSupervisor)
        case clamd(ClamdScanner)
    }

    private let engine = Mutex(Engine.off)
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings {
        switch self.engine.withLock({ $0 }) {
        case .off: ScanFindings(status: .off)
        case .builtin(let supervisor): await supervisor.scan(subject, budget: budget)
        case .clamd(let scanner): await scanner.scan(subject, budget: budget)
        }
    }

    /// Exchanges the engine for the one that is configured. Scans that come while it starts wait for it within their budget.
    /// - Throws: when it can never run, e.g. because of a path; then the old one stays.
    func use(_ configuration: GatewayConfiguration) async throws {
        switch configuration.antivirus.engine {
        case .none:
            await self.exchange(.off)
        case .builtin:
            let supervisor = try ScannerSupervisor(
                configuration: ScannerSupervisor.Configuration(configuration),
                logger: self.logger
            )
            try await supervisor.start()
            if !self.isOff {
                // The engine in use answers until the next one can.
                await supervisor.started()
            }
            await self.exchange(.builtin(supervisor))
        case .clamd:
            let endpoints = try configuration.antivirus.clamd.map { text in
                guard let endpoint = ClamdEndpoint(text) else {
                    throw Gateway.StartError("antivirus.clamd: \(text) is neither unix:/path nor host:port")
                }
                return endpoint
            }
            await self.exchange(
                .clamd(ClamdScanner(configuration: ClamdScanner.Configuration(endpoints: endpoints), logger: self.logger))
            )
        }
    }

    func stop() async { await self.exchange(.off) }

    private var isOff: Bool {
        self.engine.withLock { engine in
            if case .off = engine { true } else { false }
        }
    }

    private func exchange(_ next: Engine) async {
        let previous = self.engine.withLock { engine in
            let previous = engine
            engine = next
            return previous
        }
        switch previous {
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
        self.maxFileSize = antivirus.maxFileSize
        self.maxScanSize = antivirus.maxScanSize
        self.maxRecursion = antivirus.maxRecursion
        self.maxFiles = antivirus.maxFiles
        self.user = antivirus.runAsUser
    }
}
