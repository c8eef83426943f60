import ClamAVKit
import SystemKit

/// Answers clamd's protocol: a thread for each connection, a fixed number of scans at once.
final class ScanServer: Sendable {
    /// The gateway opens one connection for each scan it runs; more wait to be accepted.
    private static let connectionsPerThread = 4

    let engine: ScanEngine
    /// As clamd writes it, without its name: `1.4.6/27450/1732300000`.
    let version: String
    let streamSize: Int
    private let connections: Semaphore
    private let scans: Semaphore
    private let pace: ScanPace

    /// - Throws: when there can be no thread that watches over scans.
    init(engine: ScanEngine, threads: Int, streamSize: Int) throws(SystemError) {
        self.engine = engine
        self.pace = try ScanPace()
        self.streamSize = streamSize
        self.version = "\(ScanEngine.libraryVersion)/\(engine.databaseVersion)/\(engine.databaseTime)"
        self.connections = Semaphore(threads * Self.connectionsPerThread)
        self.scans = Semaphore(threads)
    }

    /// Takes connections for ever.
    func run(_ listener: UnixListener) throws(SystemError) {
        while true {
            self.connections.wait()
            let socket = try listener.next()
            let failure = startThread(name: "connection") { [self] in
                var connection = ScanConnection(server: self, socket: socket)
                connection.run()
                self.connections.signal()
            }
            // No thread: the connection is closed unanswered, and its scan is somebody else's or is reported as not done.
            if failure != nil { self.connections.signal() }
        }
    }

    /// What a scan said, and whether its thread was slowed and should end.
    typealias Outcome = (result: ScanResult, isSlowed: Bool)

    func scan(_ bytes: [UInt8]) -> Outcome {
        self.limited { bytes.withUnsafeBytes { self.engine.scan($0) } }
    }

    func scan(_ file: File) -> Outcome {
        do throws(SystemError) {
            let size = try file.size()
            return self.limited { self.engine.scan(descriptor: file.descriptor, size: size) }
        } catch {
            return (.failed(.engine("\(error)")), false)
        }
    }

    private func limited(_ scan: () -> ScanResult) -> Outcome {
        self.scans.wait()
        defer { self.scans.signal() }
        let id = self.pace.begin()
        let result = scan()
        return (result, self.pace.end(id))
    }
}
