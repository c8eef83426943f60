import ContentStorage
import Logging
import MailStore
import MailTypes
import NIOCore
import SMTPClient
import SMTPCore

/// Brings spooled messages to their mail servers: one attempt at a time while a server is away, many at once when it answers.
/// Only the gateway runs it, once for a spool.
actor SpoolRunner {
    /// How a route has answered.
    private struct RouteState {
        /// Attempts in a row that found its server away.
        var failures = 0
        /// It has answered since the gateway started or it was away last.
        var isProven = false
        var nextProbe = ContinuousClock.now
        var inFlight: Set<TransactionID> = []
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
    /// Before the first new attempt at a server that is away, and at most: it is soon noticed that it is back, and a server that
    /// is away for days costs one connection in half an hour.
    static let firstPause = Duration.seconds(10)
    static let longestPause = Duration.seconds(1_800)

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
            while !Task.isCancelled {
                await self.look()
                try? await Task.sleep(for: Self.lookInterval)
            }
        }
    }

    /// Begins nothing more and waits for what is under way: an attempt that is cut off may have been a delivery.
    func stop() async {
        self.loop?.cancel()
        await self.loop?.value
        for attempt in self.attempts.values { await attempt.value }
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

    /// Begins as many attempts as the route bears now.
    private func serve(_ route: String) async throws {
        if self.routes[route]?.failures ?? 0 > 0, self.spool.hasAnsweredSince(route) { self.hasAnswered(route) }
        let state = self.routes[route] ?? RouteState()
        let free = (state.isProven ? self.snapshot().configuration.spool.deliveries : 1) - state.inFlight.count
        let now = Int64(TransactionClock.milliseconds())
        let due: [TransactionID]
        if ContinuousClock.now >= state.nextProbe {
            guard free > 0 else { return }
            due = try await self.spool.store.due(route: route, at: now, limit: free + state.inFlight.count)
        } else {
            // What is too old needs no server to be given up.
            due = try await self.spool.store.expired(route: route, at: now, limit: 1 + state.inFlight.count)
        }
        // Other attempts may have begun and ended while the spool was asked: what is under way is looked at now, not before.
        let underWay = self.routes[route]?.inFlight ?? []
        let places = max(1, free) - max(0, underWay.count - state.inFlight.count)
        for id in due.filter({ !underWay.contains($0) }).prefix(max(0, places)) {
            self.routes[route, default: RouteState()].inFlight.insert(id)
            self.attempts[id] = Task { await self.attempt(id, route) }
        }
    }

    private func attempt(_ id: TransactionID, _ route: String) async {
        do {
            try await self.deliver(id, route)
        } catch SpoolError.notFound {
            // Removed by an administrator a moment ago.
        } catch {
            self.logger.log(.error, "a spooled message cannot be delivered", [.id: "\(id)", .error: "\(error)"])
            self.hasFailed(route, reason: "\(error)")
        }
        self.routes[route]?.inFlight.remove(id)
        self.attempts[id] = nil
        // The next one at once: a server that is back gets all that waits for it.
        if self.routes[route]?.failures == 0, self.loop?.isCancelled == false { try? await self.serve(route) }
    }

    private func notices(_ snapshot: GatewaySnapshot) -> SpoolNotices {
        SpoolNotices(spool: self.spool, quarantine: self.quarantine, snapshot: snapshot, logger: self.logger)
    }

    private func deliver(_ id: TransactionID, _ route: String) async throws {
        let message = try await self.spool.store.message(id)
        guard !message.isHeld else { return }
        let snapshot = self.snapshot()
        if message.expires <= Int64(TransactionClock.milliseconds()) {
            let results = message.waiting.map { number in
                SpoolResult(number: number, state: .failed, reply: message.recipients[number].reply ?? "the mail server was away")
            }
            return try await self.finish(message, results, reason: "could not be delivered in time")
        }
        let destination: DownstreamRoute
        switch await self.destination(of: message, snapshot) {
        case .route(let found): destination = found
        case .away(let reason): return try await self.isAway(message, route, reason: reason)
        case .nowhere(let reason):
            self.logger.log(.error, "a spooled message has nowhere to go", [.id: "\(id)", .reason: "\(reason)"])
            if SpoolNotices.isNotice(route) {
                let results = message.waiting.map { SpoolResult(number: $0, state: .failed, reply: reason) }
                return try await self.finish(message, results, reason: "a notice cannot be sent")
            }
            // A domain that was taken out of the configuration may come back.
            try await self.spool.store.attempted(id, [], next: Self.later(message.attempts))
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
        if let reason = result.awayReason { return try await self.isAway(message, route, reason: reason) }
        self.hasAnswered(route)
        try await self.finish(message, SpoolResult.results(of: message.waiting, result), reason: "refused by the mail server")
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
    private func isAway(_ message: SpooledMessage, _ route: String, reason: String) async throws {
        self.hasFailed(route, reason: reason)
        let now = Int64(TransactionClock.milliseconds())
        let results = message.waiting.map { SpoolResult(number: $0, state: .waiting, reply: reason) }
        try await self.spool.store.attempted(message.id, results, next: now)
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
        let failed = results.filter { $0.state == .failed }
        if !failed.isEmpty, !(await self.notices(self.snapshot()).failed(message, failed, reason: reason)) {
            // Nothing is lost: the message stays and is tried again.
            try await self.spool.store.attempted(message.id, [], next: Self.later(message.attempts))
            return
        }
        let isOver = try await self.spool.store.attempted(message.id, results, next: Self.later(message.attempts))
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

    private func hasFailed(_ route: String, reason: String) {
        var state = self.routes[route] ?? RouteState()
        // Several attempts that were under way when the server went are one failure.
        guard state.failures == 0 || ContinuousClock.now >= state.nextProbe else { return }
        state.nextProbe = ContinuousClock.now + Self.pause(after: state.failures)
        state.failures += 1
        state.isProven = false
        self.routes[route] = state
        self.logger.log(.info, "a mail server is away, its mail waits", [.downstream: "\(route)", .reason: "\(reason)"])
        self.spool.noteAway(route)
    }

    private func hasAnswered(_ route: String) {
        self.routes[route]?.failures = 0
        self.routes[route]?.isProven = true
        self.routes[route]?.nextProbe = .now
        self.spool.noteAnswered(route)
    }

    /// Twice as long each time, and up to a quarter more or less, so that many gateways do not come at the same moment.
    private static func pause(after failures: Int) -> Duration {
        min(self.firstPause * (1 << min(failures, 10)), self.longestPause) * Double.random(in: 0.75...1.25)
    }

    /// When a message that was put off is tried again.
    private static func later(_ attempts: Int) -> Int64 {
        Int64(TransactionClock.milliseconds()) + Int64(self.pause(after: attempts) / .milliseconds(1))
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
