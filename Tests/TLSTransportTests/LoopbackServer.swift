import Foundation
import NIOCore
import NIOPosix
import OpenSSLKit
import Synchronization
import TLSTransport

/// A TLS server on loopback that sends back what it gets, and closes after `quit`.
final class LoopbackServer: Sendable {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let log = ConnectionLog()
    private let channel: any Channel

    var port: Int { self.channel.localAddress!.port! }

    init(_ context: TLSServerContext) async throws {
        let log = self.log
        self.channel = try await ServerBootstrap(group: self.group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let engine = try context.makeEngine()
                    log.opened(engine)
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler(engine: engine), EchoHandler(log: log)])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    func stop() async throws {
        try await self.channel.close().get()
        try await self.group.shutdownGracefully()
    }

    /// Runs `openssl s_client` against the server: by default to the server's end of the connection and not that of `input`.
    func client(
        _ arguments: [String],
        ending: [String] = ["-ign_eof"],
        input: String
    ) async throws -> (status: Int32, output: String) {
        let port = self.port
        return try await onOwnThread {
            try run("openssl", ["s_client", "-connect", "127.0.0.1:\(port)"] + ending + arguments, input: input)
        }
    }
}

/// What happened on the server's connections, for a look from the test.
final class ConnectionLog: Sendable {
    private struct Weak {
        weak var engine: TLSEngine?
    }

    private struct State {
        var events: [TLSEvent] = []
        var opened = 0
        var closed = 0
    }

    private let state = Mutex(State())
    /// Touched on the server's one event loop only.
    private nonisolated(unsafe) var engines: [Weak] = []

    var events: [TLSEvent] { self.state.withLock { $0.events } }
    var opened: Int { self.state.withLock { $0.opened } }
    var closed: Int { self.state.withLock { $0.closed } }
    /// On the server's event loop.
    var livingEngines: Int { self.engines.count { $0.engine != nil } }

    func opened(_ engine: TLSEngine) {
        self.engines.append(Weak(engine: engine))
        self.state.withLock { $0.opened += 1 }
    }

    func happened(_ event: TLSEvent) {
        self.state.withLock { $0.events.append(event) }
    }

    func didClose() {
        self.state.withLock { $0.closed += 1 }
    }
}

/// Echoes with back-pressure: it does not read while its output waits.
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let log: ConnectionLog

    init(log: ConnectionLog) {
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        let isQuit = bytes.readableBytesView.suffix(5).elementsEqual("quit\n".utf8)
        context.write(self.wrapOutboundOut(bytes), promise: nil)
        if isQuit {
            context.flush()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSEvent { self.log.happened(event) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.log.didClose()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Runs what blocks on a thread of its own: the threads of Swift's tasks are few and must not wait.
func onOwnThread<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
}

/// Waits until `condition` holds, ten seconds at most.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws -> Bool {
    let clock = ContinuousClock()
    let limit = clock.now + .seconds(10)
    while clock.now < limit {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return false
}
