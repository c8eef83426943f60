import ContentStorage
import DeliveryCore
import Logging
import MailStore
import MailTypes
import NIOCore
import SMTPClient
import SMTPCore

/// Brings spooled messages to their mail servers: one attempt at a time while a server is away, many at once when it answers.
/// Only the gateway runs it, once for a spool.
actor SpoolRunner {
    private struct RouteState {
        var schedule = RetrySchedule()
        var inFlight: Set<TransactionID> = []
        /// What was due when the spool was asked last, in order.
        var due: ArraySlice<TransactionID> = []
        /// It was not all.
        var hasMore = false
        var isAsking = false
    }

    private let spool: Spool
    private let quarantine: Quarantine?
    private let pool: NIOLoopBound<DownstreamPool>
    private let snapshot: @Sendable () -> GatewaySnapshot
    private let logger: Logger
    private var routes: [String: RouteState] = [:]
    private var loop: Task<Void, Never>?
    private var attempts: [TransactionID: Task<Void, Never>] = [:]

    /// Between two looks into the spool: what a command of an administrator changes is seen then.
    private static let lookInterval = Duration.seconds(1)
    /// Between two searches for files that a crash left without a row.
    private static let sweepInterval = Duration.seconds(3_600)

    init(
        spool: Spool,
        quarantine: Quarantine?,
        pool: NIOLoopBound<DownstreamPool>,
        snapshot: @escaping @Sendable () -> GatewaySnapshot,
        logger: Logger
    ) {
        self.spool = spool
        self.quarantine = quarantine
        self.pool = pool
        self.snapshot = snapshot
        self.logger = logger
    }

    func start() {
        self.loop = Task {
            var swept: ContinuousClock.Instant?
            while !Task.isCancelled {
                if swept.map({ ContinuousClock.now - $0 > Self.sweepInterval }) ?? true {
                    swept = .now
                    await self.sweep()
                }
                await self.look()
                try? await Task.sleep(for: Self.lookInterval)
            }
        }
    }

    /// Begins nothing more and waits for what is under way: an attempt that is cut off may have been a delivery. No longer than
    /// the grace period: a server that does not answer must not keep the gateway from ending.
    func stop(grace: Duration) async {
        self.loop?.cancel()
        await self.loop?.value
        let end = ContinuousClock.now + grace
        while !self.attempts.isEmpty, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(20)) }
    }

    private func sweep() async {
        do {
            try await self.spool.store.sweep()
        } catch {
            self.logger.log(.warning, "files that a crash left in the spool cannot be removed", [.error: "\(error)"])
        }
    }

    private func look() async {
        do {
            self.spool.noteRoom(try await self.spool.store.hasRoom())
            for route in try await self.spool.store.routes().keys.sorted() where !Task.isCancelled {
                try await self.serve(route)
            }
        } catch {
            // Nobody may be promised a place that cannot be looked into.
            self.spool.noteRoom(false)
            self.logger.log(.error, "the spool cannot be read", [.error: "\(error)"])
        }
    }

    /// Asks the spool what is due for a route, and begins as many attempts as the route bears now.
    private func serve(_ route: String) async throws {
        guard self.routes[route]?.isAsking != true else { return }
        self.routes[route, default: RouteState()].isAsking = true
        defer { self.routes[route]?.isAsking = false }
        let now = Int64(TransactionClock.milliseconds())
        let limit = self.snapshot().configuration.spool.deliveries
        // What is too old is given up while the server is known to be away. It may be old because this gateway was away, or the
        // clock was wrong: else it is tried once more.
        let isAway = (self.routes[route]?.schedule.failures ?? 0) > 0
        let expired = try await isAway ? self.spool.store.expired(route: route, at: now, limit: limit) : []
        let due = try await self.spool.store.due(route: route, at: now, withExpired: !isAway, limit: Self.dueAtOnce)
        // Other attempts may have begun and ended while the spool was asked: from here to the end nothing waits.
        var state = self.routes[route] ?? RouteState()
        if self.spool.takeAnswered(route) { state.schedule.destinationAnswered() }
        state.due = due[...]
        state.hasMore = due.count == Self.dueAtOnce
        for id in expired where !state.inFlight.contains(id) && state.inFlight.count < limit {
            state.inFlight.insert(id)
            self.attempts[id] = Task { await self.run(id, route) { try await self.giveUp(id) } }
        }
        self.routes[route] = state
        self.begin(route)
    }

    /// Messages that are taken out of the spool at once to be delivered one after the other: some seconds' work at most, and they are
    /// asked for anew with each look.
    private static let dueAtOnce = 500

    /// Begins as many attempts as the route bears now with what is known to be due.
    private func begin(_ route: String) {
        guard var state = self.routes[route] else { return }
        let limit = self.snapshot().configuration.spool.deliveries
        while state.inFlight.count < limit, let id = state.due.first {
            guard !state.inFlight.contains(id) else {
                state.due.removeFirst()
                continue
            }
            guard case .go(let leave) = state.schedule.askLeave(at: .now) else { break }
            state.due.removeFirst()
            state.inFlight.insert(id)
            self.attempts[id] = Task { await self.run(id, route) { try await self.attempt(id, route, leave) } }
        }
        self.routes[route] = state
    }

    private func run(_ id: TransactionID, _ route: String, _ work: () async throws -> Void) async {
        do {
            try await work()
        } catch SpoolError.notFound {
            // Removed by an administrator a moment ago.
        } catch {
            // This message's trouble, not the route's: the others go on.
            self.logger.log(.error, "a spooled message cannot be delivered", [.id: "\(id)", .error: "\(error)"])
            _ = try? await self.spool.store.attempted(id, [], next: Self.later(0))
        }
        self.routes[route]?.inFlight.remove(id)
        self.attempts[id] = nil
        // The next one at once: a server that is back gets all that waits for it.
        guard let state = self.routes[route], state.schedule.isAnswering, self.loop?.isCancelled == false else { return }
        if state.due.isEmpty, state.hasMore { try? await self.serve(route) } else { self.begin(route) }
    }

    /// One attempt, whose end the schedule hears of in any case.
    private func attempt(_ id: TransactionID, _ route: String, _ leave: RetrySchedule.Attempt) async throws {
        do {
            try await self.deliver(id, route, leave)
        } catch {
            self.routes[route]?.schedule.withdrawn(leave, at: .now)
            throw error
        }
        // Without effect where the server was heard of.
        self.routes[route]?.schedule.withdrawn(leave, at: .now)
    }

    private func notices(_ snapshot: GatewaySnapshot) -> SpoolNotices {
        SpoolNotices(spool: self.spool, quarantine: self.quarantine, snapshot: snapshot, logger: self.logger)
    }

    private func giveUp(_ id: TransactionID) async throws {
        let message = try await self.spool.store.message(id)
        guard !message.isHeld else { return }
        let results = message.waiting.map { number in
            SpoolResult(number: number, state: .failed, reply: message.recipients[number].reply ?? "the mail server was away")
        }
        try await self.finish(message, results, reason: "could not be delivered in time")
    }

    private func deliver(_ id: TransactionID, _ route: String, _ leave: RetrySchedule.Attempt) async throws {
        let message = try await self.spool.store.message(id)
        // It may have been tried, or stopped, since the spool was asked what is due.
        guard !message.isHeld, message.isDue(at: Int64(TransactionClock.milliseconds())) else { return }
        let snapshot = self.snapshot()
        let destination: DownstreamRoute
        switch await self.destination(of: message, snapshot) {
        case .route(let found): destination = found
        case .away(let reason): return try await self.isAway(message, route, leave, reason: reason)
        case .nowhere(let reason):
            self.logger.log(.error, "a spooled message has nowhere to go", [.id: "\(id)", .reason: "\(reason)"])
            if SpoolNotices.isNotice(route) {
                let results = message.waiting.map { SpoolResult(number: $0, state: .failed, reply: reason) }
                return try await self.finish(message, results, reason: "a notice cannot be sent")
            }
            // A domain that was taken out of the configuration may come back.
            try await self.spool.store.attempted(id, [], next: Self.later(message))
            return
        }
        let content = try self.spool.store.content(of: message)
        var envelope = message.record.envelope
        envelope.recipients = message.waiting.map { message.recipients[$0].recipient }
        let result = await SMTPDelivery.send(
            envelope: envelope,
            header: message.record.prefix,
            content: content,
            omitting: message.omitted,
            facts: ContentFacts(octets: content.octets, has8Bit: message.record.has8Bit),
            route: destination,
            over: self.pool
        )
        if let reason = result.awayReason { return try await self.isAway(message, route, leave, reason: reason) }
        self.routes[route]?.schedule.answered(leave)
        self.spool.noteAnswered(route)
        let results = SpoolResult.results(of: message.waiting, result)
        if !result.offersDSN { await self.notices(snapshot).relayed(message, results) }
        try await self.finish(message, results, reason: "refused by the mail server")
    }

    private func destination(of message: SpooledMessage, _ snapshot: GatewaySnapshot) async -> SpoolNotices.Destination {
        guard let first = message.recipients.first?.recipient.forwardPath else { return .nowhere("it has no recipient") }
        if SpoolNotices.isNotice(message.route) { return await self.notices(snapshot).destination(of: first) }
        guard let group = snapshot.recipients.group(for: first) else {
            return .nowhere("no domain of the configuration takes mail for <\(first)>")
        }
        return .route(snapshot.downstreamRoute(group.route))
    }

    /// No server of the route has answered; the sender is told when that has lasted.
    private func isAway(_ message: SpooledMessage, _ route: String, _ leave: RetrySchedule.Attempt, reason: String) async throws {
        var random = SystemRandomNumberGenerator()
        let failures = self.routes[route]?.schedule.failures
        self.routes[route]?.schedule.failed(leave, at: .now, using: &random)
        if self.routes[route]?.schedule.failures != failures {
            self.logger.log(.info, "a mail server is away, its mail waits", [.downstream: "\(route)", .reason: "\(reason)"])
        }
        self.spool.noteAway(route)
        let now = Int64(TransactionClock.milliseconds())
        let results = message.waiting.map { SpoolResult(number: $0, state: .waiting, reply: reason) }
        // A probe may go again with the next one. A message on which a server that answers others hangs up has pauses of its own,
        // or it would take all others down with it.
        let next = leave.isProbe ? now : Self.later(message)
        try await self.spool.store.attempted(message.id, results, next: next)
        try await self.tellDelays(route, now: now)
    }

    /// While a route is away one message is tried for all of them: all that wait for long enough are reported.
    private func tellDelays(_ route: String, now: Int64) async throws {
        let snapshot = self.snapshot()
        guard snapshot.configuration.spool.delayWarningSeconds > 0 else { return }
        let limit = now - Int64(snapshot.configuration.spool.delayWarningSeconds) * 1_000
        for message in try await self.spool.store.undelayed(route: route, receivedBefore: limit, limit: Self.noticesAtOnce) {
            await self.notices(snapshot).delayed(message, [])
        }
    }

    /// Warnings made after one failed attempt: the rest comes after the next.
    private static let noticesAtOnce = 100

    /// Notes what an attempt has brought. Who is refused for good is first made known to somebody.
    private func finish(_ message: SpooledMessage, _ results: [SpoolResult], reason: String) async throws {
        // When its time is over, this was the last attempt.
        let isTooOld = message.expires <= Int64(TransactionClock.milliseconds()) && results.contains { $0.state == .waiting }
        let results = results.map { result in
            result.state == .waiting && isTooOld
                ? SpoolResult(number: result.number, state: .failed, reply: result.reply) : result
        }
        let reason = isTooOld ? "could not be delivered in time" : reason
        let failed = results.filter { $0.state == .failed }
        if !failed.isEmpty, !(await self.notices(self.snapshot()).failed(message, failed, reason: reason)) {
            // Nothing is lost: for them the message stays and is tried again.
            let others = results.filter { $0.state != .failed }
            try await self.spool.store.attempted(message.id, others, next: Self.later(message))
            return
        }
        let isOver = try await self.spool.store.attempted(message.id, results, next: Self.later(message))
        self.logger.log(
            .info,
            isOver ? "spooled message is done" : "spooled message waits",
            [
                .id: "\(message.id)", .downstream: "\(message.route)",
                .accepted: .stringConvertible(results.filter { $0.state == .delivered }.count),
                .refused: .stringConvertible(failed.count), .reply: "\(results.first?.reply ?? "")",
            ]
        )
    }

    // MARK: Time

    /// When a message that was put off is tried again; when it expires at the latest.
    private static func later(_ message: SpooledMessage) -> Int64 {
        let next = self.later(message.attempts)
        return message.expires > Int64(TransactionClock.milliseconds()) ? min(next, message.expires) : next
    }

    private static func later(_ attempts: Int) -> Int64 {
        var random = SystemRandomNumberGenerator()
        let pause = RetrySchedule.pause(afterFailures: attempts + 1, using: &random)
        return Int64(TransactionClock.milliseconds()) + Int64(pause / .milliseconds(1))
    }
}

extension SpooledMessage {
    /// Places of the recipients that still wait.
    var waiting: [Int] { self.recipients.indices.filter { self.recipients[$0].state == .waiting } }
}

extension SpoolResult {
    /// - Parameter numbers: the recipients that were asked for, in order.
    static func results(of numbers: [Int], _ result: DeliveryResult) -> [SpoolResult] {
        zip(numbers, result.recipients).map { number, reply in
            if !reply.isPositive {
                return SpoolResult(number: number, state: reply.isPermanentFailure ? .failed : .waiting, reply: "\(reply)")
            }
            switch result.outcome {
            case .accepted(let final): return SpoolResult(number: number, state: .delivered, reply: "\(final)")
            case .refused(let final):
                return SpoolResult(number: number, state: final.isPermanentFailure ? .failed : .waiting, reply: "\(final)")
            case .away(let reason), .unknown(let reason), .internalError(let reason):
                return SpoolResult(number: number, state: .waiting, reply: reason)
            case nil: return SpoolResult(number: number, state: .waiting, reply: "\(reply)")
            }
        }
    }
}
