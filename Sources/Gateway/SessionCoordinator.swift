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
            let refusal = self.snapshot.senders.connectionVerdict(client: client.address)
            self.clientQuestion = refusal == nil ? self.snapshot.reputation?.begin(client) : nil
            answer(refusal.map { .close($0) } ?? .proceed)
        case .hello(let client):
            self.client = client
            answer(.capabilities(self.capabilities))
        case .mail(let command):
            answer(.replies([self.begin(command)]))
        case .recipients(let recipients):
            self.admit(recipients, answer: answer)
        case .data:
            answer(self.services.inspector.isOverloaded ? .replies([Self.overloaded]) : .proceed)
        case .message(let facts):
            guard let content else { preconditionFailure("a message without content") }
            self.judge(content, facts: facts, answer: answer)
        }
    }

    func transactionReset() {
        self.transaction?.downstream?.abort()
        self.transaction = nil
    }

    func connectionClosed(_ summary: ConnectionSummary) {
        self.fate?.clientLeft()
        self.transactionReset()
        self.services.log.connectionClosed(summary)
    }

    // MARK: - EHLO, MAIL

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

    private func begin(_ mail: MailCommand) -> SMTPReply {
        if let refusal = self.snapshot.senders.mailVerdict(client: self.client.address, reversePath: mail.reversePath) {
            return refusal
        }
        self.transaction = Transaction(id: self.services.clock.nextID(), mail: mail)
        self.transaction?.senderQuestion = self.snapshot.authentication?.begin(client: self.client, reversePath: mail.reversePath)
        self.transaction?.reputationQuestion = self.snapshot.reputation?
            .begin(self.client, reversePath: mail.reversePath, self.clientQuestion)
        return Self.senderOK
    }

    // MARK: - RCPT

    /// Where what the DNS says can refuse, the first recipient waits for it. Recipients are refused, not the client: so postmaster
    /// stays within reach, and senders on the allow list.
    private func admit(_ asked: [Recipient], answer: @escaping (ServerAnswer) -> Void) {
        guard let transaction = self.transaction, let question = transaction.reputationQuestion,
            let reputation = self.snapshot.reputation, reputation.policy.mayRefuse,
            asked.contains(where: { !$0.isPostmaster && self.snapshot.recipients.group(for: $0.forwardPath) != nil }),
            self.snapshot.senders.allow.match(client: self.client.address, reversePath: transaction.mail.reversePath) == nil
        else { return self.add(asked, answer: answer) }
        let promise = self.eventLoop.makePromise(of: ReputationFindings.self)
        promise.completeWithTask { await question.value }
        promise.futureResult.assumeIsolated().whenSuccess { findings in
            guard self.transaction?.id == transaction.id else {
                return answer(.replies(asked.map { _ in Self.localError }))
            }
            guard let hit = reputation.refusal(findings), let reply = hit.action?.reply else {
                return self.add(asked, answer: answer)
            }
            if self.transaction?.isRefusalTold == false {
                self.transaction?.isRefusalTold = true
                self.services.log.recipientsRefused(
                    client: self.client,
                    reversePath: transaction.mail.reversePath,
                    reply: reply,
                    reason: "\(hit.rule): \(hit.description)"
                )
            }
            self.add(asked, refused: reply, answer: answer)
        }
    }

    /// - Parameter refused: the answer to all but those that everybody may write to.
    private func add(_ asked: [Recipient], refused: SMTPReply? = nil, answer: @escaping (ServerAnswer) -> Void) {
        guard var transaction = self.transaction else { preconditionFailure("RCPT outside a transaction") }
        var replies = [SMTPReply?](repeating: nil, count: asked.count)
        var passed: [Int] = []
        for (index, recipient) in asked.enumerated() {
            guard let group = self.snapshot.recipients.group(for: recipient.forwardPath) else {
                replies[index] = Self.relayingDenied
                continue
            }
            if let refused, !recipient.isPostmaster {
                replies[index] = refused
                continue
            }
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
            answer(.replies(replies.compactMap { $0 }))
            return
        }
        let spools = group.route.whenAway == .spool
        if spools, transaction.isSpooled || self.services.spool.isAway(group.route) {
            self.transaction = transaction
            let taken = self.spooled(passed.map { asked[$0] })
            for (index, reply) in zip(passed, taken) { replies[index] = reply }
            return answer(.replies(replies.map { $0 ?? Self.localError }))
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
                return answer(.replies(replies.map { $0 ?? Self.localError }))
            }
            for (index, reply) in zip(passed, answers) {
                replies[index] = reply
            }
            self.recipientsAnswered(passed.map { asked[$0] }, answers, of: transaction.id)
            answer(.replies(replies.map { $0 ?? Self.localError }))
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
            eventLoop: self.eventLoop,
            stopwatch: transaction.stopwatch,
            senderQuestion: transaction.senderQuestion,
            reputationQuestion: transaction.reputationQuestion
        )
        self.fate = fate
        fate.decide { reply in
            self.fate = nil
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
    private static let overloaded = SMTPReply.transient(.localError, (3, 2), "Too busy to check the message, try again later")
    private static let localError = SMTPReply.transient(.localError, (3, 0), "Local error, try again later")
}
