import ContentStorage
import Logging
import MailPolicy
import MailTypes
import NIOCore
import SMTPClient
import SMTPCore
import SMTPServer
import SenderReputation

/// Answers the questions of one connection: who may connect, which recipients are ours and where they go, and what
/// becomes of each message. Lives on its connection's event loop.
final class SessionCoordinator: SMTPSession {
    /// What lasts from MAIL to the final reply.
    private struct Transaction {
        var id: TransactionID
        var mail: MailCommand
        let places: TransactionPlaces
        /// Fixed by the first recipient that is passed downstream.
        var group: RecipientGroup?
        var downstream: DownstreamTransaction?
        var recipients: [Recipient] = []
        /// The downstream is away, and the route is backed up: what is taken goes to the spool.
        var isSpooled = false
        let stopwatch = Stopwatch()
        /// What the DNS says of the sender; under way from MAIL on.
        var senderQuestion: SenderAuthentication.EnvelopeQuestion?
        var reputationQuestion: ClientReputation.EnvelopeQuestion?
        /// The log has told that its recipients are refused.
        var isRefusalTold = false
    }

    private let snapshot: GatewaySnapshot
    private let services: GatewayServices
    private let eventLoop: any EventLoop
    private let downstreams: DownstreamPool
    private var client: ClientIdentity
    private var transaction: Transaction?
    /// What the DNS says of the client; under way since it is there.
    private var clientQuestion: ClientReputation.ClientQuestion?
    /// The message that is being judged or handed on.
    private var fate: MessageFate?
    /// Messages that were taken, while nothing shows that the client knows it.
    private var unheard: [Ledger.Passage] = []
    private var isClientGone = false
    private let began = ContinuousClock.now

    init(
        client: ClientIdentity,
        snapshot: GatewaySnapshot,
        services: GatewayServices,
        downstreams: DownstreamPool,
        eventLoop: any EventLoop
    ) {
        self.client = client
        self.snapshot = snapshot
        self.services = services
        self.downstreams = downstreams
        self.eventLoop = eventLoop
    }

    func ask(_ question: ServerQuestion, content: MessageContent?, answer: @escaping (ServerAnswer) -> Void) {
        switch question {
        case .connected(let client):
            self.client = client
            self.greet(answer)
        case .hello(let client):
            self.client = client
            answer(.capabilities(self.capabilities))
        case .mail(let command):
            self.begin(command, answer: answer)
        case .recipients(let recipients):
            self.screen(recipients, answer: answer)
        case .data:
            answer(self.services.inspector.mayTakeMessage() ? .proceed : .replies([PolicyReply.overloaded]))
        case .message(let facts):
            guard let content else { preconditionFailure("a message without content") }
            self.judge(content, facts: facts, answer: answer)
        }
    }

    func transactionReset() {
        self.transaction?.downstream?.abort()
        // A message that is being judged keeps its places, also when its client has gone.
        if self.fate == nil { self.transaction?.places.end() }
        self.transaction = nil
    }

    func repliesHeard() {
        for passage in self.unheard { self.services.ledger?.heard(passage) }
        self.unheard = []
    }

    func connectionClosed(_ summary: ConnectionSummary) {
        self.isClientGone = true
        self.fate?.clientLeft()
        for passage in self.unheard { self.services.ledger?.clientLeft(passage) }
        self.transactionReset()
        self.services.log.connectionClosed(summary)
    }

    // MARK: - Connect, EHLO, MAIL

    private func greet(_ answer: @escaping (ServerAnswer) -> Void) {
        let lists = self.services.lists.gate(with: self.snapshot)
        if let match = lists.atConnect(client: self.client.address, now: Self.now) {
            self.services.log.refused(Self.hostDenied, client: self.client, by: .list(match))
            answer(.close(Self.hostDenied))
            return
        }
        guard self.services.inspector.mayTakeConnection() else {
            self.services.log.refused(Self.busy, client: self.client, by: .overload)
            answer(.close(Self.busy))
            return
        }
        self.count([self.snapshot.rates.connection(from: self.client.address)]) { overruns in
            guard let overrun = overruns.compactMap({ $0 }).first else {
                self.clientQuestion = self.snapshot.reputation?.begin(self.client)
                self.greetUnlessListed(answer)
                return
            }
            self.services.log.refused(overrun.reply, client: self.client, by: .limit(overrun))
            answer(.close(overrun.reply))
        }
    }

    /// Where lists in the DNS alone may keep a client out, and nothing that it could say would change that, the greeting waits for
    /// them a while. Answers that come later count at RCPT.
    private func greetUnlessListed(_ answer: @escaping (ServerAnswer) -> Void) {
        guard let reputation = self.snapshot.reputation, let wait = reputation.greetingWait,
            let question = self.clientQuestion,
            !self.services.lists.gate(with: self.snapshot).mayAllow(client: self.client.address, now: Self.now)
        else { return answer(.proceed) }
        var isOpen = true
        let deadline = self.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            isOpen = false
            answer(.proceed)
        }
        self.onLoop {
            await question.lists.value
        } then: { findings in
            guard isOpen else { return }
            deadline.cancel()
            guard let refusal = reputation.policy.greetingRefusal(by: findings.entries) else { return answer(.proceed) }
            let reply = SMTPReply.permanent(.transactionFailed, (7, 1), refusal.text)
            self.services.log.refused(reply, client: self.client, by: .reputation("\(refusal.list): \(refusal.text)"))
            answer(.close(reply))
        }
    }

    /// What every route can carry: a client that is told more would have its mail refused later.
    private var capabilities: ServerCapabilities {
        var result = ServerCapabilities(size: self.snapshot.maximumMessageSize, eightBitMIME: true, smtpUTF8: true, dsn: true)
        for route in self.snapshot.downstreamRoutes {
            guard let known = self.services.directory.capabilities(of: route) else {
                // A server that was never reached: promise what practically all have, and no more.
                result.smtpUTF8 = false
                result.dsn = false
                continue
            }
            result.eightBitMIME = result.eightBitMIME && known.eightBitMIME
            result.smtpUTF8 = result.smtpUTF8 && known.smtpUTF8
            result.dsn = result.dsn && known.dsn
            if let size = known.size, size > 0 { result.size = min(result.size, size) }
        }
        return result
    }

    private func begin(_ mail: MailCommand, answer: @escaping (ServerAnswer) -> Void) {
        let facts = SenderFacts(client: self.client.address, helo: self.client.helo, reversePath: mail.reversePath)
        if let match = self.services.lists.gate(with: self.snapshot).atMail(facts, now: Self.now) {
            self.services.log.refused(Self.senderDenied, client: self.client, from: mail.reversePath, by: .list(match))
            answer(.replies([Self.senderDenied]))
            return
        }
        let places = TransactionPlaces(self.services.transactions, limits: self.snapshot.configuration.limits.transactions)
        if let full = places.begin(sender: mail.reversePath) {
            self.services.log.refused(full.refusal, client: self.client, from: mail.reversePath, by: .atOnce(full))
            answer(.replies([full.refusal]))
            return
        }
        self.count([self.snapshot.rates.message(from: self.client.address, sender: mail.reversePath)]) { overruns in
            if let overrun = overruns.compactMap({ $0 }).first {
                places.end()
                self.services.log.refused(overrun.reply, client: self.client, from: mail.reversePath, by: .limit(overrun))
                answer(.replies([overrun.reply]))
                return
            }
            guard !self.isClientGone else {
                places.end()
                return answer(.replies([Self.localError]))
            }
            self.transaction = Transaction(id: self.services.clock.nextID(), mail: mail, places: places)
            self.transaction?.senderQuestion = self.snapshot.authentication?
                .begin(client: self.client, reversePath: mail.reversePath)
            self.transaction?.reputationQuestion = self.snapshot.reputation?
                .begin(self.client, reversePath: mail.reversePath, self.clientQuestion)
            answer(.replies([Self.senderOK]))
        }
    }

    // MARK: - RCPT

    /// Lists, bounds and rates, before anything goes downstream.
    private func screen(_ asked: [Recipient], answer: @escaping (ServerAnswer) -> Void) {
        guard let transaction = self.transaction else { preconditionFailure("RCPT outside a transaction") }
        let sender = transaction.mail.reversePath
        var facts = SenderFacts(client: self.client.address, helo: self.client.helo, reversePath: sender)
        let ours = asked.map(\.forwardPath).filter { self.snapshot.recipients.group(for: $0) != nil }
        self.spf(of: transaction, for: ours, facts) { spf in
            facts.spf = spf
            let lists = self.services.lists.gate(with: self.snapshot)
            var refusals = [SMTPReply?](repeating: nil, count: asked.count)
            func refuse(_ index: Int, _ reply: SMTPReply, by cause: EarlyCause) {
                refusals[index] = reply
                self.services.log.refused(reply, client: self.client, from: sender, to: asked[index].forwardPath, by: cause)
            }
            var domains: Set<OpenTransactionPlace> = []
            for (index, recipient) in asked.enumerated() where ours.contains(recipient.forwardPath) {
                if let match = lists.atRecipient(facts, recipient: recipient.forwardPath, now: Self.now) {
                    refuse(index, Self.senderDenied, by: .list(match))
                } else if let full = transaction.places.add(recipient.forwardPath, new: &domains) {
                    refuse(index, full.refusal, by: .atOnce(full))
                }
            }
            let charges = zip(asked, refusals).map { recipient, refusal -> [RateCharge] in
                guard refusal == nil, ours.contains(recipient.forwardPath) else { return [] }
                return self.snapshot.rates.recipient(recipient.forwardPath, from: self.client.address, sender: sender)
            }
            // Whoever is refused from here on leaves the place of its domain to others.
            let settled = { [domains] (replies: [SMTPReply]) in
                transaction.places.settle(domains, zip(asked, replies).filter { $0.1.isPositive }.map(\.0.forwardPath))
                answer(.replies(replies))
            }
            self.count(charges) { overruns in
                for (index, overrun) in overruns.enumerated() {
                    if let overrun { refuse(index, overrun.reply, by: .limit(overrun)) }
                }
                guard self.transaction?.id == transaction.id else {
                    // The client has gone meanwhile.
                    settled(asked.map { _ in Self.localError })
                    return
                }
                self.admit(asked, refusals: refusals, facts, answer: settled)
            }
        }
    }

    /// Where what the DNS says can refuse, the first recipient waits for it. Recipients are refused, not the client: so postmaster
    /// stays within reach, and senders on the allow list.
    private func admit(
        _ asked: [Recipient],
        refusals: [SMTPReply?],
        _ facts: SenderFacts,
        answer: @escaping ([SMTPReply]) -> Void
    ) {
        let affected = asked.indices.filter { index in
            refusals[index] == nil && !asked[index].isPostmaster
                && self.snapshot.recipients.group(for: asked[index].forwardPath) != nil
        }
        guard let transaction = self.transaction, let question = transaction.reputationQuestion, !affected.isEmpty,
            let reputation = self.snapshot.reputation, reputation.policy.mayRefuse
        else { return self.add(asked, refusals: refusals, answer: answer) }
        let senderQuestion = transaction.senderQuestion
        self.onLoop {
            let findings = await question.value
            // An entry of the allow list may need SPF's word.
            return (findings, reputation.refusal(findings) == nil ? nil : await senderQuestion?.value.mailFrom)
        } then: { findings, spf in
            guard self.transaction?.id == transaction.id else {
                return answer(asked.map { _ in Self.localError })
            }
            guard let hit = reputation.refusal(findings), let reply = hit.action?.reply else {
                return self.add(asked, refusals: refusals, answer: answer)
            }
            var facts = facts
            facts.spf = spf
            let lists = self.services.lists.gate(with: self.snapshot)
            var refusals = refusals
            for index in affected {
                let match = lists.match(facts, recipients: [asked[index].forwardPath], now: Self.now)
                if match?.entry.action != .allow { refusals[index] = reply }
            }
            if self.transaction?.isRefusalTold == false {
                self.transaction?.isRefusalTold = true
                self.services.log.refused(
                    reply,
                    client: self.client,
                    from: transaction.mail.reversePath,
                    by: .reputation("\(hit.rule): \(hit.description)")
                )
            }
            self.add(asked, refusals: refusals, answer: answer)
        }
    }

    /// SPF's answer, where it can refuse somebody; else nil at once.
    private func spf(
        of transaction: Transaction,
        for recipients: [ForwardPath],
        _ facts: SenderFacts,
        then resume: @escaping (SPFFinding?) -> Void
    ) {
        guard let question = transaction.senderQuestion,
            self.services.lists.gate(with: self.snapshot).dependsOnSPF(facts, recipients: recipients, now: Self.now)
        else {
            resume(nil)
            return
        }
        self.onLoop {
            await question.value.mailFrom
        } then: {
            resume($0)
        }
    }

    /// Takes the tokens of each event; nil for those that may go on.
    private func count(_ events: [[RateCharge]], then resume: @escaping ([RateOverrun?]) -> Void) {
        guard events.contains(where: { !$0.isEmpty }) else {
            resume(events.map { _ in nil })
            return
        }
        let rates = self.services.rates
        self.onLoop {
            await rates.take(events)
        } then: {
            resume($0)
        }
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

    private static var now: Int64 { Int64(TransactionClock.milliseconds()) }

    /// - Parameter refusals: replies to recipients that are refused already.
    private func add(_ asked: [Recipient], refusals: [SMTPReply?], answer: @escaping ([SMTPReply]) -> Void) {
        guard var transaction = self.transaction else { preconditionFailure("RCPT outside a transaction") }
        let lists = self.services.lists.gate(with: self.snapshot)
        var replies = refusals
        var passed: [Int] = []
        for (index, recipient) in asked.enumerated() where refusals[index] == nil {
            guard var group = self.snapshot.recipients.group(for: recipient.forwardPath) else {
                replies[index] = Self.relayingDenied
                continue
            }
            group.lists = lists.scopeKey(of: recipient.forwardPath, client: self.client.address, now: Self.now)
            guard transaction.group == nil || transaction.group == group else {
                replies[index] = Self.otherGroup
                continue
            }
            if let size = transaction.mail.parameters.size, size > self.snapshot.policy(named: group.policy).maxMessageSize {
                replies[index] = Self.tooLarge
                continue
            }
            transaction.group = group
            passed.append(index)
        }
        guard !passed.isEmpty, let group = transaction.group else {
            answer(replies.compactMap { $0 })
            return
        }
        let spools = group.route.whenAway == .spool
        if spools, transaction.isSpooled || self.services.spool.isAway(group.route) {
            self.transaction = transaction
            let taken = self.spooled(passed.map { asked[$0] })
            for (index, reply) in zip(passed, taken) { replies[index] = reply }
            return answer(replies.map { $0 ?? Self.localError })
        }
        let downstream =
            transaction.downstream
            ?? self.downstreams.begin(transaction.mail, client: self.client, route: self.snapshot.downstreamRoute(group.route))
        transaction.downstream = downstream
        self.transaction = transaction
        downstream.add(passed.map { asked[$0] }) { answers in
            if spools, downstream.isAway, self.transaction?.id == transaction.id {
                self.services.spool.noteAway(group.route.name)
                let taken = self.spooled(passed.map { asked[$0] })
                for (index, reply) in zip(passed, taken) { replies[index] = reply }
                return answer(replies.map { $0 ?? Self.localError })
            }
            for (index, reply) in zip(passed, answers) {
                replies[index] = reply
            }
            self.recipientsAnswered(passed.map { asked[$0] }, answers, of: transaction.id)
            answer(replies.map { $0 ?? Self.localError })
        }
    }

    /// Recipients of a server that is away: taken, unless there is no room to keep their mail. Those that the server had taken
    /// before it went away stay.
    private func spooled(_ asked: [Recipient]) -> [SMTPReply] {
        guard self.services.spool.hasRoom else { return asked.map { _ in Self.noRoom } }
        self.transaction?.downstream?.abort()
        self.transaction?.downstream = nil
        self.transaction?.isSpooled = true
        self.transaction?.recipients += asked
        return asked.map { _ in Self.keptForRecipient }
    }

    private func recipientsAnswered(_ asked: [Recipient], _ replies: [SMTPReply], of id: TransactionID) {
        guard self.transaction?.id == id else { return }
        self.transaction?.recipients += zip(asked, replies).filter { $0.1.isPositive }.map(\.0)
        if self.transaction?.recipients.isEmpty == true {
            // Nobody was taken: the next recipient may be of another group.
            self.transaction?.downstream?.abort()
            self.transaction?.downstream = nil
            self.transaction?.group = nil
        }
    }

    // MARK: - End of data

    private func judge(_ content: MessageContent, facts: ContentFacts, answer: @escaping (ServerAnswer) -> Void) {
        guard let transaction = self.transaction, let group = transaction.group else {
            preconditionFailure("content outside a transaction")
        }
        // The transaction ends with the final reply; what the client sends next belongs to another.
        let fate = MessageFate(
            id: transaction.id,
            envelope: Envelope(
                origin: .session(receiver: self.snapshot.configuration.hostname),
                client: self.client,
                reversePath: transaction.mail.reversePath,
                parameters: transaction.mail.parameters,
                recipients: transaction.recipients
            ),
            content: content,
            facts: facts,
            route: group.route,
            policy: self.snapshot.policy(named: group.policy),
            snapshot: self.snapshot,
            services: self.services,
            downstream: transaction.downstream,
            downstreams: self.downstreams,
            eventLoop: self.eventLoop,
            sessionBegan: self.began,
            stopwatch: transaction.stopwatch,
            senderQuestion: transaction.senderQuestion,
            reputationQuestion: transaction.reputationQuestion
        )
        self.fate = fate
        fate.decide { reply in
            if !self.isClientGone, let passage = fate.passage { self.unheard.append(passage) }
            self.fate = nil
            transaction.places.end()
            if self.transaction?.id == transaction.id { self.transaction = nil }
            answer(.replies([reply]))
        }
    }
}

extension RequestedAction {
    /// What is said where the message is not waited for; nil: it is taken.
    fileprivate var reply: SMTPReply? {
        switch self {
        case .reject(let text): PolicyReply.refused(text: text)
        case .defer(let text): PolicyReply.deferred(text: text)
        case .tag, .hold, .discard: nil
        }
    }
}

// MARK: - Replies

extension SessionCoordinator {
    private static let senderOK = SMTPReply.success(.ok, (1, 0), "Sender ok")
    private static let hostDenied = SMTPReply.permanent(.transactionFailed, (7, 1), "This host is not accepted here")
    private static let senderDenied = SMTPReply.permanent(.mailboxUnavailable, (7, 1), "This sender is not accepted here")
    private static let relayingDenied = SMTPReply.permanent(.transactionFailed, (7, 1), "Relay access denied")
    private static let otherGroup = SMTPReply.transient(
        .insufficientStorage,
        (5, 3),
        "This recipient needs a transaction of its own, send it again"
    )
    private static let tooLarge = SMTPReply.permanent(.exceededStorage, (3, 4), "Message too large for this recipient")
    private static let noRoom = SMTPReply.transient(
        .insufficientStorage,
        (3, 1),
        "The destination server is away and there is no room to keep more mail for it, try again later"
    )
    private static let keptForRecipient = SMTPReply.success(.ok, (1, 5), "Recipient ok, the destination server is away")
    private static let busy = SMTPReply.transient(.serviceUnavailable, (3, 2), "Too busy, try again later")
    private static let localError = SMTPReply.transient(.localError, (3, 0), "Local error, try again later")
}
