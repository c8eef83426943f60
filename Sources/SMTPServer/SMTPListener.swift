import ContentStorage
import Logging
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import SMTPCore
import Synchronization
import SystemKit

/// Accepts SMTP connections at one address.
package final class SMTPListener: Sendable {
    package struct Configuration: Hashable, Sendable {
        /// An IPv4 or IPv6 address, `0.0.0.0` or `::` for all of one family.
        package var address: String
        /// 0 takes any free port.
        package var port: Int
        /// Connections that may wait to be accepted.
        package var backlog: Int
        package var hostname: String
        package var limits: SessionLimits
        package var bareLineEnds: BareLineEnds
        /// Octets; the largest of any policy. A session may refuse smaller messages.
        package var maximumSize: Int
        /// Networks whose connections start with a PROXY header.
        package var proxyProtocolFrom: [IPNetwork]
        /// Networks that may send XCLIENT.
        package var xclientFrom: [IPNetwork]
        /// MAIL is refused before STARTTLS.
        package var tlsRequired: Bool
        /// Where large messages are kept while they arrive; nothing in it is ever visible.
        package var contentDirectory: String
        /// Octets of a message that stay in memory.
        package var memoryThreshold: Int

        package init(
            address: String = "127.0.0.1",
            port: Int = 25,
            backlog: Int = 512,
            hostname: String,
            limits: SessionLimits = SessionLimits(),
            bareLineEnds: BareLineEnds = .refuse,
            maximumSize: Int = 25 * 1024 * 1024,
            proxyProtocolFrom: [IPNetwork] = [],
            xclientFrom: [IPNetwork] = [],
            tlsRequired: Bool = false,
            contentDirectory: String = "/tmp",
            memoryThreshold: Int = ContentWriter.defaultThreshold
        ) {
            self.address = address
            self.port = port
            self.backlog = backlog
            self.hostname = hostname
            self.limits = limits
            self.bareLineEnds = bareLineEnds
            self.maximumSize = maximumSize
            self.proxyProtocolFrom = proxyProtocolFrom
            self.xclientFrom = xclientFrom
            self.tlsRequired = tlsRequired
            self.contentDirectory = contentDirectory
            self.memoryThreshold = memoryThreshold
        }
    }

    /// Called on the connection's event loop.
    package typealias MakeSession = @Sendable (any EventLoop, ClientIdentity) -> any SMTPSession

    /// Seconds that connections get to take their last reply when the grace is over.
    private static let lastReplySeconds: Int64 = 1

    private struct State {
        var configuration: Configuration
        var tls: TLSServerContext?
        var makeSession: MakeSession
        var connections: [ObjectIdentifier: any Channel] = [:]
        var isShuttingDown = false
    }

    private let state: Mutex<State>
    private let gate: ConnectionGate
    private let logger: Logger
    private let serverChannel: Mutex<(any Channel)?>

    private init(
        _ configuration: Configuration,
        gate: ConnectionGate,
        tls: TLSServerContext?,
        logger: Logger,
        makeSession: @escaping MakeSession
    ) {
        self.state = Mutex(State(configuration: configuration, tls: tls, makeSession: makeSession))
        self.gate = gate
        self.logger = logger
        self.serverChannel = Mutex(nil)
    }

    // MARK: - Starting

    /// Binds the configured address and accepts from then on.
    package static func bind(
        _ configuration: Configuration,
        group: any EventLoopGroup,
        gate: ConnectionGate,
        tls: TLSServerContext?,
        logger: Logger,
        makeSession: @escaping MakeSession
    ) async throws -> SMTPListener {
        guard let address = IPAddress(configuration.address), let port = UInt16(exactly: configuration.port) else {
            throw SystemError(code: 22, "listen on \(configuration.address) port \(configuration.port)")
        }
        return try await self.adopt(
            descriptor: try BoundSocket.tcp(octets: address.octets, port: port),
            configuration,
            group: group,
            gate: gate,
            tls: tls,
            logger: logger,
            makeSession: makeSession
        )
    }

    /// Takes over a socket that is bound, and listens from then on if it does not yet.
    package static func adopt(
        descriptor: Int32,
        _ configuration: Configuration,
        group: any EventLoopGroup,
        gate: ConnectionGate,
        tls: TLSServerContext?,
        logger: Logger,
        makeSession: @escaping MakeSession
    ) async throws -> SMTPListener {
        let listener = SMTPListener(configuration, gate: gate, tls: tls, logger: logger, makeSession: makeSession)
        let channel = try await listener.bootstrap(group, backlog: configuration.backlog).withBoundSocket(descriptor).get()
        listener.serverChannel.withLock { $0 = channel }
        return listener
    }

    private func bootstrap(_ group: any EventLoopGroup, backlog: Int) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(backlog))
            .serverChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // One read, then a look at the other connections of the loop.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            // A channel keeps its last receive buffer: thousands of idle sessions shall stay small, also those that have
            // brought large messages. The minimum is what a usual message fits into: the commands before it bring the size
            // down to that, and with 1 KiB each message had to begin with the smallest reads.
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 8_192, initial: 8_192, maximum: 16_384)
            )
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.initialize(channel) }
            }
    }

    package var localAddress: SocketAddress? {
        self.serverChannel.withLock { $0?.localAddress }
    }

    // MARK: - Connections

    private func initialize(_ channel: any Channel) throws {
        let (settings, isShuttingDown) = self.state.withLock { state in
            state.connections[ObjectIdentifier(channel)] = channel
            return (
                ListenerSettings(
                    configuration: state.configuration,
                    tls: state.tls,
                    makeSession: state.makeSession,
                    loop: channel.eventLoop
                ), state.isShuttingDown
            )
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.connections[ObjectIdentifier(channel)] = nil }
        }
        let client = ClientIdentity(
            address: channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) } ?? .loopback4,
            port: UInt16(channel.remoteAddress?.port ?? 0),
            localAddress: channel.localAddress?.ipAddress.flatMap { IPAddress($0) } ?? .loopback4,
            localPort: UInt16(channel.localAddress?.port ?? 0)
        )
        let handler = SMTPServerHandler(settings: settings, gate: self.gate, client: client, logger: self.logger)
        try channel.pipeline.syncOperations.addHandler(handler)
        if isShuttingDown { channel.pipeline.fireUserInboundEventTriggered(ServiceEvent.shutdown) }
    }

    /// New connections get the new set; those that are open keep theirs. Address, port and backlog stay as they were.
    package func update(_ configuration: Configuration, tls: TLSServerContext?, makeSession: @escaping MakeSession) {
        self.state.withLock {
            $0.configuration = configuration
            $0.tls = tls
            $0.makeSession = makeSession
        }
    }

    // MARK: - Ending

    /// Stops accepting. Sessions without a transaction are closed with 421, the others when theirs is over or when the
    /// grace is. Returns when all are gone.
    package func shutdown(grace: Duration) async {
        let server = self.serverChannel.withLock { $0 }
        try? await server?.close().get()
        let channels = self.state.withLock { state in
            state.isShuttingDown = true
            return Array(state.connections.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ServiceEvent.shutdown) }
        guard let loop = server?.eventLoop, !channels.isEmpty else { return }
        let graceIsOver = loop.scheduleTask(in: TimeAmount(grace)) {
            for channel in channels { channel.pipeline.fireUserInboundEventTriggered(ServiceEvent.graceIsOver) }
        }
        let end = loop.scheduleTask(in: TimeAmount(grace) + .seconds(Self.lastReplySeconds)) {
            for channel in channels { channel.close(promise: nil) }
        }
        let gone = EventLoopFuture.andAllComplete(channels.map { $0.closeFuture }, on: loop)
        try? await gone.get()
        graceIsOver.cancel()
        end.cancel()
    }
}

/// What one connection goes by, from its start to its end.
struct ListenerSettings: Sendable {
    var configuration: SMTPListener.Configuration
    var tls: TLSServerContext?
    var makeSession: SMTPListener.MakeSession
    var loop: any EventLoop

    func machineConfiguration(for peer: IPAddress) -> ServerSessionMachine.Configuration {
        ServerSessionMachine.Configuration(
            hostname: self.configuration.hostname,
            limits: self.configuration.limits,
            bareLineEnds: self.configuration.bareLineEnds,
            maximumSize: self.configuration.maximumSize,
            offersTLS: self.tls != nil,
            requiresTLS: self.configuration.tlsRequired,
            trustsXCLIENT: self.configuration.xclientFrom.contains { $0.contains(peer) },
            expectsProxyHeader: self.configuration.proxyProtocolFrom.contains { $0.contains(peer) }
        )
    }
}
