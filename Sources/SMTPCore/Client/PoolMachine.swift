import NIOCore

/// The connections of one event loop to the servers of one route: who gets which, and for how long one is kept.
///
/// Each connection needs a slot of the route's cap, which counts over all event loops and is kept elsewhere: the machine
/// asks for slots and hands them back. A lease that finds no idle connection waits in line; a connection that comes back
/// goes to the first in line.
package struct PoolMachine: Sendable {
    package struct ConnectionID: Hashable, Sendable {
        package let number: Int
        package init(_ number: Int) { self.number = number }
    }

    package struct LeaseID: Hashable, Sendable {
        package let number: Int
        package init(_ number: Int) { self.number = number }
    }

    package enum Failure: Hashable, Sendable {
        /// No connection became free in time.
        case busy
        case lost(ConnectionLoss)
    }

    package enum Action: Hashable, Sendable {
        case requestSlot
        case releaseSlot
        /// Open a connection to the first of the route's hosts that answers.
        case connect(ConnectionID)
        case grant(LeaseID, ConnectionID)
        case fail(LeaseID, Failure)
        /// Take leave of an idle connection; `closed` follows.
        case close(ConnectionID)
    }

    /// Messages that a connection carries for this loop's own waiters while another loop waits for a slot: then it is the
    /// other's turn, at the price of a new connection.
    package static let turnsWhileOthersWait = 8

    private struct Waiter: Hashable {
        let lease: LeaseID
        let deadline: NIODeadline
    }

    private struct Idle: Hashable {
        let connection: ConnectionID
        let since: NIODeadline
    }

    private enum Use: Hashable {
        case connecting
        case leased
        case idle
        case closing
    }

    private let idleLimit: TimeAmount
    private var connections: [ConnectionID: Use] = [:]
    /// Longest idle first; the last is taken, so that what is not needed runs out of time.
    private var idle: [Idle] = []
    private var waiters: [Waiter] = []
    private var requestedSlots = 0
    private var connectingCount = 0
    private var leasedCount = 0
    private var turns: [ConnectionID: Int] = [:]
    private var nextConnection = 0
    private var isShutDown = false

    package init(idleLimit: TimeAmount) {
        self.idleLimit = idleLimit
    }

    package var openConnections: Int { self.connections.count }
    package var waitingLeases: Int { self.waiters.count }
    package var idleConnections: Int { self.idle.count }

    /// Those in line for whom no connection is being opened: a connection attempt has its own time limits.
    private var uncoveredWaiters: ArraySlice<Waiter> { self.waiters.dropFirst(self.connectingCount) }

    /// When `tick` is due next.
    package var nextDeadline: NIODeadline? {
        let idle = self.idle.first.map { $0.since + self.idleLimit }
        return [idle, self.uncoveredWaiters.map(\.deadline).min()].compactMap { $0 }.min()
    }
}

// MARK: - Leases

extension PoolMachine {
    /// - Parameter fresh: only a new connection will do: a kept one has just turned out to be dead, so the others are
    ///   suspect and one of them gives up its slot.
    package mutating func lease(_ lease: LeaseID, fresh: Bool, deadline: NIODeadline) -> [Action] {
        guard !self.isShutDown else { return [.fail(lease, .lost(.abandoned))] }
        if !fresh, let kept = self.idle.popLast() {
            return [self.grant(lease, kept.connection)]
        }
        self.waiters.append(Waiter(lease: lease, deadline: deadline))
        var actions: [Action] = []
        if fresh { actions += self.closeAllIdle() }
        return actions + self.cover()
    }

    /// The lease is not wanted any more before it was granted.
    package mutating func cancel(_ lease: LeaseID) {
        self.waiters.removeAll { $0.lease == lease }
    }

    /// The connection is clean and can be used again.
    /// - Parameter othersWait: another event loop waits for a slot.
    package mutating func giveBack(_ connection: ConnectionID, othersWait: Bool, now: NIODeadline) -> [Action] {
        guard self.connections[connection] == .leased else { return [] }
        self.leasedCount -= 1
        let hasHadItsTurns = self.turns[connection, default: 0] >= Self.turnsWhileOthersWait
        if self.isShutDown || (othersWait && (self.waiters.isEmpty || hasHadItsTurns)) {
            self.connections[connection] = .closing
            return [.close(connection)]
        }
        if !othersWait { self.turns[connection] = 0 }
        return self.offer(connection, now: now)
    }

    private mutating func grant(_ lease: LeaseID, _ connection: ConnectionID) -> Action {
        self.connections[connection] = .leased
        self.leasedCount += 1
        self.turns[connection, default: 0] += 1
        return .grant(lease, connection)
    }

    private mutating func offer(_ connection: ConnectionID, now: NIODeadline) -> [Action] {
        if !self.waiters.isEmpty {
            return [self.grant(self.waiters.removeFirst().lease, connection)]
        }
        self.connections[connection] = .idle
        self.idle.append(Idle(connection: connection, since: now))
        return []
    }

    /// Asks for slots until each waiter has a connection on the way.
    private mutating func cover() -> [Action] {
        let missing = self.waiters.count - self.connectingCount - self.requestedSlots
        guard missing > 0 else { return [] }
        self.requestedSlots += missing
        return Array(repeating: .requestSlot, count: missing)
    }
}

// MARK: - Connections

extension PoolMachine {
    package mutating func slotGranted() -> [Action] {
        self.requestedSlots -= 1
        guard self.waiters.count > self.connectingCount else { return [.releaseSlot] }
        let connection = ConnectionID(self.nextConnection)
        self.nextConnection += 1
        self.connections[connection] = .connecting
        self.connectingCount += 1
        return [.connect(connection)]
    }

    /// - Parameter othersWait: another event loop waits for a slot; whoever this was opened for may be served by now.
    package mutating func connected(_ connection: ConnectionID, othersWait: Bool, now: NIODeadline) -> [Action] {
        guard self.connections[connection] == .connecting else { return [] }
        self.connectingCount -= 1
        if self.isShutDown || (othersWait && self.waiters.isEmpty) {
            self.connections[connection] = .closing
            return [.close(connection)]
        }
        return self.offer(connection, now: now)
    }

    /// No host of the route took the connection. Who waits goes on waiting only while connections are in use that will
    /// come back.
    package mutating func connectFailed(_ connection: ConnectionID, _ loss: ConnectionLoss) -> [Action] {
        guard self.connections.removeValue(forKey: connection) == .connecting else { return [] }
        self.connectingCount -= 1
        self.turns[connection] = nil
        guard self.leasedCount == 0, self.connectingCount == 0 else { return [.releaseSlot] }
        let failed = self.waiters.map { Action.fail($0.lease, .lost(loss)) }
        self.waiters = []
        return [.releaseSlot] + failed
    }

    /// The connection is gone, for whatever reason.
    package mutating func closed(_ connection: ConnectionID) -> [Action] {
        guard let use = self.connections.removeValue(forKey: connection) else { return [] }
        self.turns[connection] = nil
        switch use {
        case .connecting: self.connectingCount -= 1
        case .leased: self.leasedCount -= 1
        case .idle: self.idle.removeAll { $0.connection == connection }
        case .closing: break
        }
        return [.releaseSlot] + self.cover()
    }

    /// Another event loop waits for a slot: an idle connection makes room.
    package mutating func reclaim() -> [Action] {
        guard !self.idle.isEmpty else { return [] }
        return [self.close(self.idle.removeFirst().connection)]
    }

    /// Time has passed.
    package mutating func tick(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        while let oldest = self.idle.first, oldest.since + self.idleLimit <= now {
            self.idle.removeFirst()
            actions.append(self.close(oldest.connection))
        }
        let late = self.uncoveredWaiters.filter { $0.deadline <= now }
        self.waiters.removeAll { late.contains($0) }
        return actions + late.map { .fail($0.lease, .busy) }
    }

    package mutating func shutdown() -> [Action] {
        self.isShutDown = true
        let failed = self.waiters.map { Action.fail($0.lease, .lost(.abandoned)) }
        self.waiters = []
        return failed + self.closeAllIdle()
    }

    private mutating func closeAllIdle() -> [Action] {
        let kept = self.idle.map(\.connection)
        self.idle = []
        return kept.map { self.close($0) }
    }

    private mutating func close(_ connection: ConnectionID) -> Action {
        self.connections[connection] = .closing
        return .close(connection)
    }
}
