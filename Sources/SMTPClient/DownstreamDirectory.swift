import Logging
import NIOCore
import OpenSSLKit
import SMTPCore
import Synchronization

/// What all event loops share about the downstream servers: what they can do, which are away, how many connections are
/// open. Safe to use from any thread.
package final class DownstreamDirectory: Sendable {
    private struct RouteState {
        var capabilities: DownstreamCapabilities?
        var openConnections = 0
        /// In order of arrival, over all event loops.
        var slotWaiters: [SlotWaiter] = []
        /// Asks each event loop that uses the route to close an idle connection, or to take one from who does not use it.
        var reclaimers: [Int: @Sendable () -> Void] = [:]
    }

    private struct SlotWaiter {
        let registration: Int
        /// Called once, when a slot was taken for it.
        let granted: @Sendable () -> Void
    }

    private struct TrustKey: Hashable {
        let authorities: String?
        let verifies: Bool
    }

    private struct State {
        var routes: [DownstreamRoute: RouteState] = [:]
        var availability = HostAvailability<DownstreamHost>()
        /// Hosts whose TLS handshake failed, and until when opportunistic routes do without.
        var plainUntil: [DownstreamHost: NIODeadline] = [:]
        var trust: [TrustKey: TLSClientContext] = [:]
        var registrations = 0
    }

    /// A host with which TLS failed is spoken to in the clear for this long, then TLS is tried again.
    static let plainTime = TimeAmount.minutes(30)

    private let state = Mutex(State())

    package init() {}

    /// What the route's server said last; nil before the first connection.
    package func capabilities(of route: DownstreamRoute) -> DownstreamCapabilities? {
        self.state.withLock { $0.routes[route]?.capabilities }
    }

    /// Connections that are open or being opened.
    package func openConnections(of route: DownstreamRoute) -> Int {
        self.state.withLock { $0.routes[route]?.openConnections ?? 0 }
    }

    /// Connects once to each route and asks for its capabilities. Routes that do not answer stay unknown.
    package func probe(_ routes: [DownstreamRoute], on group: any EventLoopGroup, logger: Logger) async {
        for route in Set(routes) {
            let loop = group.next()
            let done = loop.makePromise(of: Void.self)
            loop.execute {
                let pool = DownstreamPool(eventLoop: loop, directory: self, logger: logger)
                pool.open(route) {
                    pool.shutdown()
                    done.succeed()
                }
            }
            try? await done.futureResult.get()
        }
    }

    func learn(_ capabilities: DownstreamCapabilities, of route: DownstreamRoute) {
        self.state.withLock { $0.routes[route, default: RouteState()].capabilities = capabilities }
    }
}

// MARK: - Hosts

extension DownstreamDirectory {
    func candidates(of route: DownstreamRoute, now: NIODeadline) -> [DownstreamHost] {
        self.state.withLock { $0.availability.candidates(route.hosts, now: now) }
    }

    func failed(_ host: DownstreamHost, now: NIODeadline) {
        self.state.withLock { $0.availability.failed(host, now: now) }
    }

    /// Since when every attempt to reach a host has failed; nil: the last one did not, or there was none.
    package func awaySince(_ host: DownstreamHost) -> NIODeadline? {
        self.state.withLock { $0.availability.awaySince(host) }
    }

    func answered(_ host: DownstreamHost) {
        self.state.withLock { $0.availability.answered(host) }
    }

    func tlsFailed(_ host: DownstreamHost, now: NIODeadline) {
        self.state.withLock { $0.plainUntil[host] = now + Self.plainTime }
    }

    func isPlain(_ host: DownstreamHost, now: NIODeadline) -> Bool {
        self.state.withLock { $0.plainUntil[host].map { $0 > now } ?? false }
    }

    /// Made once for each set of authorities and kept: reading the system's takes milliseconds.
    func trust(for route: DownstreamRoute) throws -> TLSClientContext {
        let key = TrustKey(authorities: route.certificateAuthorities, verifies: route.tls == .required)
        return try self.state.withLock { state in
            if let context = state.trust[key] { return context }
            let context = try TLSClientContext(authorities: key.authorities, verifies: key.verifies)
            state.trust[key] = context
            return context
        }
    }
}

// MARK: - Slots

extension DownstreamDirectory {
    /// - Returns: the number to unregister with.
    func register(_ route: DownstreamRoute, reclaim: @escaping @Sendable () -> Void) -> Int {
        self.state.withLock { state in
            state.registrations += 1
            state.routes[route, default: RouteState()].reclaimers[state.registrations] = reclaim
            return state.registrations
        }
    }

    func unregister(_ registration: Int, of route: DownstreamRoute) {
        self.state.withLock { _ = $0.routes[route]?.reclaimers.removeValue(forKey: registration) }
    }

    /// Takes one of the route's connections.
    /// - Parameter later: called from any thread when one is free, if none is now; it is taken then.
    /// - Returns: whether it was taken at once.
    func takeSlot(_ route: DownstreamRoute, for registration: Int, later: @escaping @Sendable () -> Void) -> Bool {
        let (isTaken, reclaimers) = self.state.withLock { state -> (Bool, [@Sendable () -> Void]) in
            var routeState = state.routes[route] ?? RouteState()
            defer { state.routes[route] = routeState }
            if routeState.openConnections < max(1, route.maxConnections) {
                routeState.openConnections += 1
                return (true, [])
            }
            routeState.slotWaiters.append(SlotWaiter(registration: registration, granted: later))
            return (false, Array(routeState.reclaimers.values))
        }
        for reclaim in reclaimers { reclaim() }
        return isTaken
    }

    /// Somebody still waits for a slot.
    func askForRoom(_ route: DownstreamRoute) {
        let reclaimers = self.state.withLock { state in
            state.routes[route].map { $0.slotWaiters.isEmpty ? [] : Array($0.reclaimers.values) } ?? []
        }
        for reclaim in reclaimers { reclaim() }
    }

    func releaseSlot(_ route: DownstreamRoute) {
        let next = self.state.withLock { state -> (@Sendable () -> Void)? in
            guard var routeState = state.routes[route] else { return nil }
            defer { state.routes[route] = routeState }
            guard routeState.slotWaiters.isEmpty else { return routeState.slotWaiters.removeFirst().granted }
            routeState.openConnections -= 1
            return nil
        }
        next?()
    }

    /// Whether another event loop waits for a slot.
    func hasWaiters(_ route: DownstreamRoute, besides registration: Int) -> Bool {
        self.state.withLock { $0.routes[route]?.slotWaiters.contains { $0.registration != registration } == true }
    }
}
