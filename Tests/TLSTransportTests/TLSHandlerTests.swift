import MailTypes
import NIOCore
import NIOEmbedded
import OpenSSLKit
import OutpostTestKit
import TLSTransport
import Testing

/// Keeps what comes out of the pipeline's end.
final class Witness: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    var events: [TLSEvent] = []
    var received = ByteBuffer()
    var pieces: [Int] = []
    var errors: [any Error] = []
    var inputClosed = false
    var isInactive = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        self.pieces.append(bytes.readableBytes)
        self.received.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSEvent { self.events.append(event) }
        if case ChannelEvent.inputClosed? = event as? ChannelEvent { self.inputClosed = true }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.errors.append(error)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.isInactive = true
    }
}

/// Counts the reads that reach the network, and keeps the sizes of what is written to it.
final class Network: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var reads = 0
    var writes: [Int] = []
    /// Writes are held back: a peer that does not read.
    var isStuck = false
    private var held: [EventLoopPromise<Void>] = []

    func read(context: ChannelHandlerContext) {
        self.reads += 1
        context.read()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.writes.append(self.unwrapOutboundIn(data).readableBytes)
        if self.isStuck, let promise {
            self.held.append(promise)
        } else {
            context.write(data, promise: promise)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        for promise in self.held { promise.fail(ChannelError.ioOnClosedChannel) }
        self.held = []
        context.close(mode: mode, promise: promise)
    }
}

@Suite("TLS handler")
struct TLSHandlerTests {
    let certificates: TestCertificates
    let server: TLSServerContext
    let client: TLSEngine
    let channel = EmbeddedChannel()
    let witness = Witness()
    let network = Network()

    init() throws {
        self.certificates = try TestCertificates.shared.get()
        self.server = try self.certificates.server()
        self.client = try TLSClientContext(authorities: self.certificates.authority, verifies: true)
            .makeEngine(serverName: "mx.example.org")
        try self.channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 25)).wait()
        try self.channel.pipeline.syncOperations.addHandlers([self.network, self.witness])
    }

    /// As after STARTTLS: in the middle of a live connection.
    private func upgrade() throws {
        let handler = TLSHandler(engine: try self.server.makeEngine())
        try self.channel.pipeline.syncOperations.addHandler(handler, position: .after(self.network))
    }

    private func fromChannel() throws {
        while let bytes = try self.channel.readOutbound(as: ByteBuffer.self) {
            self.client.receive(bytes.readableBytesSpan)
        }
    }

    private func toChannel(piece: Int = .max) throws {
        var output = self.client.output()
        while let bytes = output.readSlice(length: min(piece, output.readableBytes)), bytes.readableBytes > 0 {
            try self.channel.writeInbound(bytes)
        }
    }

    private func shakeHands(piece: Int = .max) throws {
        var result = self.client.handshake()
        for _ in 0..<4 {
            try self.toChannel(piece: piece)
            try self.fromChannel()
            if case .incomplete = result { result = self.client.handshake() }
        }
        #expect(result == .complete)
    }

    @Test("it is established in the middle of a connection, and then carries data both ways", arguments: [Int.max, 1, 50])
    func upgraded(piece: Int) throws {
        try self.channel.writeInbound(ByteBuffer(string: "before"))
        try self.upgrade()
        try self.shakeHands(piece: piece)
        guard case .established(let facts)? = self.witness.events.first else {
            Issue.record("no handshake: \(self.witness.events)")
            return
        }
        #expect(facts.version == "TLSv1.3")
        #expect(facts.serverName == "mx.example.org")
        _ = self.client.wrap(ByteBuffer(string: " EHLO").readableBytesSpan)
        try self.toChannel(piece: piece)
        #expect(self.witness.received == ByteBuffer(string: "before EHLO"))
        try self.channel.writeOutbound(ByteBuffer(string: "250 mx"))
        try self.fromChannel()
        #expect(self.client.plaintext().0 == ByteBuffer(string: "250 mx"))
    }

    @Test("what is written before the handshake waits for it, in order")
    func earlyWrites() throws {
        try self.upgrade()
        let first = self.channel.writeAndFlush(ByteBuffer(string: "220 "))
        let second = self.channel.write(ByteBuffer(string: "unflushed"))
        var isFirstDone = false
        var isSecondDone = false
        first.assumeIsolated().whenSuccess { isFirstDone = true }
        second.assumeIsolated().whenComplete { _ in isSecondDone = true }
        #expect(!isFirstDone)
        try self.shakeHands()
        #expect(isFirstDone)
        #expect(!isSecondDone)
        #expect(self.client.plaintext().0 == ByteBuffer(string: "220 "))
        self.channel.flush()
        try self.fromChannel()
        #expect(self.client.plaintext().0 == ByteBuffer(string: "unflushed"))
        #expect(isSecondDone)
    }

    @Test("small writes of one flush share a record, large ones are cut into bounded pieces")
    func records() throws {
        try self.upgrade()
        try self.shakeHands()
        self.network.writes = []
        var done = 0
        for _ in 0..<100 {
            self.channel.write(ByteBuffer(string: "250 2.1.5 ok\r\n")).assumeIsolated().whenSuccess { done += 1 }
        }
        self.channel.flush()
        #expect(self.network.writes.count == 1)
        #expect(self.network.writes[0] < 1_400 + 64)
        #expect(done == 100)
        try self.fromChannel()
        #expect(self.client.plaintext().0.readableBytes == 1_400)

        self.network.writes = []
        let large = ByteBuffer(bytes: (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        try self.channel.writeOutbound(large)
        #expect(self.network.writes.max()! <= 64 * 1024 + 17 * 1024)
        try self.fromChannel()
        #expect(self.client.plaintext().0 == large)
    }

    @Test("mixed small and large writes stay in order")
    func order() throws {
        try self.upgrade()
        try self.shakeHands()
        var expected = ByteBuffer()
        for (index, size) in [10, 20_000, 5, 16_384, 16_383, 2, 0, 40_000, 1].enumerated() {
            let bytes = ByteBuffer(repeating: UInt8(index), count: size)
            expected.writeImmutableBuffer(bytes)
            self.channel.write(bytes, promise: nil)
        }
        self.channel.flush()
        try self.fromChannel()
        #expect(self.client.plaintext().0 == expected)
    }

    @Test("plaintext is passed on in bounded pieces")
    func boundedReads() throws {
        try self.upgrade()
        try self.shakeHands()
        let large = ByteBuffer(repeating: 0x63, count: 300_000)
        _ = self.client.wrap(large.readableBytesSpan)
        try self.toChannel()
        #expect(self.witness.received == large)
        #expect(self.witness.pieces.max()! <= 32 * 1024)
    }

    @Test("it reads on its own during the handshake and for the rest of a record, and else only when asked")
    func reads() throws {
        try self.channel.syncOptions!.setOption(.autoRead, value: false)
        self.network.reads = 0
        try self.upgrade()
        #expect(self.network.reads == 1)
        try self.shakeHands()
        let afterHandshake = self.network.reads
        #expect(afterHandshake >= 2)

        _ = self.client.wrap(ByteBuffer(string: "RCPT TO:<a@example.org>\r\n").readableBytesSpan)
        var record = self.client.output()
        // Nobody asked: a part of a record brings no read.
        try self.channel.writeInbound(record.readSlice(length: 5)!)
        #expect(self.network.reads == afterHandshake)
        self.channel.read()
        #expect(self.network.reads == afterHandshake + 1)
        try self.channel.writeInbound(record.readSlice(length: 5)!)
        #expect(self.network.reads == afterHandshake + 2, "asked, and a part came: one more")
        try self.channel.writeInbound(record)
        #expect(self.network.reads == afterHandshake + 2, "the record came")
        #expect(self.witness.received.readableBytes == 25)
    }

    @Test("clear text in place of a handshake fails with a reason and closes")
    func garbage() throws {
        try self.upgrade()
        try self.channel.writeInbound(ByteBuffer(string: "MAIL FROM:<a@example.org>\r\n"))
        guard case .failed(let reason)? = self.witness.events.first else {
            Issue.record("no failure: \(self.witness.events)")
            return
        }
        #expect(!reason.isEmpty)
        #expect(!self.channel.isActive)
        #expect(self.witness.events.count == 1)
        #expect(self.witness.received.readableBytes == 0)
    }

    @Test("a connection lost in the handshake fails, with writes that waited")
    func lost() throws {
        try self.upgrade()
        let write = self.channel.writeAndFlush(ByteBuffer(string: "220 "))
        try self.channel.close().wait()
        #expect(self.witness.isInactive)
        #expect(throws: (any Error).self) { try write.wait() }

        // Closed by us: those above know. Closed by the peer:
        let other = EmbeddedChannel()
        let witness = Witness()
        try other.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 25)).wait()
        try other.pipeline.syncOperations.addHandlers([TLSHandler(engine: try self.server.makeEngine()), witness])
        other.pipeline.fireChannelInactive()
        #expect(witness.events == [.failed("the connection was closed during the handshake")])
        #expect(witness.isInactive)
    }

    @Test("a reset in the handshake is told once, as its failure")
    func reset() throws {
        try self.upgrade()
        self.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        #expect(self.witness.events.count == 1)
        #expect(self.witness.errors.isEmpty)
        #expect(self.witness.isInactive)
    }

    @Test("closing says close_notify first")
    func goodbye() throws {
        try self.upgrade()
        try self.shakeHands()
        _ = self.channel.writeAndFlush(ByteBuffer(string: "221 bye"))
        try self.channel.close().wait()
        try self.fromChannel()
        let (text, end) = self.client.plaintext()
        #expect(text == ByteBuffer(string: "221 bye"))
        #expect(end == .closed)
        #expect(self.witness.isInactive)
    }

    @Test("a peer that does not read cannot hold a closing connection")
    func stuck() throws {
        try self.upgrade()
        try self.shakeHands()
        self.network.isStuck = true
        var isClosed = false
        self.channel.close().assumeIsolated().whenComplete { _ in isClosed = true }
        #expect(!isClosed)
        self.channel.embeddedEventLoop.advanceTime(by: TLSHandler.closeLimit)
        #expect(isClosed)
        #expect(!self.channel.isActive)
    }

    @Test(
        "the peer's close_notify closes the connection, and is the end of input where half-closure is allowed",
        arguments: [false, true]
    )
    func peerClosed(isHalfClosureAllowed: Bool) throws {
        self.channel.allowRemoteHalfClosure = isHalfClosureAllowed
        try self.upgrade()
        try self.shakeHands()
        _ = self.client.wrap(ByteBuffer(string: "QUIT\r\n").readableBytesSpan)
        self.client.close()
        try self.toChannel()
        #expect(self.witness.received == ByteBuffer(string: "QUIT\r\n"))
        #expect(self.witness.inputClosed == isHalfClosureAllowed)
        #expect(self.channel.isActive == isHalfClosureAllowed)
        if isHalfClosureAllowed {
            try self.channel.writeOutbound(ByteBuffer(string: "221 bye"))
            try self.channel.close().wait()
        }
        try self.fromChannel()
        let (text, end) = self.client.plaintext()
        #expect(text == ByteBuffer(string: isHalfClosureAllowed ? "221 bye" : ""))
        #expect(end == .closed)
    }

    @Test("a forged record closes the connection with an error")
    func forged() throws {
        try self.upgrade()
        try self.shakeHands()
        _ = self.client.wrap(ByteBuffer(string: "DATA").readableBytesSpan)
        var output = self.client.output()
        output.setInteger(output.getInteger(at: 10, as: UInt8.self)! ^ 1, at: 10)
        try self.channel.writeInbound(output)
        #expect(self.witness.errors.first is TLSError)
        #expect(self.witness.received.readableBytes == 0)
        #expect(!self.channel.isActive)
    }

    @Test("an engine is freed with its connection, however early that ends", arguments: [0, 1, 100, 4_000])
    func freed(octets: Int) throws {
        weak var engine: TLSEngine?
        weak var handler: TLSHandler?
        do {
            let made = try self.server.makeEngine()
            let added = TLSHandler(engine: made)
            engine = made
            handler = added
            try self.channel.pipeline.syncOperations.addHandler(added, position: .after(self.network))
        }
        _ = self.client.handshake()
        var hello = self.client.output()
        if let part = hello.readSlice(length: min(octets, hello.readableBytes)), part.readableBytes > 0 {
            try self.channel.writeInbound(part)
        }
        self.channel.write(ByteBuffer(string: "220 "), promise: nil)
        #expect(engine != nil)
        _ = try self.channel.finish(acceptAlreadyClosed: true)
        self.channel.embeddedEventLoop.run()
        #expect(engine == nil)
        #expect(handler == nil)
    }
}
