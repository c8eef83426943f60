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

    /// What the server does about a command.
    public enum Answer: Sendable {
        case usual
        case reply(String)
        /// Ends the connection without a word.
        case hangUp
        /// Says nothing, and waits for the client to go.
        case silence
    }

    /// Asked about each command, and about `.`, the end of a message; with the reverse path.
    public typealias Answering = @Sendable (_ command: String, _ from: String) -> Answer

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
    private let answering: Answering
    private let state = Mutex(State())

    public static let usualExtensions = ["PIPELINING", "8BITMIME", "SIZE 52428800", "ENHANCEDSTATUSCODES"]

    /// - Parameter port: 0 for one that the kernel chooses.
    public init(
        port: Int = 0,
        extensions: [String] = RecordingMailServer.usualExtensions,
        answering: @escaping Answering = { _, _ in .usual }
    ) throws {
        (self.descriptor, self.port) = try LoopbackSocket.listening(port: port)
        self.extensions = extensions
        self.answering = answering
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
            if line.prefix(4).uppercased() == "MAIL" { from = Self.path(line) }
            switch self.answering(line, from) {
            case .usual: break
            case .reply(let reply):
                socket.write(reply + "\r\n")
                continue
            case .hangUp: return socket.disconnect()
            case .silence: continue
            }
            switch line.prefix(4).uppercased() {
            case "EHLO":
                let lines = ["recorder"] + self.extensions
                for (index, text) in lines.enumerated() {
                    socket.write("250\(index == lines.count - 1 ? " " : "-")\(text)\r\n")
                }
            case "MAIL":
                to = []
                socket.write("250 2.1.0 ok\r\n")
            case "RCPT":
                to.append(Self.path(line))
                socket.write("250 2.1.5 ok\r\n")
            case "DATA":
                socket.write("354 go\r\n")
                let octets = try socket.content()
                self.state.withLock { $0.commands.append(".") }
                switch self.answering(".", from) {
                case .usual: break
                case .reply(let reply):
                    socket.write(reply + "\r\n")
                    continue
                case .hangUp: return socket.disconnect()
                case .silence: continue
                }
                let count = self.state.withLock { state in
                    state.messages.append(Message(from: from, to: to, octets: octets, commandsBefore: before))
                    return state.messages.count
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
