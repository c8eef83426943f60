import COutpostSystem
import Glibc

/// A connected stream socket, Unix or TCP, for threads that may wait. Every wait has a deadline.
///
/// One thread at a time uses it. Closed when the last reference goes.
package final class StreamSocket: Sendable {
    package typealias Instant = ContinuousClock.Instant

    package let descriptor: Int32

    /// Takes the descriptor over; it must be non-blocking.
    package init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(self.descriptor)
    }

    /// The longest path of a Unix socket: `sun_path` is 108 octets with its closing zero (unix(7)).
    package static let maximumPathLength = 107

    package convenience init(connectingTo path: String, deadline: Instant) throws(SystemError) {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        self.init(owning: descriptor)
        var address = try unixAddress(path)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN: the listener's queue is full; that is an answer (unix(7)), not something to wait for.
        guard result == 0 else { throw SystemError("connect \(path)") }
    }

    /// Names are looked up by the system, which has time limits of its own.
    package convenience init(connectingTo host: String, port: UInt16, deadline: Instant) throws(SystemError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0 else {
            throw SystemError(code: EHOSTUNREACH, "look up \(host)")
        }
        defer { freeaddrinfo(list) }
        var failure = SystemError(code: EHOSTUNREACH, "connect \(host):\(port)")
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            let flags = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            let descriptor = socket(entry.pointee.ai_family, flags, 0)
            guard descriptor >= 0 else { continue }
            if connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                self.init(owning: descriptor)
                return
            }
            do throws(SystemError) {
                guard errno == EINPROGRESS else { throw SystemError("connect \(host):\(port)") }
                try waitFor(POLLOUT, on: descriptor, deadline: deadline)
                var code: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
                guard code == 0 else { throw SystemError(code: code, "connect \(host):\(port)") }
                self.init(owning: descriptor)
                return
            } catch {
                close(descriptor)
                failure = error
            }
        }
        throw failure
    }

    /// Writes all of it. `ETIMEDOUT` at the deadline.
    package func write(_ bytes: [UInt8], deadline: Instant) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                try waitFor(POLLOUT, on: self.descriptor, deadline: deadline)
            } else if errno != EINTR {
                throw SystemError("write")
            }
        }
    }

    /// No more will be written; the peer reads an end.
    package func endOutput() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// What there is, at least one octet; empty at the peer's end. `ETIMEDOUT` at the deadline.
    package func read(count: Int, deadline: Instant) throws(SystemError) -> [UInt8] {
        try self.receive(count: count, deadline: deadline).bytes
    }

    /// Like `read`, with the descriptor that came beside the octets.
    package func receive(count: Int, deadline: Instant) throws(SystemError) -> (bytes: [UInt8], file: File?) {
        while true {
            var received = 0
            var descriptor: Int32 = -1
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                received = outpost_receive(self.descriptor, buffer.baseAddress, count, &descriptor)
                code = errno
                initialized = max(0, received)
            }
            if received >= 0 { return (bytes, descriptor >= 0 ? File(owning: descriptor) : nil) }
            if code == EAGAIN {
                try waitFor(POLLIN, on: self.descriptor, deadline: deadline)
            } else if code != EINTR {
                throw SystemError(code: code, "read")
            }
        }
    }

    /// Passes an open file to the process at the other end of a Unix socket.
    package func send(_ file: File, deadline: Instant) throws(SystemError) {
        while outpost_send_descriptor(self.descriptor, file.descriptor) < 0 {
            if errno == EAGAIN {
                try waitFor(POLLOUT, on: self.descriptor, deadline: deadline)
            } else if errno != EINTR {
                throw SystemError("pass a descriptor")
            }
        }
    }
}

/// A Unix stream socket that takes connections.
package final class UnixListener: Sendable {
    private let descriptor: Int32
    private let path: String

    /// A socket left at `path` is replaced.
    /// - Parameter mode: who may connect, as for files; without more, this user alone.
    package init(path: String, backlog: Int32, mode: mode_t = 0o600) throws(SystemError) {
        var address = try unixAddress(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("socket") }
        self.descriptor = descriptor
        self.path = path
        unlink(path)
        // The socket takes its mode from its descriptor (less the umask), so nobody else gets in between: a changed umask would
        // count for what other threads make meanwhile.
        fchmod(descriptor, 0o600)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw SystemError("bind \(path)") }
        guard listen(descriptor, backlog) == 0 else { throw SystemError("listen \(path)") }
        if mode != 0o600 { try self.permit(mode) }
    }

    deinit {
        close(self.descriptor)
    }

    /// - Parameter mode: who may connect from now on.
    package func permit(_ mode: mode_t) throws(SystemError) {
        guard chmod(self.path, mode) == 0 else { throw SystemError("change who may use \(self.path)") }
    }

    /// Takes no more connections, and removes the socket; who waits in `next` gets an error.
    package func stop() {
        unlink(self.path)
        shutdown(self.descriptor, Int32(SHUT_RDWR))
    }

    /// Waits for the next connection.
    package func next() throws(SystemError) -> StreamSocket {
        while true {
            let connection = outpost_accept(self.descriptor)
            if connection >= 0 { return StreamSocket(owning: connection) }
            if errno != EINTR && errno != ECONNABORTED { throw SystemError("accept") }
        }
    }
}

private func unixAddress(_ path: String) throws(SystemError) -> sockaddr_un {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let octets = Array(path.utf8)
    guard octets.count <= StreamSocket.maximumPathLength else {
        throw SystemError(code: ENAMETOOLONG, "use the socket path \(path)")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: octets) }
    return address
}

private func waitFor(_ events: Int32, on descriptor: Int32, deadline: ContinuousClock.Instant) throws(SystemError) {
    while true {
        let left = deadline - .now
        guard left > .zero else { throw SystemError(code: ETIMEDOUT, "wait for the peer") }
        // Rounded up, so that the last millisecond is waited for and not spun away; in steps that an Int32 can hold.
        let milliseconds = min(left / .milliseconds(1) + 1, 1_000_000)
        var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        let count = poll(&entry, 1, Int32(milliseconds))
        if count > 0 { return }
        if count < 0 && errno != EINTR { throw SystemError("poll") }
    }
}
