import Glibc

/// A blocking client over a real socket, with bounded waits.
final class SocketClient {
    private let descriptor: Int32
    private var received: [UInt8] = []

    struct Lost: Error {}

    init(port: Int) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(self.descriptor, $0, size) }
        }
        guard result == 0 else { throw Lost() }
    }

    deinit {
        close(self.descriptor)
    }

    func write(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            sent += count
        }
    }

    func write(_ text: String) { self.write(Array(text.utf8)) }

    /// The connection will be reset when it is closed.
    func abort() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
    }

    func endOutput() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    private func fill() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(self.descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        self.received += buffer[..<count]
        return true
    }

    /// The next reply with all its lines.
    func reply() throws -> String {
        var lines: [String] = []
        while true {
            while let end = self.received.firstIndex(of: 0x0a) {
                let line = String(decoding: self.received[..<end].dropLast(), as: UTF8.self)
                self.received.removeSubrange(...end)
                lines.append(line)
                if line.utf8.dropFirst(3).first == UInt8(ascii: " ") { return lines.joined(separator: "\n") }
            }
            guard self.fill() else { throw Lost() }
        }
    }

    func codes(_ count: Int) throws -> [Int] {
        try (0..<count).map { _ in Int(try self.reply().prefix(3)) ?? 0 }
    }

    /// All replies until the server closes; then closes too, as a client does.
    func codesToEnd() -> [Int] {
        var result: [Int] = []
        while let reply = try? self.reply() { result.append(Int(reply.prefix(3)) ?? 0) }
        self.endOutput()
        return result
    }
}
