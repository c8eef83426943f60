import NIOCore
import NIOPosix

/// Opens channels to downstream hosts: over TCP, or by whatever a test puts in its place.
package struct DownstreamConnector: Sendable {
    /// - Parameters:
    ///   - host: where to.
    ///   - seconds: how long that may take.
    ///   - eventLoop: the loop on which the channel lives.
    ///   - initialize: prepares each channel that is tried, on the event loop, before it is active.
    package typealias Connect =
        @Sendable (
            _ host: DownstreamHost,
            _ seconds: Int,
            _ eventLoop: any EventLoop,
            _ initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
        ) -> EventLoopFuture<any Channel>

    let connect: Connect

    package init(_ connect: @escaping Connect) {
        self.connect = connect
    }

    package static let tcp = DownstreamConnector { host, seconds, eventLoop, initialize in
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(Int64(seconds)))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: DownstreamConnection.writeBuffer)
            .channelInitializer(initialize)
            .connect(host: host.name, port: Int(host.port))
    }
}
