import Logging
import NIOCore
import SMTPCore

/// Carries out what the pool machine of one route on one event loop says.
final class RoutePool {
    /// Why there is no connection.
    struct LeaseFailure: Error {
        let failure: PoolMachine.Failure
    }

    typealias LeaseCompletion = (Result<DownstreamConnection, LeaseFailure>) -> Void

    /// How often, while leases wait, connections are looked for within the time that makes one count as resting.
    private static let looksInARest: Int64 = 4

    let route: DownstreamRoute
    let eventLoop: any EventLoop
    let directory: DownstreamDirectory
    let logger: Logger
    let connector: DownstreamConnector
    private var machine: PoolMachine
    private var connections: [PoolMachine.ConnectionID: DownstreamConnection] = [:]
    private var leases: [PoolMachine.LeaseID: LeaseCompletion] = [:]
    private var nextLease = 0
    private var registration = 0
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    private var restTimer: Scheduled<Void>?

    init(
        route: DownstreamRoute,
        eventLoop: any EventLoop,
        directory: DownstreamDirectory,
        logger: Logger,
        connector: DownstreamConnector
    ) {
        self.route = route
        self.eventLoop = eventLoop
        self.directory = directory
        self.logger = logger
        self.connector = connector
        self.machine = PoolMachine(idleLimit: .seconds(Int64(route.idleSeconds)))
        let handle = WeakRoutePool(self, eventLoop: eventLoop)
        self.registration = directory.register(route) {
            handle.onLoop { $0.makeRoom() }
        }
    }

    deinit {
        self.directory.unregister(self.registration, of: self.route)
    }

    var restingConnections: Int { self.machine.idleConnections }

    func makeLease() -> PoolMachine.LeaseID {
        self.nextLease += 1
        return PoolMachine.LeaseID(self.nextLease)
    }

    /// The completion is called once, maybe before this returns; not after `cancel`.
    func lease(_ lease: PoolMachine.LeaseID, fresh: Bool, completion: @escaping LeaseCompletion) {
        self.leases[lease] = completion
        let deadline = NIODeadline.now() + .seconds(Int64(self.route.connectSeconds))
        self.perform(self.machine.lease(lease, fresh: fresh, deadline: deadline))
        self.awaitRest()
    }

    func cancel(_ lease: PoolMachine.LeaseID) {
        self.leases[lease] = nil
        self.machine.cancel(lease)
    }

    func giveBack(_ connection: DownstreamConnection) {
        let othersWait = self.directory.hasWaiters(self.route, besides: self.registration)
        self.perform(self.machine.giveBack(connection.id, othersWait: othersWait, now: .now()))
    }

    func closed(_ connection: DownstreamConnection) {
        self.connections[connection.id] = nil
        self.perform(self.machine.closed(connection.id))
    }

    func shutdown() {
        self.perform(self.machine.shutdown())
    }

    private func perform(_ actions: [PoolMachine.Action]) {
        for action in actions { self.perform(action) }
        self.setTimer()
    }

    private func perform(_ action: PoolMachine.Action) {
        switch action {
        case .requestSlot:
            let handle = WeakRoutePool(self, eventLoop: self.eventLoop)
            let directory = self.directory
            let route = self.route
            let isTaken = directory.takeSlot(route, for: self.registration) {
                handle.onLoop {
                    $0.perform($0.machine.slotGranted())
                } otherwise: {
                    directory.releaseSlot(route)
                }
            }
            if isTaken { self.perform(self.machine.slotGranted()) }
        case .releaseSlot:
            self.directory.releaseSlot(self.route)
        case .connect(let id):
            ConnectionAttempt(id: id, pool: self).start()
        case .grant(let lease, let id):
            guard let connection = self.connections[id] else { preconditionFailure("granted connections exist") }
            guard let completion = self.leases.removeValue(forKey: lease) else { return self.giveBack(connection) }
            completion(.success(connection))
        case .fail(let lease, let failure):
            self.leases.removeValue(forKey: lease)?(.failure(LeaseFailure(failure: failure)))
        case .close(let id):
            self.connections[id]?.quit()
        }
    }

    /// Somebody waits for a connection, here or on another loop: an idle one is closed, or one is taken from the transaction
    /// that has not used its own for the longest time.
    private func makeRoom() {
        if self.machine.idleConnections > 0 { return self.perform(self.machine.reclaim()) }
        let rest = NIODeadline.now() - .milliseconds(Int64(self.route.restMilliseconds))
        let resting = self.connections.values.compactMap { connection in connection.restingSince.map { ($0, connection) } }
        guard let longest = resting.filter({ $0.0 <= rest }).min(by: { $0.0 < $1.0 }) else { return }
        longest.1.park()
    }

    /// While leases wait, looks again and again, on all loops, for connections that rest.
    private func awaitRest() {
        guard self.restTimer == nil, self.machine.waitingLeases > 0 else { return }
        let pause = TimeAmount.milliseconds(max(1, Int64(self.route.restMilliseconds) / Self.looksInARest))
        self.restTimer = self.eventLoop.assumeIsolated().scheduleTask(in: pause) { [weak self] () -> Void in
            guard let self else { return }
            self.restTimer = nil
            for _ in 0..<self.machine.waitingLeases { self.directory.askForRoom(self.route) }
            self.awaitRest()
        }
    }

    private func setTimer() {
        guard let due = self.machine.nextDeadline else { return }
        if let timer = self.timer, timer.due <= due { return }
        self.timer?.task.cancel()
        let task = self.eventLoop.assumeIsolated().scheduleTask(deadline: due) { [weak self] () -> Void in
            guard let self else { return }
            self.timer = nil
            self.perform(self.machine.tick(now: .now()))
        }
        self.timer = (due, task)
    }
}

// MARK: - Attempts

extension RoutePool {
    func attemptSucceeded(_ connection: DownstreamConnection) {
        self.connections[connection.id] = connection
        let othersWait = self.directory.hasWaiters(self.route, besides: self.registration)
        self.perform(self.machine.connected(connection.id, othersWait: othersWait, now: .now()))
    }

    func attemptFailed(_ id: PoolMachine.ConnectionID, _ loss: ConnectionLoss) {
        self.perform(self.machine.connectFailed(id, loss))
    }
}

/// Lets another thread call a pool on its loop, while it is there.
private struct WeakRoutePool: Sendable {
    private final class Box {
        weak var pool: RoutePool?
        init(_ pool: RoutePool) { self.pool = pool }
    }

    private let eventLoop: any EventLoop
    private let box: NIOLoopBound<Box>

    init(_ pool: RoutePool, eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.box = NIOLoopBound(Box(pool), eventLoop: eventLoop)
    }

    func onLoop(_ body: @escaping @Sendable (RoutePool) -> Void, otherwise: @escaping @Sendable () -> Void = {}) {
        self.eventLoop.execute {
            if let pool = self.box.value.pool { body(pool) } else { otherwise() }
        }
    }
}
