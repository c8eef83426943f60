import ContentStorage
import MailTypes
import NIOCore
import SMTPCore

/// One message's way to a downstream server: recipients while the client waits, the message after the verdict. To be used
/// on the pool's event loop only.
///
/// A connection that was lost before the server was asked for the message is replaced once, with everything said again,
/// as long as the server gives the same answers: nothing was taken yet. The same is done when another transaction waited for
/// the connection while this one's client took its time.
package final class DownstreamTransaction {
    private struct Addition {
        let recipients: [Recipient]
        let completion: ([SMTPReply]) -> Void
    }

    private struct Delivery {
        let content: OutgoingContent
        let facts: ContentFacts
        let completion: (DeliveryOutcome) -> Void
    }

    let mail: MailCommand
    let client: ClientIdentity
    private let pool: RoutePool
    private var connection: DownstreamConnection?
    private var lease: PoolMachine.LeaseID?
    /// The first is on its way, the others wait.
    private var additions: [Addition] = []
    private var delivery: Delivery?
    /// How many of the recipients on the way were accepted before on a connection that is lost.
    private var repeated = 0
    private var isReplaced = false
    /// Its connection went to one that waited; the server knows nothing of it any more.
    private var isParked = false
    /// Since when the client has not said anything that needs the connection; nil while it is used or there is none.
    private(set) var restingSince: NIODeadline?
    /// The downstream failed this transaction for good: the answer to everything that still comes.
    private var failure: SMTPReply?
    private var isOver = false

    /// Recipients that the downstream took, in order.
    package private(set) var acceptedRecipients: [Recipient] = []
    /// No server of the route can be reached, or the one that was asked is gone: nobody has the message, and it may be kept until
    /// one is back. Not when all connections are in use.
    package private(set) var isAway = false
    /// The server that was asked last makes notices of its own, and was given the requests for them (RFC 3461). What a server
    /// without is not told is lost, unless whoever sends the message sees to it (§5.2.2).
    package private(set) var offersDSN = false
    /// Why the downstream could not be asked, in words for the log; nil while it has not failed.
    package private(set) var awayReason: String?

    init(mail: MailCommand, client: ClientIdentity, pool: RoutePool) {
        self.mail = mail
        self.client = client
        self.pool = pool
    }

    package var route: DownstreamRoute { self.pool.route }

    /// Passes recipients on to the downstream.
    /// - Parameter completion: gets as many replies, in order, maybe before this returns; it is not called after `abort`.
    package func add(_ recipients: [Recipient], completion: @escaping ([SMTPReply]) -> Void) {
        self.pool.eventLoop.preconditionInEventLoop()
        guard !recipients.isEmpty else { return completion([]) }
        if self.isOver || self.failure != nil {
            return completion(recipients.map { _ in self.failure ?? DownstreamReply.away })
        }
        self.restingSince = nil
        self.additions.append(Addition(recipients: recipients, completion: completion))
        if self.additions.count == 1 { self.sendRecipients() }
    }

    /// Hands the message over to the recipients that were accepted. Not while replies to recipients are outstanding.
    /// - Parameters:
    ///   - prefix: header fields that go in front, each ended by CRLF.
    ///   - omitted: parts of the content that are left out.
    ///   - completion: called exactly once; the transaction is over then.
    package func deliver(
        header prefix: [UInt8],
        content: MessageContent,
        omitting omitted: [Range<Int>] = [],
        facts: ContentFacts,
        completion: @escaping (DeliveryOutcome) -> Void
    ) {
        self.pool.eventLoop.preconditionInEventLoop()
        guard !self.isOver, self.additions.isEmpty, self.delivery == nil, !self.acceptedRecipients.isEmpty else {
            return completion(.internalError("a message was to be delivered without accepted recipients"))
        }
        if self.failure != nil {
            self.isOver = true
            return completion(.away(reason: self.awayReason ?? ConnectionLoss.closed.reason))
        }
        let outgoing = OutgoingContent(prefix: prefix, content: content, omitting: omitted)
        self.restingSince = nil
        self.delivery = Delivery(content: outgoing, facts: facts, completion: completion)
        if let connection = self.connection {
            connection.deliver(outgoing, facts: facts)
        } else {
            self.takeConnection(isReplacement: !self.isParked)
        }
    }

    /// Gives the connection up while the client takes its time. Only while it rests.
    func park() {
        guard self.restingSince != nil, let connection = self.connection else { return }
        self.restingSince = nil
        self.isParked = true
        self.connection = nil
        connection.forsake()
    }

    /// Gives the transaction up; the connection is reset and used again. May be called at any time, more than once. A
    /// delivery whose end is already sent goes on to its outcome.
    package func abort() {
        self.pool.eventLoop.preconditionInEventLoop()
        guard !self.isOver else { return }
        self.additions = []
        if let lease = self.lease {
            self.lease = nil
            self.pool.cancel(lease)
        }
        self.restingSince = nil
        self.connection?.abort()
        if self.connection?.mayHaveDelivered == true { return }
        self.connection = nil
        self.isOver = true
        self.end(.away(reason: ConnectionLoss.abandoned.reason))
    }
}

// MARK: - Connection

extension DownstreamTransaction {
    private func sendRecipients() {
        guard let addition = self.additions.first else { return }
        if let connection = self.connection {
            self.repeated = 0
            connection.add(addition.recipients)
        } else {
            // One that was lost between two commands of the client.
            self.takeConnection(isReplacement: self.awayReason != nil)
        }
    }

    private func takeConnection(isReplacement: Bool) {
        if isReplacement {
            guard !self.isReplaced else { return self.fail(DownstreamReply.lost) }
            self.isReplaced = true
        }
        let lease = self.pool.makeLease()
        self.lease = lease
        self.pool.lease(lease, fresh: isReplacement) { result in
            self.lease = nil
            switch result {
            case .success(let connection): self.granted(connection)
            case .failure(let failure): self.leaseFailed(failure.failure)
            }
        }
    }

    private func granted(_ connection: DownstreamConnection) {
        self.awayReason = nil
        self.isParked = false
        self.connection = connection
        self.offersDSN = connection.offersDSN
        connection.begin(self)
        self.repeated = self.acceptedRecipients.count
        connection.add(self.acceptedRecipients + (self.additions.first?.recipients ?? []))
    }

    private func leaseFailed(_ failure: PoolMachine.Failure) {
        switch failure {
        case .busy:
            self.awayReason = "all connections to the downstream server are in use"
            self.fail(DownstreamReply.busy)
        case .lost(let loss):
            self.isAway = true
            self.awayReason = loss.reason
            self.fail(loss.replyBeforeReady)
        }
    }

    func answered(_ replies: [SMTPReply]) {
        guard !self.isOver else { return }
        let again = replies.prefix(self.repeated)
        self.repeated = 0
        if let changed = again.first(where: { !$0.isPositive }) {
            // The downstream does not stand by what the client was told.
            self.awayReason = "a recipient that had been accepted is refused on a second connection: \(changed)"
            self.connection?.abort()
            self.connection = nil
            return self.fail(DownstreamReply.lost)
        }
        if !self.additions.isEmpty {
            let addition = self.additions.removeFirst()
            let answers = Array(replies.dropFirst(again.count))
            for (recipient, reply) in zip(addition.recipients, answers) where reply.isPositive {
                self.acceptedRecipients.append(recipient)
            }
            if self.additions.isEmpty { self.restingSince = .now() }
            addition.completion(answers)
            self.sendRecipients()
        } else if let delivery = self.delivery {
            self.connection?.deliver(delivery.content, facts: delivery.facts)
        }
    }

    /// The connection is gone; the server has taken nothing.
    func lost(_ loss: ConnectionLoss, wasUsed: Bool) {
        self.connection = nil
        self.restingSince = nil
        self.awayReason = loss.reason
        guard !self.isOver, !self.additions.isEmpty || self.delivery != nil else { return }
        if loss.isStaleness, !self.isReplaced, wasUsed || !self.acceptedRecipients.isEmpty {
            self.takeConnection(isReplacement: true)
        } else {
            self.isAway = true
            self.fail(loss.reply)
        }
    }

    /// The server has spoken about the message, or cannot any more.
    func ended(_ outcome: DeliveryOutcome) {
        self.connection = nil
        self.end(outcome)
    }

    private func fail(_ reply: SMTPReply) {
        let additions = self.additions
        self.additions = []
        self.failure = reply
        self.end(.away(reason: self.awayReason ?? reply.description))
        for addition in additions {
            addition.completion(addition.recipients.map { _ in reply })
        }
    }

    private func end(_ outcome: DeliveryOutcome) {
        guard let delivery = self.delivery else { return }
        self.delivery = nil
        self.isOver = true
        delivery.completion(outcome)
    }
}
