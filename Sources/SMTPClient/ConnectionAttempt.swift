import Logging
import NIOCore
import SMTPCore

/// Opens one connection of a route: host after host until one is ready for mail.
final class ConnectionAttempt {
    private let id: PoolMachine.ConnectionID
    private let pool: RoutePool
    private var hosts: ArraySlice<DownstreamHost>

    init(id: PoolMachine.ConnectionID, pool: RoutePool) {
        self.id = id
        self.pool = pool
        self.hosts = pool.directory.candidates(of: pool.route, now: .now())[...]
    }

    func start() {
        self.tryNext(after: .unreachable("no host is configured"))
    }

    private func tryNext(after loss: ConnectionLoss) {
        guard let host = self.hosts.popFirst() else { return self.pool.attemptFailed(self.id, loss) }
        let isPlain = self.pool.route.tls == .opportunistic && self.pool.directory.isPlain(host, now: .now())
        self.connect(to: host, withoutTLS: isPlain)
    }

    private func connect(to host: DownstreamHost, withoutTLS: Bool) {
        let loop = self.pool.eventLoop
        let attempt = NIOLoopBound(self, eventLoop: loop)
        let seconds = self.pool.route.connectSeconds
        self.pool.connector.connect(host, seconds, loop) { channel in
            // A host with several addresses has several channels tried; one of them is chosen in the end.
            channel.eventLoop.makeCompletedFuture {
                let attempt = attempt.value
                let connection = DownstreamConnection(
                    id: attempt.id,
                    host: host,
                    pool: attempt.pool,
                    withoutTLS: withoutTLS
                )
                try channel.pipeline.syncOperations.addHandler(connection)
            }
        }
        .hop(to: loop)
        .assumeIsolated()
        .whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel, host, withoutTLS: withoutTLS)
            case .failure(let error): self.failed(host, .unreachable("\(error)"), withoutTLS: withoutTLS)
            }
        }
    }

    private func connected(_ channel: any Channel, _ host: DownstreamHost, withoutTLS: Bool) {
        guard let connection = try? channel.pipeline.syncOperations.handler(type: DownstreamConnection.self) else {
            return self.failed(host, .closed, withoutTLS: withoutTLS)
        }
        connection.whenSetUp = { result in
            switch result {
            case .success(let capabilities): self.succeeded(connection, capabilities)
            case .failure(let failure): self.failed(host, failure.loss, withoutTLS: withoutTLS)
            }
        }
    }

    private func succeeded(_ connection: DownstreamConnection, _ capabilities: DownstreamCapabilities) {
        self.pool.directory.answered(connection.host)
        self.pool.directory.learn(capabilities, of: self.pool.route)
        connection.adopt()
        self.pool.attemptSucceeded(connection)
    }

    private func failed(_ host: DownstreamHost, _ loss: ConnectionLoss, withoutTLS: Bool) {
        if case .insecure(let reason) = loss, self.pool.route.tls == .opportunistic, !withoutTLS {
            self.pool.logger.notice(
                "TLS with a downstream host failed, going on without",
                metadata: ["host": "\(host)", "reason": "\(reason)"]
            )
            self.pool.directory.tlsFailed(host, now: .now())
            return self.connect(to: host, withoutTLS: true)
        }
        self.pool.logger.warning(
            "downstream host takes no mail",
            metadata: ["host": "\(host)", "reason": "\(loss.reason)"]
        )
        self.pool.directory.failed(host, now: .now())
        self.tryNext(after: loss)
    }
}
