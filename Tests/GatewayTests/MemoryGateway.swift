import ConfigurationFile
import Foundation
import Logging
import MailRules
import MailTypes
import NIOCore
import NIOEmbedded
import NIOPosix
import OutpostTestKit
import SMTPCore

@testable import Gateway
@testable import SMTPClient
@testable import SMTPServer

/// The gateway without a socket: its own coordinator, inspection, policy, relay and quarantine, with connections in memory on
/// both sides. What listens and what opens sockets is left out, nothing else.
final class MemoryGateway: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private let configuration: GatewayConfiguration
    private let listeners: [String]
    private let snapshot: GatewaySnapshot
    private let services: GatewayServices
    private let gate: ConnectionGate
    private let logger: Logger
    private let directory: TemporaryDirectory

    /// Ports that stand for the downstream servers; nothing is ever connected to.
    private static let ports: [UInt16] = [10_001, 10_002]

    init(configuration name: String, offers: [String]) throws {
        let named = try ConversationConfiguration(named: name)
        self.directory = try TemporaryDirectory()
        let text = named.yaml(data: self.directory.path + "/data", ports: Self.ports, certificate: nil)
        let file = try self.directory.write(text, to: "outpost.yaml")
        let result = ConfigurationReader.load(file: file, environment: [:], files: SystemFileAccess())
        guard let configuration = result.configuration else { throw Failure(description: "\(result.issues)") }
        let compilation = try RuleDirectories.compile(configuration.ruleDirectories)
        guard let rules = compilation.ruleSet else { throw Failure(description: "\(compilation.problems)") }
        var logger = Logger(label: "conversation")
        logger.logLevel = .critical
        self.logger = logger
        self.configuration = configuration
        self.listeners = named.listeners
        self.snapshot = GatewaySnapshot(configuration: configuration, rules: rules)
        self.services = try GatewayServices(
            configuration: configuration,
            group: .singletonMultiThreadedEventLoopGroup,
            logger: logger,
            observer: nil
        )
        self.gate = ConnectionGate(total: configuration.limits.sessions, perAddress: configuration.limits.sessionsPerAddress)
        // What the real one asks each downstream server when it starts.
        let greeting = SMTPReply.received(code: 250, lines: ["downstream.example"] + offers)
        for route in self.snapshot.downstreamRoutes {
            self.services.directory.learn(
                greeting.map { DownstreamCapabilities(ehlo: $0) } ?? DownstreamCapabilities(),
                of: route
            )
        }
    }

    func stop() async { await self.services.stop() }

    var transactions: GatewayStatus.Transactions { self.services.transactions.figures }
    var messages: GatewayStatus.Messages { self.services.log.counts.figures }

    /// Blocking.
    func run(_ script: ConversationScript) throws -> [ConversationFailure] {
        guard let index = self.listeners.firstIndex(of: script.listener) else {
            throw Failure(description: "the configuration has no listener \(script.listener)")
        }
        let loop = NIOAsyncTestingEventLoop()
        let arriving = Self.ports.map { _ in ConversationRun.Connections() }
        let pool = NIOLoopBoundBox.makeBoxSendingValue(nil as DownstreamPool?, eventLoop: loop)
        let connector = DownstreamConnector { host, _, eventLoop, initialize in
            let index = Self.ports.firstIndex(of: host.port) ?? 0
            return MemoryConnection.open(on: loop, initialize: initialize) { arriving[index].push($0) }.hop(to: eventLoop)
        }
        try loop.submit {
            pool.value = DownstreamPool(
                eventLoop: loop,
                directory: self.services.directory,
                logger: self.logger,
                connector: connector
            )
        }.wait()
        let connect = {
            try loop.submit { try self.accept(on: loop, listener: self.configuration.listeners[index], pool: pool) }.wait()
        }
        return try ConversationRun(script, connect: connect, downstreams: arriving).run()
    }

    private func accept(
        on loop: NIOAsyncTestingEventLoop,
        listener: GatewayConfiguration.Listener,
        pool: NIOLoopBoundBox<DownstreamPool?>
    ) throws -> ConversationPipe {
        let snapshot = self.snapshot
        let services = self.services
        let settings = ListenerSettings(
            configuration: SMTPListener.Configuration(
                listener,
                of: self.configuration,
                maximumSize: snapshot.maximumMessageSize
            ),
            tls: nil,
            makeSession: { loop, client in
                guard let downstreams = pool.value else { preconditionFailure("the pool is made first") }
                return SessionCoordinator(
                    client: client,
                    snapshot: snapshot,
                    services: services,
                    downstreams: downstreams,
                    eventLoop: loop
                )
            },
            loop: loop
        )
        let client = ClientIdentity(address: .loopback4, port: 40_000, localAddress: .loopback4, localPort: 25)
        let gate = self.gate
        let logger = self.logger
        var accepted: ConversationPipe?
        _ = MemoryConnection.open(on: loop) { channel in
            channel.eventLoop.makeCompletedFuture {
                let handler = SMTPServerHandler(settings: settings, gate: gate, client: client, logger: logger)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        } arrived: {
            accepted = $0
        }
        guard let accepted else { throw Failure(description: "the connection was not taken") }
        return accepted
    }
}

/// A channel whose other end is a pipe.
enum MemoryConnection {
    /// To be called on the loop.
    static func open(
        on loop: NIOAsyncTestingEventLoop,
        initialize: @escaping (any Channel) -> EventLoopFuture<Void>,
        arrived: (ConversationPipe) -> Void
    ) -> EventLoopFuture<any Channel> {
        let channel = NIOAsyncTestingChannel(loop: loop)
        let pipe = ConversationPipe { event in
            loop.execute {
                guard channel.isActive else { return }
                switch event {
                case .bytes(let bytes):
                    channel.pipeline.fireChannelRead(ByteBuffer(bytes: bytes))
                    channel.pipeline.fireChannelReadComplete()
                case .outputClosed:
                    // A server keeps its half open; a client's channel closes.
                    if (try? channel.pipeline.syncOperations.handler(type: SMTPServerHandler.self)) != nil {
                        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
                    } else {
                        channel.close(promise: nil)
                    }
                case .closed:
                    channel.close(promise: nil)
                }
            }
        }
        do {
            try channel.pipeline.syncOperations.addHandler(PipeHandler(pipe))
        } catch {
            return loop.makeFailedFuture(error)
        }
        let prepared = initialize(channel)
        arrived(pipe)
        return prepared.flatMapThrowing {
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: 25)
            channel.connect(to: address, promise: nil)
            return channel
        }
    }
}

/// Hands what the gateway writes to the pipe.
private final class PipeHandler: ChannelOutboundHandler, ChannelInboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias InboundIn = ByteBuffer

    private let pipe: ConversationPipe

    init(_ pipe: ConversationPipe) {
        self.pipe = pipe
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        self.pipe.push(Array(buffer: self.unwrapOutboundIn(data)))
        promise?.succeed()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        self.pipe.end()
        guard mode == .output else { return context.close(mode: .all, promise: promise) }
        promise?.succeed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.pipe.end()
        context.fireChannelInactive()
    }
}
