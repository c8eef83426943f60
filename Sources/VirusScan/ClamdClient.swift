import ContentStorage
import MailTypes
import NIOPosix
import Synchronization
import SystemKit

/// Scans at one engine.
///
/// Scans wait on threads of their own and not on an event loop: an engine takes one scan at a time for each of its threads, a
/// few in all, and a descriptor can be passed only outside of NIO's stream channels.
package final class ClamdClient: Sendable {
    package enum Answer: Hashable, Sendable {
        case status(ScanFindings.Status)
        /// The deadline passed while the engine had the message.
        case timedOut
        /// The engine is not there: it saw nothing of the message.
        case unreachable(String)
        /// The engine went away in the middle or talks nonsense.
        case lost(String)
        /// The task was cancelled or the threads are stopped.
        case cancelled
    }

    /// Unused connections are closed after this: clamd's own limit is 30 s (`IdleTimeout`).
    private static let idleLimit = Duration.seconds(10)

    package let endpoint: ClamdEndpoint
    private let threads: NIOThreadPool
    private let passesDescriptors: Bool
    private let idle = Mutex<[ClamdConnection]>([])

    /// - Parameters:
    ///   - threads: started by the caller; as many scans run at once.
    ///   - passesDescriptors: content in files is passed as an open file; only on Unix sockets.
    package init(endpoint: ClamdEndpoint, threads: NIOThreadPool, passesDescriptors: Bool = true) {
        self.endpoint = endpoint
        self.threads = threads
        self.passesDescriptors = passesDescriptors
    }

    /// `ClamAV 1.4.6/27450/Mon Jan …`
    package func version(deadline: ContinuousClock.Instant) async -> Result<String, any Error> {
        do {
            return try await .success(
                self.threads.runIfActive {
                    var connection = try self.takeIdle() ?? self.connect(deadline)
                    let version = try connection.version(deadline: deadline)
                    self.keep(connection)
                    return version
                }
            )
        } catch {
            return .failure(error)
        }
    }

    /// Scans the message and each part; names of all of them, each once.
    package func scan(_ subject: ScanSubject, deadline: ContinuousClock.Instant) async -> Answer {
        do {
            return try await self.threads.runIfActive { self.answer(subject, deadline) }
        } catch {
            return .cancelled
        }
    }

    // MARK: On a thread

    private func answer(_ subject: ScanSubject, _ deadline: ContinuousClock.Instant) -> Answer {
        var names: [String] = []
        var failure: CheckFailure?
        var connection = self.takeIdle()
        if connection == nil {
            do throws(ClamdConnection.Failure) {
                connection = try self.connect(deadline)
            } catch {
                return .unreachable("\(error)")
            }
        }
        do throws(ClamdConnection.Failure) {
            for content in subject.distinctContents {
                let reply = try self.scan(content, on: &connection, deadline)
                switch reply {
                case .clean: break
                case .found(let found): names += found.filter { !names.contains($0) }
                case .failed(let reason):
                    failure = failure ?? CheckFailure(reason)
                    // What follows an error on a connection is not said anywhere: the next content gets a new one.
                    connection = nil
                case .text(let text): throw .lost("an unexpected reply: \(text)")
                }
            }
            if let connection { self.keep(connection) }
        } catch {
            switch error {
            case .timedOut: return .timedOut
            case .lost(let reason): return .lost(reason)
            }
        }
        if !names.isEmpty { return .status(.found(names)) }
        return .status(failure.map { .notScanned($0) } ?? .clean)
    }

    private func scan(
        _ content: MessageContent,
        on connection: inout ClamdConnection?,
        _ deadline: ContinuousClock.Instant
    ) throws(ClamdConnection.Failure) -> ClamdReply {
        if connection == nil { connection = try self.connect(deadline) }
        let wasReused = connection!.isReused
        do throws(ClamdConnection.Failure) {
            return try connection!.scan(content, deadline: deadline)
        } catch .lost where wasReused {
            // The engine may have closed an unused connection a moment ago. A new one tells whether it is still there.
            connection = try self.connect(deadline)
            return try connection!.scan(content, deadline: deadline)
        }
    }

    private func connect(_ deadline: ContinuousClock.Instant) throws(ClamdConnection.Failure) -> ClamdConnection {
        try ClamdConnection(to: self.endpoint, passesDescriptors: self.passesDescriptors, deadline: deadline)
    }

    private func takeIdle() -> ClamdConnection? {
        self.idle.withLock { idle in
            let oldest = ContinuousClock.now - Self.idleLimit
            idle.removeAll { $0.lastUsed < oldest }
            return idle.popLast()
        }
    }

    private func keep(_ connection: ClamdConnection) {
        self.idle.withLock { $0.append(connection) }
    }
}

extension ScanSubject {
    /// The message and its parts, each content once and no empty ones.
    fileprivate var distinctContents: [MessageContent] {
        let parts = self.parts()
        if parts.isEmpty { return [self.message] }
        var seen: Set<[UInt8]> = []
        if case .memory(let bytes) = self.message { seen.insert(bytes) }
        return [self.message] + parts.filter { !$0.isEmpty && seen.insert($0).inserted }.map { .memory($0) }
    }
}

extension CheckFailure {
    /// An engine's words for having no verdict.
    fileprivate init(_ reason: String) {
        self = reason.hasPrefix("Time limit reached") ? .timedOut : .failed(reason)
    }
}
