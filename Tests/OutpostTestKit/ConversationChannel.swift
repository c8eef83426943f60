import Dispatch
import Glibc
import Synchronization

/// One end of a connection as a conversation uses it: blocking, with a bound on each wait.
public protocol ConversationChannel: AnyObject, Sendable {
    /// Does nothing when the other side is gone.
    func send(_ bytes: [UInt8])
    /// The next octets; empty when the other side has closed.
    /// - Throws: `ConversationTimeout`
    func receive(until deadline: DispatchTime) throws -> [UInt8]
    func closeOutput()
    func close()
}

public struct ConversationTimeout: Error {
    public init() {}
}

/// Elements from one thread to another, with a bounded wait.
public final class ConversationQueue<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    private let signal = DispatchSemaphore(value: 0)

    public init() {}

    public func push(_ element: Element) {
        self.elements.withLock { $0.append(element) }
        self.signal.signal()
    }

    public func pop(until deadline: DispatchTime) -> Element? {
        guard self.signal.wait(timeout: deadline) == .success else { return nil }
        return self.elements.withLock { $0.removeFirst() }
    }
}

/// A connection in memory. The gateway's side gives octets with `push` and hears what the script does.
public final class ConversationPipe: ConversationChannel {
    public enum Event: Sendable {
        case bytes([UInt8])
        case outputClosed
        case closed
    }

    private let incoming = ConversationQueue<[UInt8]>()
    private let deliver: @Sendable (Event) -> Void
    private let isEnded = Atomic(false)

    public init(deliver: @escaping @Sendable (Event) -> Void) {
        self.deliver = deliver
    }

    public func push(_ bytes: [UInt8]) {
        if !bytes.isEmpty { self.incoming.push(bytes) }
    }

    /// The gateway's side has closed.
    public func end() { self.incoming.push([]) }

    public func send(_ bytes: [UInt8]) { self.deliver(.bytes(bytes)) }

    public func receive(until deadline: DispatchTime) throws -> [UInt8] {
        if self.isEnded.load(ordering: .relaxed) { return [] }
        guard let bytes = self.incoming.pop(until: deadline) else { throw ConversationTimeout() }
        if bytes.isEmpty { self.isEnded.store(true, ordering: .relaxed) }
        return bytes
    }

    public func closeOutput() { self.deliver(.outputClosed) }

    public func close() { self.deliver(.closed) }
}

/// A connection over a socket.
public final class ConversationSocket: ConversationChannel {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let descriptor: Int32

    public init(descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects to an address of 127.0.0.0/8.
    public convenience init(address: String, port: UInt16) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var target = LoopbackAddress.make(address, port)
        let result = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(descriptor)
            throw Failure(description: "cannot connect to \(address):\(port)")
        }
        self.init(descriptor: descriptor)
    }

    deinit { Glibc.close(self.descriptor) }

    public func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    public func receive(until deadline: DispatchTime) throws -> [UInt8] {
        guard SocketWait.isReadable(self.descriptor, until: deadline) else { throw ConversationTimeout() }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(self.descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : []
    }

    public func closeOutput() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// The descriptor itself lives as long as the object: another thread may be waiting on it.
    public func close() { shutdown(self.descriptor, Int32(SHUT_RDWR)) }
}

/// A listening socket on 127.0.0.1 whose connections are taken by a thread.
public final class ConversationListener: Sendable {
    public let port: UInt16
    public let connections = ConversationQueue<(any ConversationChannel)?>()
    private let descriptor: Int32
    private let isStopped = Atomic(false)

    public init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = LoopbackAddress.make("127.0.0.1", 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, size) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        guard result else { throw ConversationSocket.Failure(description: "cannot listen on 127.0.0.1") }
        self.descriptor = descriptor
        self.port = UInt16(bigEndian: address.sin_port)
        DispatchQueue(label: "downstream").async { self.accept() }
    }

    deinit { Glibc.close(self.descriptor) }

    private func accept() {
        while !self.isStopped.load(ordering: .relaxed) {
            guard SocketWait.isReadable(self.descriptor, until: .now() + .milliseconds(100)) else { continue }
            let connection = Glibc.accept(self.descriptor, nil, nil)
            if connection >= 0 { self.connections.push(ConversationSocket(descriptor: connection)) }
        }
    }

    public func stop() { self.isStopped.store(true, ordering: .relaxed) }
}

private enum LoopbackAddress {
    static func make(_ text: String, _ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port.bigEndian)
        inet_pton(AF_INET, text, &address.sin_addr)
        return address
    }
}

private enum SocketWait {
    static func isReadable(_ descriptor: Int32, until deadline: DispatchTime) -> Bool {
        let now = DispatchTime.now().uptimeNanoseconds
        let left = deadline.uptimeNanoseconds > now ? (deadline.uptimeNanoseconds - now) / 1_000_000 + 1 : 0
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Int32(clamping: left)) > 0
    }
}
