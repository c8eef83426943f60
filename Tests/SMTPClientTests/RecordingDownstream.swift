import NIOCore
import NIOPosix
import Synchronization

/// A downstream server for tests, on a port of its own of the loopback address: it does what its behaviour says and keeps
/// everything it was sent.
final class RecordingDownstream: Sendable {
    struct Message: Equatable, Sendable {
        var mail: String
        var recipients: [String]
        /// With the stuffed dots taken out.
        var content: [UInt8]
        /// Which connection brought it, counted from 1.
        var connection: Int
    }

    enum Response: Sendable {
        case reply(String)
        /// Closes without a word.
        case close
        /// Says this and closes.
        case replyAndClose(String)
        /// Says nothing.
        case silence
    }

    /// Decides about a command line; nil leaves it to the usual answers. `<greeting>` stands for the connect and
    /// `<content>` for the end of the message.
    typealias Behaviour = @Sendable (_ line: String, _ connection: Int) -> Response?

    struct Record: Sendable {
        var connections = 0
        var open = 0
        var maximumOpen = 0
        var messages: [Message] = []
        var lines: [String] = []
        var isPaused = false
    }

    let keywords: [String]
    fileprivate let behaviour: Behaviour
    fileprivate let record = Mutex(Record())
    private let channel = Mutex<(any Channel)?>(nil)
    private let children = Mutex<[ObjectIdentifier: any Channel]>([:])
    /// Octets that a connection reads before it stops reading until `resumeReading`.
    fileprivate let pausesAfter: Int?

    var seen: Record { self.record.withLock { $0 } }
    var port: UInt16 { UInt16(self.channel.withLock { $0?.localAddress?.port } ?? 0) }

    init(
        keywords: [String] = ["PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES"],
        pausesAfter: Int? = nil,
        behaviour: @escaping Behaviour = { _, _ in nil }
    ) async throws {
        self.keywords = keywords
        self.behaviour = behaviour
        self.pausesAfter = pausesAfter
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { [self] child in
                child.eventLoop.makeCompletedFuture {
                    self.children.withLock { $0[ObjectIdentifier(child)] = child }
                    try child.pipeline.syncOperations.addHandler(RecordingSession(server: self))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        self.channel.withLock { $0 = channel }
    }

    struct NeverHappened: Error {}

    /// Waits for something that the network has yet to bring, ten seconds at most.
    func waitUntil(_ condition: @Sendable (Record) -> Bool) async throws {
        for _ in 0..<2_000 {
            if condition(self.seen) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw NeverHappened()
    }

    func hasPaused() async throws {
        try await self.waitUntil(\.isPaused)
    }

    func stop() async {
        try? await self.channel.withLock { $0 }?.close()
        await self.dropConnections()
    }

    func dropConnections() async {
        for child in self.openChannels { try? await child.close() }
    }

    /// Sends bytes nobody asked for on every open connection.
    func say(_ text: String) async throws {
        for child in self.openChannels where child.isActive {
            try await child.writeAndFlush(ByteBuffer(string: text))
        }
    }

    func resumeReading() {
        for child in self.openChannels {
            child.setOption(.autoRead, value: true).whenSuccess { child.read() }
        }
    }

    private var openChannels: [any Channel] { self.children.withLock { Array($0.values) } }

    fileprivate func forget(_ channel: any Channel) {
        _ = self.children.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}

private final class RecordingSession: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: RecordingDownstream
    private var connection = 0
    private var buffer = ByteBuffer()
    private var isInContent = false
    private var content = ByteBuffer()
    private var isAtLineStart = true
    private var mail = ""
    private var recipients: [String] = []
    private var octets = 0
    private var hasPaused = false

    init(server: RecordingDownstream) {
        self.server = server
    }

    func channelActive(context: ChannelHandlerContext) {
        self.connection = self.server.record.withLock { record in
            record.connections += 1
            record.open += 1
            record.maximumOpen = max(record.open, record.maximumOpen)
            return record.connections
        }
        self.respond(to: "<greeting>", usually: "220 downstream.test ESMTP", context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.server.record.withLock { $0.open -= 1 }
        self.server.forget(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.octets += bytes.readableBytes
        self.buffer.writeBuffer(&bytes)
        if let limit = self.server.pausesAfter, self.octets > limit, !self.hasPaused {
            self.hasPaused = true
            self.server.record.withLock { $0.isPaused = true }
            context.channel.setOption(.autoRead, value: false).whenComplete { _ in }
        }
        while let end = self.buffer.readableBytesView.firstIndex(of: 10) {
            guard let line = self.buffer.readSlice(length: end - self.buffer.readerIndex + 1) else { break }
            self.take(line, context)
        }
        self.buffer.discardReadBytes()
    }

    private func take(_ line: ByteBuffer, _ context: ChannelHandlerContext) {
        var line = line
        if self.isInContent {
            if self.isAtLineStart, line == ByteBuffer(string: ".\r\n") {
                self.isInContent = false
                let content = Array(self.content.readableBytesView)
                self.content.clear()
                self.respond(to: "<content>", usually: "250 2.0.0 Ok: taken", context) {
                    self.server.record.withLock {
                        $0.messages.append(
                            .init(mail: self.mail, recipients: self.recipients, content: content, connection: self.connection)
                        )
                    }
                }
                self.mail = ""
                self.recipients = []
            } else {
                if self.isAtLineStart, line.readableBytesView.first == UInt8(ascii: ".") { line.moveReaderIndex(forwardBy: 1) }
                self.isAtLineStart = line.readableBytesView.suffix(2).elementsEqual([13, 10])
                self.content.writeBuffer(&line)
            }
            return
        }
        let text = String(decoding: line.readableBytesView.dropLast(2), as: UTF8.self)
        self.server.record.withLock { $0.lines.append(text) }
        self.command(text, context)
    }

    private func command(_ text: String, _ context: ChannelHandlerContext) {
        switch text.split(separator: " ").first?.uppercased() ?? "" {
        case "EHLO":
            let lines = ["downstream.test"] + self.server.keywords
            let reply = lines.dropLast().map { "250-\($0)\r\n" }.joined() + "250 \(lines.last ?? "")"
            self.respond(to: text, usually: reply, context)
        case "MAIL": self.respond(to: text, usually: "250 2.1.0 Ok", context) { self.mail = text }
        case "RCPT": self.respond(to: text, usually: "250 2.1.5 Ok", context) { self.recipients.append(text) }
        case "DATA":
            let isReady = !self.recipients.isEmpty
            let usual = isReady ? "354 go on" : "503 5.5.1 no recipients"
            self.respond(to: text, usually: usual, context) {
                self.isInContent = isReady
                self.isAtLineStart = true
            }
        case "RSET":
            self.mail = ""
            self.recipients = []
            self.respond(to: text, usually: "250 2.0.0 Ok", context)
        case "XCLIENT": self.respond(to: text, usually: "220 downstream.test ESMTP", context)
        case "QUIT": self.respond(to: text, usually: nil, context)
        default: self.respond(to: text, usually: "250 Ok", context)
        }
    }

    private func respond(
        to line: String,
        usually usual: String?,
        _ context: ChannelHandlerContext,
        accepted: () -> Void = {}
    ) {
        let response = self.server.behaviour(line, self.connection)
        let expected: RecordingDownstream.Response = if let usual { .reply(usual) } else { .replyAndClose("221 2.0.0 Bye") }
        switch response ?? expected {
        case .reply(let text):
            if text.hasPrefix("2") || text.hasPrefix("354") { accepted() }
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text + "\r\n")), promise: nil)
        case .replyAndClose(let text):
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text + "\r\n")), promise: nil)
            context.close(promise: nil)
        case .close: context.close(promise: nil)
        case .silence: break
        }
    }
}
