import ClamAVKit
import Glibc
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

    init(engine: ScanEngine, threads: Int, streamSize: Int) {
        self.engine = engine
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

    func scan(_ bytes: [UInt8]) -> ScanResult {
        self.limited { bytes.withUnsafeBytes { self.engine.scan($0) } }
    }

    func scan(_ file: File) -> ScanResult {
        do throws(SystemError) {
            let size = try file.size()
            return self.limited { self.engine.scan(descriptor: file.descriptor, size: size) }
        } catch {
            return .failed(.engine("\(error)"))
        }
    }

    private func limited(_ scan: () -> ScanResult) -> ScanResult {
        self.scans.wait()
        defer { self.scans.signal() }
        return scan()
    }
}

/// A counting semaphore for threads.
private final class Semaphore: @unchecked Sendable {
    // `@unchecked Sendable`: a semaphore at a fixed address is made for use by several threads.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(_ count: Int) {
        sem_init(self.semaphore, 0, UInt32(count))
    }

    deinit {
        sem_destroy(self.semaphore)
        self.semaphore.deallocate()
    }

    func wait() {
        while sem_wait(self.semaphore) != 0 && errno == EINTR {}
    }

    func signal() {
        sem_post(self.semaphore)
    }
}
