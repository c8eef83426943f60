import Logging
import MailTypes
import NIOCore
import SMTPCore

/// The downstream connections of one event loop. To be used on that loop only.
package final class DownstreamPool {
    let eventLoop: any EventLoop
    let directory: DownstreamDirectory
    let logger: Logger
    private let connector: DownstreamConnector
    private var routes: [DownstreamRoute: RoutePool] = [:]

    package init(
        eventLoop: any EventLoop,
        directory: DownstreamDirectory,
        logger: Logger,
        connector: DownstreamConnector = .tcp
    ) {
        self.eventLoop = eventLoop
        self.directory = directory
        self.logger = logger
        self.connector = connector
    }

    /// Starts a transaction. Nothing is sent, no connection is taken before it has recipients.
    package func begin(_ mail: MailCommand, client: ClientIdentity, route: DownstreamRoute) -> DownstreamTransaction {
        self.eventLoop.preconditionInEventLoop()
        return DownstreamTransaction(mail: mail, client: client, pool: self.pool(of: route))
    }

    /// Takes leave on idle connections now and on the others when they come back.
    package func shutdown() {
        self.eventLoop.preconditionInEventLoop()
        for pool in self.routes.values { pool.shutdown() }
    }

    /// Connections of each route that rest here.
    package var restingConnections: [DownstreamRoute: Int] {
        self.eventLoop.preconditionInEventLoop()
        return self.routes.mapValues(\.restingConnections)
    }

    /// Opens a connection and keeps it idle, if that is possible.
    func open(_ route: DownstreamRoute, completion: @escaping () -> Void) {
        let pool = self.pool(of: route)
        pool.lease(pool.makeLease(), fresh: false) { result in
            if case .success(let connection) = result { pool.giveBack(connection) }
            completion()
        }
    }

    private func pool(of route: DownstreamRoute) -> RoutePool {
        if let pool = self.routes[route] { return pool }
        let pool = RoutePool(
            route: route,
            eventLoop: self.eventLoop,
            directory: self.directory,
            logger: self.logger,
            connector: self.connector
        )
        self.routes[route] = pool
        return pool
    }
}
