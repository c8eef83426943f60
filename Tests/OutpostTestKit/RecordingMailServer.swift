import Foundation
import Glibc
import Synchronization

/// A small mail server of the tests: takes everything and remembers it before it says so.
public final class RecordingMailServer: Sendable {
    public struct Message: Sendable {
        public let from: String
        public let to: [String]
        public let octets: [UInt8]
        /// `XCLIENT` lines and the like that came before.
        public let commandsBefore: [String]
    }

    private struct State {
        var messages: [Message] = []
        var connections = 0
        var open: [Int: LoopbackSocket] = [:]
        var commands: [String] = []
        var isStopped = false
    }

    public let port: Int
    private let descriptor: Int32
    private let extensions: [String]
    /// The reply to a command line, or to `.` for the end of a message, where it is not the usual one; empty: none, the
    /// connection ends.
    private let answer: @Sendable (String) -> String?
    private let state = Mutex(State())

    /// - Parameter port: where an earlier one listened; 0: a free one.
    public init(
        extensions: [String] = ["PIPELINING", "8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES"],
        port: Int = 0,
        answer: @escaping @Sendable (String) -> String? = { _ in nil }
    ) throws {
        (self.descriptor, self.port) = try LoopbackSocket.listening(port: port)
        self.extensions = extensions
        self.answer = answer
        Thread { [weak self, descriptor] in
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0 else { return }
                let socket = LoopbackSocket(adopting: accepted)
                guard let server = self else { return }
                Thread { server.serve(socket) }.start()
            }
        }.start()
    }

    deinit {
        self.stop()
    }

    public var messages: [Message] { self.state.withLock { $0.messages } }
    public var connections: Int { self.state.withLock { $0.connections } }
    public var commands: [String] { self.state.withLock { $0.commands } }

    /// Takes no more connections and ends those there are.
    public func stop() {
        let open = self.state.withLock { state -> [LoopbackSocket]? in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            return Array(state.open.values)
        }
        guard let open else { return }
        // Wakes the thread in accept().
        shutdown(self.descriptor, Int32(SHUT_RDWR))
        close(self.descriptor)
        for socket in open { socket.disconnect() }
    }

    private func serve(_ socket: LoopbackSocket) {
        let number = self.state.withLock { state in
            state.connections += 1
            state.open[state.connections] = socket
            return state.connections
        }
        try? self.converse(socket)
        self.state.withLock { $0.open[number] = nil }
    }

    private func converse(_ socket: LoopbackSocket) throws {
        var from = ""
        var to: [String] = []
        var before: [String] = []
        socket.write("220 recorder ESMTP\r\n")
        while true {
            let line = try socket.line()
            self.state.withLock { $0.commands.append(line) }
            if let answer = self.answer(line) {
                if answer.isEmpty { return socket.disconnect() }
                socket.write(answer + "\r\n")
                continue
            }
            switch line.prefix(4).uppercased() {
            case "EHLO":
                let lines = ["recorder"] + self.extensions
                for (index, text) in lines.enumerated() {
                    socket.write("250\(index == lines.count - 1 ? " " : "-")\(text)\r\n")
                }
            case "MAIL":
                (from, to) = (Self.path(line), [])
                socket.write("250 2.1.0 ok\r\n")
            case "RCPT":
                to.append(Self.path(line))
                socket.write("250 2.1.5 ok\r\n")
            case "DATA":
                socket.write("354 go\r\n")
                let octets = try socket.content()
                let count = self.state.withLock { state in
                    state.messages.append(Message(from: from, to: to, octets: octets, commandsBefore: before))
                    return state.messages.count
                }
                if let answer = self.answer(".") {
                    if answer.isEmpty { return socket.disconnect() }
                    socket.write(answer + "\r\n")
                    continue
                }
                socket.write("250 2.0.0 queued as R\(count)\r\n")
            case "XCLI":
                before.append(line)
                socket.write("220 recorder ESMTP\r\n")
            case "QUIT":
                socket.write("221 2.0.0 bye\r\n")
                return
            default: socket.write("250 2.0.0 ok\r\n")
            }
        }
    }

    private static func path(_ line: String) -> String {
        guard let start = line.firstIndex(of: "<"), let end = line[start...].firstIndex(of: ">") else { return "" }
        return String(line[line.index(after: start)..<end])
    }
}
