import ContentStorage
import DeliveryCore
import Logging
import MailPolicy
import MailStore
import MailTypes
import NIOCore
import SMTPClient
import SMTPCore

/// Takes one received message from the end of data to the final reply: inspect, decide, then deliver or store or refuse.
/// The order of steps is `RelayMachine`'s; this class carries them out on the connection's event loop.
final class MessageFate {
    private let id: TransactionID
    private var envelope: Envelope
    private let content: MessageContent
    private let facts: ContentFacts
    private let route: GatewayConfiguration.Route
    private let policy: Policy
    private let snapshot: GatewaySnapshot
    private let services: GatewayServices
    private var downstream: DownstreamTransaction?
    private let downstreams: DownstreamPool
    private let eventLoop: any EventLoop
    private let sessionBegan: ContinuousClock.Instant
    private let stopwatch: Stopwatch
    private let senderQuestion: SenderAuthentication.EnvelopeQuestion?
    private let reputationQuestion: ClientReputation.EnvelopeQuestion?
    private var machine: RelayMachine
    private var judgement: Judgement?
    private var completion: ((SMTPReply) -> Void)?
    private var isClientGone = false
    /// Through the ledger, while the message is under way; nil: it is not to be known.
    private(set) var passage: Ledger.Passage?
    private var isRecorded = false
    /// What a server that makes no notices of its own said when it took the message, and somebody asked for one.
    private var relayed: SMTPReply?
    /// The transaction that has taken this message before.
    private var repeats: TransactionID?

    init(
        id: TransactionID,
        envelope: Envelope,
        content: MessageContent,
        facts: ContentFacts,
        route: GatewayConfiguration.Route,
        policy: Policy,
        snapshot: GatewaySnapshot,
        services: GatewayServices,
        downstream: DownstreamTransaction?,
        downstreams: DownstreamPool,
        eventLoop: any EventLoop,
        sessionBegan: ContinuousClock.Instant,
        stopwatch: Stopwatch,
        senderQuestion: SenderAuthentication.EnvelopeQuestion?,
        reputationQuestion: ClientReputation.EnvelopeQuestion? = nil
    ) {
        self.reputationQuestion = reputationQuestion
        self.senderQuestion = senderQuestion
        self.id = id
        self.envelope = envelope
        self.content = content
        self.facts = facts
        self.route = route
        self.policy = policy
        self.snapshot = snapshot
        self.services = services
        self.downstream = downstream
        self.downstreams = downstreams
        self.eventLoop = eventLoop
        self.sessionBegan = sessionBegan
        self.stopwatch = stopwatch
        self.machine = RelayMachine(
            id: id,
            isBackedUp: route.whenAway == .spool,
            recordsReplies: services.ledger != nil
        )
    }

    /// - Parameter completion: called once with the final reply, on the event loop.
    func decide(completion: @escaping (SMTPReply) -> Void) {
        self.completion = completion
        guard let question = self.reputationQuestion else { return self.inspect() }
        // Under way since the client is there, and bounded in time: mostly it is answered by now.
        self.onLoop {
            await question.value
        } then: { findings in
            self.envelope.learn(findings)
            self.inspect()
        }
    }

    private func inspect() {
        let subject = InspectionSubject(
            envelope: self.envelope,
            content: self.content,
            facts: self.facts,
            policy: self.policy,
            lists: self.services.lists.gate(with: self.snapshot),
            senderQuestion: self.senderQuestion
        )
        self.services.inspector.inspect(subject, snapshot: self.snapshot, on: self.eventLoop) { judgement in
            self.judged(judgement)
        }
    }

    /// Nobody waits for the reply any more: the sender still has the message and will send it again. What is not yet
    /// delivered or stored then must not be, or it would be there twice.
    func clientLeft() {
        self.isClientGone = true
        if let passage = self.passage { self.services.ledger?.clientLeft(passage) }
    }

    // MARK: - Was it here before?

    private func judged(_ judgement: Judgement) {
        self.judgement = judgement
        guard let ledger = self.services.ledger, !judgement.contentHash.isEmpty else { return self.askForRelease(judgement) }
        let key = Ledger.key(self.envelope.reversePath, contentHash: judgement.contentHash)
        guard ledger.isWith(anotherSince: self.sessionBegan, key, self.envelope.recipients) else {
            return self.lookUp(key, judgement, in: ledger)
        }
        let turns = self.services.turns
        self.onLoop {
            await turns.pass()
        } then: {
            self.lookUp(key, judgement, in: ledger)
        }
    }

    private func lookUp(_ key: [UInt8], _ judgement: Judgement, in ledger: Ledger) {
        let recipients = self.envelope.recipients
        if let standing = ledger.enter(key, recipients) { return self.proceed(judgement, as: standing) }
        self.onLoop {
            await ledger.look(key, recipients)
        } then: { standing in
            self.proceed(judgement, as: standing)
        }
    }

    private func proceed(_ judgement: Judgement, as standing: Ledger.Standing) {
        switch standing {
        case .new(let passage):
            self.begin(passage)
            self.askForRelease(judgement)
        case .underWay:
            self.perform(self.machine.underWayElsewhere())
        case .taken(let entry, let passage):
            self.repeats = entry.id
            self.passage = passage
            self.perform(self.machine.takenBefore(entry.reply))
        case .partly(let served, let passage):
            self.begin(passage)
            self.leaveOut(served, judgement)
        }
    }

    private func begin(_ passage: Ledger.Passage) {
        self.passage = passage
        if self.isClientGone { self.services.ledger?.clientLeft(passage) }
    }

    /// Some recipients have this message already; the others must get it alone.
    private func leaveOut(_ served: Set<String>, _ judgement: Judgement) {
        self.envelope.recipients.removeAll { served.contains($0.forwardPath.folded) }
        guard let first = self.downstream, !first.isAway else { return self.askForRelease(judgement) }
        first.abort()
        let mail = MailCommand(reversePath: self.envelope.reversePath, parameters: self.envelope.parameters)
        let second = self.downstreams.begin(
            mail,
            client: self.envelope.client,
            route: self.snapshot.downstreamRoute(self.route)
        )
        self.downstream = second
        second.add(self.envelope.recipients) { replies in
            if replies.allSatisfy(\.isPositive) || second.isAway {
                self.askForRelease(judgement)
            } else {
                // Where the downstream does not stand by what it has said, the sender keeps the message.
                self.perform(self.machine.underWayElsewhere())
            }
        }
    }

    // MARK: - The decision

    private func askForRelease(_ judgement: Judgement) {
        let isCaught = judgement.decision.disposition == .hold || judgement.decision.disposition == .reject
        guard isCaught, judgement.skippedRules.isEmpty, let quarantine = self.services.quarantine else {
            self.proceed(judgement)
            return
        }
        // An administrator may have released this very message: then what held it does not hold it again.
        let envelope = self.envelope
        self.onLoop {
            await quarantine.releasedRules(
                contentHash: judgement.contentHash,
                reversePath: envelope.reversePath,
                recipients: envelope.recipients
            )
        } then: { rules in
            self.proceed(rules.isEmpty ? judgement : judgement.skipping(rules))
        }
    }

    /// A doubtful message is taken when it comes again.
    private func proceed(_ judgement: Judgement) {
        guard judgement.skippedRules.isEmpty, let settings = self.snapshot.configuration.greylist,
            let key = judgement.doubt(settings)
        else {
            self.carryOut(judgement)
            return
        }
        let greylist = self.services.greylist
        self.onLoop {
            await greylist.visit(key, settings: settings)
        } then: { verdict in
            self.carryOut(verdict.map { judgement.visited($0) } ?? judgement)
        }
    }

    private func carryOut(_ judgement: Judgement) {
        self.judgement = judgement
        self.perform(self.machine.decided(judgement.decision))
    }

    private func perform(_ action: RelayMachine.Action) {
        guard let judgement = self.judgement else { preconditionFailure("acting before the decision") }
        switch action {
        case .deliver:
            self.deliver(judgement)
        case .store:
            self.downstream?.abort()
            if self.isClientGone {
                self.perform(self.machine.storeFinished(.failed(reason: "the client has gone")))
            } else {
                self.store(judgement)
            }
        case .spool:
            if self.isClientGone {
                self.perform(self.machine.storeFinished(.failed(reason: "the client has gone")))
            } else {
                self.spool(judgement)
            }
        case .record(let reply):
            self.record(reply)
        case .reply(let reply, let abortsDownstream, let keepsCopy):
            if abortsDownstream { self.downstream?.abort() }
            if !self.isRecorded, self.repeats == nil, let passage = self.passage {
                self.services.ledger?.finished(passage)
                self.passage = nil
            }
            self.services.log.transactionFinished(
                TransactionSummary(
                    id: self.id,
                    envelope: self.envelope,
                    octets: self.content.octets,
                    judgement: judgement,
                    reply: reply,
                    repeats: self.repeats,
                    downstream: self.route.name,
                    milliseconds: self.stopwatch.microseconds / 1_000
                )
            )
            self.completion?(reply)
            self.completion = nil
            // What came before was counted then.
            guard self.repeats == nil else { return }
            self.services.ruleHits.count(judgement.findings.rules)
            if self.snapshot.configuration.dmarcReports.isEnabled,
                let observation = judgement.dmarcObservation(self.envelope, policy: self.policy)
            {
                self.services.dmarc.count(observation)
            }
            if keepsCopy { self.keepCopy(judgement) }
            if let accepted = self.relayed { self.tellRelayed(judgement, accepted) }
        }
    }

    /// Before the reply: whoever does not hear it is told the same when the message comes again.
    private func record(_ reply: SMTPReply) {
        guard let ledger = self.services.ledger, let passage = self.passage else {
            return self.perform(self.machine.recorded())
        }
        self.isRecorded = true
        let id = self.id
        self.onLoop {
            await ledger.taken(passage, id: id, reply: reply)
        } then: { () in
            self.perform(self.machine.recorded())
        }
    }

    private func deliver(_ judgement: Judgement) {
        guard let downstream = self.downstream else {
            // Its recipients were taken for the spool.
            return self.perform(self.machine.downstreamFinished(.away(reason: "the mail server was away at RCPT")))
        }
        downstream.deliver(
            header: self.prefix(judgement),
            content: self.content,
            omitting: judgement.forgedFields,
            facts: self.facts
        ) { outcome in
            switch outcome {
            case .away: self.services.spool.noteAway(self.route.name)
            case .accepted(let reply):
                self.services.spool.noteAnswered(self.route.name)
                if !downstream.offersDSN, self.asksForSuccess { self.relayed = reply }
            case .refused: self.services.spool.noteAnswered(self.route.name)
            case .unknown, .internalError: break
            }
            self.perform(self.machine.downstreamFinished(outcome))
        }
    }

    /// The fields that go before the message.
    private func prefix(_ judgement: Judgement) -> [UInt8] {
        let fields = TraceFields(
            hostname: self.snapshot.configuration.hostname,
            id: self.id,
            envelope: self.envelope,
            time: TransactionClock.seconds()
        )
        return fields.prefix(
            for: judgement.decision,
            hits: judgement.findings.hits,
            tagScore: self.policy.tagScore,
            authentication: judgement.senderFields
        )
    }

    private var asksForSuccess: Bool {
        self.envelope.recipients.contains { NotifyRequest($0.notify).contains(.success) }
    }

    /// DSN was offered to the client because the server had it when it was asked last, and it has it no more: whoever asked for a notice
    /// of success hears from us that the message was passed on (RFC 3461 §5.2.2). After the reply: the message is where it is.
    private func tellRelayed(_ judgement: Judgement, _ accepted: SMTPReply) {
        let message = SpooledMessage(
            record: self.record(judgement, kind: .held, prefix: self.prefix(judgement)),
            expires: 0,
            isForged: self.isForged(judgement)
        )
        let results = self.envelope.recipients.indices.map {
            SpoolResult(number: $0, state: .delivered, reply: "\(accepted)")
        }
        let notices = self.services.notices(self.snapshot)
        let content = self.content
        Task { await notices.relayed(message, results, content: content) }
    }

    private func isForged(_ judgement: Judgement) -> Bool {
        SenderStanding(self.envelope.reversePath, judgement.findings.authentication) == .forged
    }

    private func spool(_ judgement: Judgement) {
        let record = self.record(judgement, kind: .held, prefix: self.prefix(judgement))
        let isForged = self.isForged(judgement)
        let content = self.content
        let omitted = judgement.forgedFields
        let spool = self.services.spool
        self.onLoop {
            await spool.keep(record, omitting: omitted, isForged: isForged, content: content)
        } then: { outcome in
            if case .failed(let reason) = outcome {
                self.services.log.warning("A message could not be spooled", id: self.id, error: reason)
            }
            self.perform(self.machine.storeFinished(outcome))
        }
    }

    private func store(_ judgement: Judgement) {
        guard let quarantine = self.services.quarantine else {
            self.perform(self.machine.storeFinished(.failed(reason: "there is no quarantine")))
            return
        }
        let record = self.record(judgement, kind: .held)
        let content = self.content
        self.onLoop {
            await quarantine.hold(record, content: content)
        } then: { outcome in
            if case .failed(let reason) = outcome {
                self.services.log.warning("A message could not be stored", id: self.id, error: reason)
            }
            self.perform(self.machine.storeFinished(outcome))
        }
    }

    /// After the reply: it can neither delay nor change it.
    private func keepCopy(_ judgement: Judgement) {
        guard let quarantine = self.services.quarantine else { return }
        let record = self.record(judgement, kind: .rejectedCopy)
        let content = self.content
        let services = self.services
        Task {
            if let problem = await quarantine.keepCopy(record, content: content) {
                services.log.warning("No copy of a refused message was kept", id: record.id, error: problem)
            }
        }
    }

    private func record(
        _ judgement: Judgement,
        kind: QuarantineRecord.Kind,
        prefix: [UInt8] = []
    ) -> QuarantineRecord {
        var record = judgement.quarantineRecord(
            kind: kind,
            id: self.id,
            envelope: self.envelope,
            route: self.route.name,
            octets: self.content.octets,
            facts: self.facts,
            received: TransactionClock.milliseconds()
        )
        record.prefix = prefix
        return record
    }

    /// Runs work that waits elsewhere and comes back to the event loop with its result.
    private func onLoop<Result: Sendable>(
        _ work: @escaping @Sendable () async -> Result,
        then resume: @escaping (Result) -> Void
    ) {
        let promise = self.eventLoop.makePromise(of: Result.self)
        promise.completeWithTask { await work() }
        promise.futureResult.assumeIsolated().whenSuccess { resume($0) }
    }
}
