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

    /// Starts the engine that is configured, then ends the one before it.
    func use(_ configuration: GatewayConfiguration) async {
        let next: Engine
        switch configuration.antivirus.engine {
        case .none:
            next = .off
        case .builtin:
            let supervisor = ScannerSupervisor(
                ScannerSupervisor.Configuration(configuration), logger: self.logger)
            supervisor.start()
            next = .builtin(supervisor)
        case .clamd:
            next = .clamd(ClamdScanner(ClamdScanner.Configuration(hosts: configuration.antivirus.clamd), logger: self.logger))
        }
        await self.exchange(next)
    }

    func stop() async { await self.exchange(.off) }

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
