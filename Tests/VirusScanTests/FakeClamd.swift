import Glibc
import Synchronization
import SystemKit

@testable import VirusScan

/// A clamd on loopback whose answers a test writes.
final class FakeClamd: Sendable {
    typealias Script = @Sendable (_ connection: Connection) throws -> Void

    /// One connection, seen by a script.
    struct Connection: Sendable {
        let socket: StreamSocket
        /// Connections before this one.
        let number: Int

        private static let limit = Duration.seconds(20)

        func send(_ text: String) throws {
            try self.socket.write(Array(text.utf8), deadline: .now + Self.limit)
        }

        func read(_ count: Int) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let more = try self.socket.read(count: count - bytes.count, deadline: .now + Self.limit)
                if more.isEmpty { throw SystemError(code: 0, "end") }
                bytes += more
            }
            return bytes
        }

        func command() throws -> String {
            var name: [UInt8] = []
            while true {
                let octet = try self.read(1)[0]
                if octet == 0 { return String(decoding: name, as: UTF8.self) }
                name.append(octet)
            }
        }

        /// Reads `INSTREAM`, opening a session where it is asked for, and returns what was streamed.
        func stream() throws -> [UInt8] {
            var command = try self.command()
            if command == "zIDSESSION" { command = try self.command() }
            guard command == "zINSTREAM" else { throw SystemError(code: 0, "unexpected \(command)") }
            var bytes: [UInt8] = []
            while true {
                let length = try self.read(4).reduce(0) { $0 << 8 | Int($1) }
                if length == 0 { return bytes }
                bytes += try self.read(length)
            }
        }
    }

    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)

    var endpoint: ClamdEndpoint { .network(host: "127.0.0.1", port: self.port) }
    var connections: Int { self.accepted.withLock { $0 } }

    init(_ script: @escaping Script) throws {
        let (listener, port) = try Self.listen()
        self.listener = listener
        self.port = port
        let failure = startThread(name: "fake-clamd") { [accepted = Accepted(self)] in
            while true {
                let descriptor = accept(listener, nil, nil)
                if descriptor < 0 { break }
                _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
                let socket = StreamSocket(owning: descriptor)
                let number = accepted.next()
                _ = startThread(name: "fake-clamd") { try? script(Connection(socket: socket, number: number)) }
            }
            close(listener)
        }
        if let failure { throw failure }
    }

    deinit {
        shutdown(self.listener, Int32(SHUT_RDWR))
    }

    /// Lets the accepting thread count without keeping the listener open.
    private struct Accepted: Sendable {
        private weak let fake: FakeClamd?

        init(_ fake: FakeClamd) { self.fake = fake }

        func next() -> Int {
            self.fake?.accepted.withLock { count in
                defer { count += 1 }
                return count
            } ?? 0
        }
    }

    /// A listener on a free port of loopback.
    static func listen() throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && Glibc.listen(descriptor, 16) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard result else { throw SystemError("listen") }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }
}
