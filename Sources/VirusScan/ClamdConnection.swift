import ContentStorage
import SystemKit

/// A connection to clamd with a session on it, for threads that may wait.
struct ClamdConnection: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Failure: Error, Hashable, Sendable {
        case timedOut
        /// The engine went away or talks nonsense.
        case lost(String)
    }

    /// Octets of a stream sent at once: few system calls, and a small share of a socket's memory.
    private static let chunkSize = 256 * 1_024
    private static let readSize = 4_096

    private let socket: StreamSocket
    private let passesDescriptors: Bool
    private var decoder = ClamdReplyDecoder()
    private var requests = 0
    /// When the last answer came; for a new connection when it was made.
    private(set) var lastUsed: Instant

    /// True once a reply came: the engine may then have closed an unused connection, which says nothing about it.
    var isReused: Bool { self.requests > 0 }

    init(to endpoint: ClamdEndpoint, passesDescriptors: Bool, deadline: Instant) throws(Failure) {
        do throws(SystemError) {
            switch endpoint {
            case .unix(let path):
                self.socket = try StreamSocket(connectingTo: path, deadline: deadline)
                self.passesDescriptors = passesDescriptors
            case .network(let host, let port):
                self.socket = try StreamSocket(connectingTo: host, port: port, deadline: deadline)
                self.passesDescriptors = false
            }
        } catch {
            throw Self.failure(error)
        }
        self.lastUsed = .now
    }

    /// The engine's version, as it says it.
    mutating func version(deadline: Instant) throws(Failure) -> String {
        try self.send(self.opening + ClamdCommand.version.octets, deadline)
        guard case .text(let text) = try self.reply(deadline) else { throw .lost("no version") }
        return text
    }

    /// One scan of one content.
    mutating func scan(_ content: MessageContent, deadline: Instant) throws(Failure) -> ClamdReply {
        do throws(Failure) {
            switch content {
            case .file(let file, _) where self.passesDescriptors: try self.pass(file, deadline)
            case .memory, .file: try self.stream(content, deadline)
            }
        } catch .lost(let reason) {
            // An engine that refuses a stream in the middle says why before it closes: the reply may wait for us.
            if let reply = try? self.reply(deadline) { return reply }
            throw .lost(reason)
        }
        return try self.reply(deadline)
    }

    /// Opens the session with the first request.
    private var opening: [UInt8] { self.requests == 0 ? ClamdCommand.beginSession.octets : [] }

    private mutating func pass(_ file: File, _ deadline: Instant) throws(Failure) {
        try self.send(self.opening + ClamdCommand.scanDescriptor.octets, deadline)
        do throws(SystemError) {
            try self.socket.send(file, deadline: deadline)
        } catch {
            throw Self.failure(error)
        }
    }

    private mutating func stream(_ content: MessageContent, _ deadline: Instant) throws(Failure) {
        var pending = self.opening + ClamdCommand.scanStream.octets
        var offset = 0
        while true {
            let piece: [UInt8]
            do throws(SystemError) {
                piece = try content.read(count: Self.chunkSize, at: offset)
            } catch {
                throw .lost("\(error)")
            }
            if piece.isEmpty { break }
            pending += ClamdCodec.chunkLength(piece.count)
            pending += piece
            offset += piece.count
            // The last piece goes out with the end mark: a small message is one write.
            if piece.count == Self.chunkSize {
                try self.send(pending, deadline)
                pending.removeAll(keepingCapacity: true)
            }
        }
        try self.send(pending + ClamdCodec.endOfStream, deadline)
    }

    private func send(_ octets: [UInt8], _ deadline: Instant) throws(Failure) {
        do throws(SystemError) {
            try self.socket.write(octets, deadline: deadline)
        } catch {
            throw Self.failure(error)
        }
    }

    private mutating func reply(_ deadline: Instant) throws(Failure) -> ClamdReply {
        while true {
            do throws(ClamdProtocolError) {
                if let (number, reply) = try self.decoder.next(isSession: true) {
                    self.requests += 1
                    self.lastUsed = .now
                    if case .failed = reply, number == 0 { return reply }
                    guard number == self.requests else { throw .outOfStep("number \(number) for \(self.requests)") }
                    return reply
                }
            } catch {
                throw .lost("\(error)")
            }
            let octets: [UInt8]
            do throws(SystemError) {
                octets = try self.socket.read(count: Self.readSize, deadline: deadline)
            } catch {
                throw Self.failure(error)
            }
            if octets.isEmpty { throw .lost("the engine closed the connection") }
            self.decoder.append(octets)
        }
    }

    private static func failure(_ error: SystemError) -> Failure {
        error.isTimeout ? .timedOut : .lost("\(error)")
    }
}
