import Glibc
import Synchronization

/// A blocking TCP connection on loopback with bounded waits, and what listens for one.
public final class LoopbackSocket: Sendable {
    public enum Family: Sendable {
        case v4
        case v6
    }

    public struct Closed: Error {}

    private struct Buffer {
        var octets: [UInt8] = []
        var start = 0
    }

    /// No reply of a healthy peer takes longer.
    private static let waitSeconds = 30

    public let descriptor: Int32
    private let buffer = Mutex(Buffer())

    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        var limit = timeval(tv_sec: Self.waitSeconds * Wait.patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    public convenience init(port: Int, family: Family = .v4) throws {
        let descriptor = socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0, Self.withAddress(port: port, family: family, { connect(descriptor, $0, $1) }) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw Closed()
        }
        self.init(adopting: descriptor)
    }

    /// Connects from another address of loopback: 127.0.0.`host`.
    public convenience init(port: Int, fromHost host: UInt8) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let isBound = Self.withAddress(port: 0, host: host, family: .v4) { bind(descriptor, $0, $1) } == 0
        guard descriptor >= 0, isBound, Self.withAddress(port: port, family: .v4, { connect(descriptor, $0, $1) }) == 0 else {
            if descriptor >= 0 { close(descriptor) }
            throw Closed()
        }
        self.init(adopting: descriptor)
    }

    deinit {
        close(self.descriptor)
    }

    /// Calls a socket function with the loopback address.
    static func withAddress(
        port: Int,
        host: UInt8 = 1,
        family: Family,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        switch family {
        case .v4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = in_addr_t(0x7f00_0000 | UInt32(host)).bigEndian
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = in_port_t(port).bigEndian
            address.sin6_addr = in6addr_loopback
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
            }
        }
    }

    /// A listening socket on a port that the kernel chooses, unless one is named.
    static func listening(port: Int = 0, family: Family = .v4) throws -> (descriptor: Int32, port: Int) {
        let descriptor = socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard descriptor >= 0, withAddress(port: port, family: family, { bind(descriptor, $0, $1) }) == 0,
            listen(descriptor, 128) == 0
        else {
            if descriptor >= 0 { close(descriptor) }
            throw Closed()
        }
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &size) }
        }
        // The port stands at the same place in both families.
        return (descriptor, Int(UInt16(bigEndian: address.sin6_port)))
    }

    /// A port that was free a moment ago, for programs that cannot choose one themselves.
    public static func freePort(_ family: Family = .v4) throws -> Int {
        let (descriptor, port) = try self.listening(family: family)
        close(descriptor)
        return port
    }

    public static let hasIPv6 = (try? LoopbackSocket.freePort(.v6)) != nil

    @discardableResult
    public func write(_ octets: [UInt8]) -> Bool {
        var sent = 0
        while sent < octets.count {
            let count = octets.withUnsafeBytes { bytes in
                send(self.descriptor, bytes.baseAddress! + sent, octets.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    @discardableResult
    public func write(_ text: String) -> Bool { self.write(Array(text.utf8)) }

    /// No more will be written.
    public func endOutput() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// Both directions end; a thread that waits for octets goes on.
    public func disconnect() { shutdown(self.descriptor, Int32(SHUT_RDWR)) }

    /// Closes with a reset.
    public func abort() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    private func fill(_ buffer: inout Buffer) throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = recv(self.descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { throw Closed() }
        if buffer.start > 0 {
            buffer.octets.removeSubrange(..<buffer.start)
            buffer.start = 0
        }
        buffer.octets += chunk[..<count]
    }

    /// The next line without its end.
    public func line() throws -> String {
        try self.buffer.withLock { buffer in
            while true {
                if let end = buffer.octets[buffer.start...].firstIndex(of: 0x0a) {
                    var line = buffer.octets[buffer.start..<end]
                    if line.last == 0x0d { line.removeLast() }
                    buffer.start = end + 1
                    return String(decoding: line, as: UTF8.self)
                }
                try self.fill(&buffer)
            }
        }
    }

    /// A message's content after DATA, with its dots taken back. Nothing may be behind it in the same moment.
    public func content() throws -> [UInt8] {
        try self.buffer.withLock { buffer in
            let end = Array("\r\n.\r\n".utf8)
            func isComplete() -> Bool {
                let octets = buffer.octets[buffer.start...]
                return octets.elementsEqual(end.dropFirst(2)) || octets.suffix(end.count).elementsEqual(end)
            }
            while !isComplete() { try self.fill(&buffer) }
            var octets = Array(buffer.octets[buffer.start...].dropLast(3))
            buffer = Buffer()
            if octets.first == 0x2e { octets.removeFirst() }
            return octets.replacing(Array("\r\n.".utf8), with: Array("\r\n".utf8))
        }
    }

    /// Everything until the peer closes.
    public func rest() -> [UInt8] {
        self.buffer.withLock { buffer in
            while (try? self.fill(&buffer)) != nil {}
            return Array(buffer.octets[buffer.start...])
        }
    }
}
