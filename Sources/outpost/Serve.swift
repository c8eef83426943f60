import ArgumentParser
@preconcurrency import Dispatch
import Foundation
import Gateway
import Logging
import SystemKit

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the gateway.",
        discussion: """
            SIGHUP takes over a changed configuration with its rules, lists and certificates, all or nothing. SIGTERM and \
            SIGINT stop: no new connections, open transactions finish within limits.grace. Started as root, the gateway binds \
            its ports and then becomes the configured user. Sockets of systemd (LISTEN_FDS) are taken in the order of the \
            listeners.
            """
    )

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let snapshot = try self.options.snapshot()
        let logger = serviceLogger(snapshot.configuration.log)
        let signals = SignalStream([SIGHUP, SIGTERM, SIGINT])
        signal(SIGPIPE, SIG_IGN)
        let gateway: Gateway
        do {
            // Memory is full of mail: it must not land on a disk, nor be read by other processes of the same user.
            try CurrentProcess.keepMemoryPrivate()
            gateway = try Gateway(snapshot: snapshot, logger: logger)
            try await gateway.start(inherited: inheritedSockets())
        } catch {
            complain("outpost: \(error)")
            throw ExitCode(70)
        }
        var generation = 0
        for await signal in signals.values {
            guard signal == SIGHUP else { break }
            generation += 1
            var problems: [String] = []
            do {
                let snapshot = try self.options.snapshot(generation: generation) { problem in
                    complain(problem)
                    problems.append(problem)
                }
                try await gateway.reload(snapshot)
                logger.notice("configuration reloaded")
            } catch {
                if let first = problems.first {
                    let others = problems.count > 1 ? " (and \(problems.count - 1) more)" : ""
                    gateway.noteFailedReload(first + others)
                    logger.error("the old configuration stays in force", metadata: ["error": "\(first)\(others)"])
                } else {
                    logger.error("the old configuration stays in force", metadata: ["error": "\(error)"])
                }
            }
        }
        logger.notice("stopping")
        await gateway.stop()
    }
}

/// The log of a running gateway: lines on standard error, which systemd and containers collect.
func serviceLogger(_ settings: GatewayConfiguration.Log) -> Logger {
    Logger(label: "outpost") { _ in
        LineLogHandler(
            format: settings.format == .json ? .json : .text,
            level: Logger.Level(rawValue: settings.level) ?? .info,
            output: LogOutput()
        )
    }
}

/// Sockets that systemd opened for us (sd_listen_fds(3)): descriptors from 3 on, if they are meant for this process.
private func inheritedSockets() -> [Int32] {
    let environment = ProcessInfo.processInfo.environment
    guard environment["LISTEN_PID"] == "\(getpid())", let count = environment["LISTEN_FDS"].flatMap(Int32.init), count > 0 else {
        return []
    }
    return Array(3..<(3 + count))
}

/// Signals as a sequence.
struct SignalStream {
    let values: AsyncStream<Int32>

    init(_ signals: [Int32]) {
        self.values = AsyncStream { continuation in
            let sources = signals.map { number in
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { continuation.yield(number) }
                source.resume()
                return source
            }
            continuation.onTermination = { _ in
                for source in sources { source.cancel() }
            }
        }
    }
}
