import Foundation
import Logging
import NIOPosix
import Synchronization
import SystemKit

/// The admin socket of a running gateway. Whoever connects can at worst keep others from asking for some seconds: conversations
/// are few, short and bounded, on threads of their own.
package final class AdminListener: Sendable {
    /// - Returns: one line of JSON without its end.
    package typealias Answer = @Sendable (AdminRequest) async -> [UInt8]

    private let listener: UnixListener
    private let permission: Mutex<AdminPermission>
    private let answer: Answer
    private let logger: Logger
    private let threads = NIOThreadPool(numberOfThreads: AdminBounds.connections)
    private let open = Atomic(0)
    private let isStopped = Atomic(false)

    /// Between two tries to take a connection when that fails, for lack of descriptors for example.
    private static let pause = 0.1

    /// Opens the socket; a socket that is left there is replaced.
    package init(path: String, permission: AdminPermission, logger: Logger, answer: @escaping Answer) throws(SystemError) {
        self.permission = Mutex(permission)
        self.listener = try UnixListener(path: path, backlog: Int32(AdminBounds.connections), mode: permission.mode)
        self.logger = logger
        self.answer = answer
    }

    package func start() {
        self.threads.start()
        let thread = Thread { self.run() }
        thread.name = "admin"
        thread.start()
    }

    /// Others may ask from now on.
    package func use(_ permission: AdminPermission) throws(SystemError) {
        try self.listener.permit(permission.mode)
        self.permission.withLock { $0 = permission }
    }

    /// Closes the socket and removes it. Answers that are under way are not waited for.
    package func stop() async {
        guard !self.isStopped.exchange(true, ordering: .sequentiallyConsistent) else { return }
        self.listener.stop()
        try? await self.threads.shutdownGracefully()
    }

    private var hasStopped: Bool { self.isStopped.load(ordering: .sequentiallyConsistent) }

    private func run() {
        while !self.hasStopped {
            do throws(SystemError) {
                self.take(try self.listener.next())
            } catch {
                if self.hasStopped { return }
                self.logger.warning("the admin socket takes no connection", metadata: ["error": "\(error)"])
                Thread.sleep(forTimeInterval: Self.pause)
            }
        }
    }

    private func take(_ connection: StreamSocket) {
        // Who may not ask is not even listened to.
        guard let peer = try? connection.peer(), self.permission.withLock({ $0.allows(peer) }) else {
            return Self.refuse(connection, "you may not ask: be root or the gateway's user, or be named in `admin`")
        }
        guard self.open.wrappingAdd(1, ordering: .relaxed).newValue <= AdminBounds.connections else {
            self.open.wrappingSubtract(1, ordering: .relaxed)
            return Self.refuse(connection, "others are asking, try again")
        }
        Task {
            await self.converse(connection)
            self.open.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    private func converse(_ connection: StreamSocket) async {
        do {
            let line = try await self.threads.runIfActive {
                try connection.line(limit: AdminBounds.request, deadline: .now + AdminBounds.time)
            }
            let answer: [UInt8]
            if let request = AdminRequest(line: line) {
                answer = await self.answer(request) + [AdminBounds.lineEnd]
            } else {
                answer = AdminRefusal(error: "this is no question that is known here").line
            }
            try await self.threads.runIfActive { try connection.write(answer, deadline: .now + AdminBounds.time) }
        } catch {
            // The client is silent, has gone, says too much, or the gateway stops: nothing is owed to it.
            self.logger.debug("a question on the admin socket was not answered", metadata: ["error": "\(error)"])
        }
    }

    /// Says why, if the client can take that at once.
    private static func refuse(_ connection: StreamSocket, _ reason: String) {
        try? connection.write(AdminRefusal(error: reason).line, deadline: .now)
    }
}

extension AdminPermission {
    /// Of the socket. Where others may ask, everybody may connect and the kernel says who they are: with a group of the socket's
    /// own, its users would have to be members of it.
    fileprivate var mode: mode_t { self.isWide ? 0o666 : 0o600 }
}

extension StreamSocket {
    /// A line without its end. `EMSGSIZE` when it is longer than `limit`, `ENODATA` when the peer ends before it does.
    func line(limit: Int, deadline: Instant) throws(SystemError) -> [UInt8] {
        var line: [UInt8] = []
        while true {
            // What comes behind the line's end is nobody's.
            let piece = try self.read(count: min(limit + 1 - line.count, 65_536), deadline: deadline)
            guard !piece.isEmpty else { throw SystemError(code: ENODATA, "read a line") }
            if let end = piece.firstIndex(of: AdminBounds.lineEnd) { return line + piece[..<end] }
            line += piece
            guard line.count <= limit else { throw SystemError(code: EMSGSIZE, "read a line") }
        }
    }
}
