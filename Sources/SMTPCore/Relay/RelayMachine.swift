import MailTypes

/// The fate of one received message, from the decision to the reply.
///
/// Events in, actions out:
/// ```
/// judging -> delivering -> [recording] -> finished
///                       -> spooling    -> [recording] -> finished    (the downstream is away, and the route is backed up)
///         -> storing    -> [recording] -> finished
///         -> finished                                  (taken before, reject, defer, discard)
/// ```
/// The positive final reply is made in one place only, `positiveReply(from:)`.
package struct RelayMachine: Sendable {
    /// What must be done next; the outcome comes back as an event.
    package enum Action: Hashable, Sendable {
        /// Send the message downstream; then `downstreamFinished`.
        case deliver(marked: Bool)
        /// End the downstream's transaction and store the message durably; then `storeFinished`.
        case store
        /// The downstream is away: store the message durably for it; then `storeFinished`.
        case spool
        /// Write down that this reply is given, so that a client which does not hear it gets it again; then `recorded`.
        case record(SMTPReply)
        /// Say this. The downstream's transaction, if one is open, is of no more use when `abortsDownstream`; a copy for
        /// review is made after the reply when `keepsCopy`.
        case reply(SMTPReply, abortsDownstream: Bool, keepsCopy: Bool)
    }

    package enum StoreOutcome: Hashable, Sendable {
        /// On the disk, fsynced, row committed.
        case durable
        case full
        case failed(reason: String)
    }

    private enum State: Hashable, Sendable {
        case judging
        case delivering
        case storing
        case spooling
        case recording(SMTPReply)
        case finished
    }

    /// The only two places a message can be in before its sender may forget it, now or by an earlier transaction; and the one
    /// case in which the administrator wants it nowhere.
    private enum Responsibility {
        case downstreamAccepted(SMTPReply)
        case storedDurably
        case spooledDurably
        /// An earlier transaction has taken this message, with this reply.
        case takenBefore(SMTPReply)
        case discardedByPolicy
    }

    private let id: TransactionID
    private let isBackedUp: Bool
    private let recordsReplies: Bool
    private var state = State.judging

    /// - Parameters:
    ///   - isBackedUp: while the downstream is away, its mail is kept here.
    ///   - recordsReplies: positive replies are written down before they are given.
    package init(id: TransactionID, isBackedUp: Bool = false, recordsReplies: Bool = false) {
        self.id = id
        self.isBackedUp = isBackedUp
        self.recordsReplies = recordsReplies
    }

    /// All recipients have had this message before: its client did not hear the reply and sends it again.
    package mutating func takenBefore(_ reply: SMTPReply) -> Action {
        guard case .judging = self.state else { preconditionFailure("decided twice") }
        self.state = .finished
        return .reply(self.positiveReply(from: .takenBefore(reply)), abortsDownstream: true, keepsCopy: false)
    }

    /// An earlier transaction with the same message is not over: whether the message must be taken is not known yet.
    package mutating func underWayElsewhere() -> Action {
        guard case .judging = self.state else { preconditionFailure("decided twice") }
        self.state = .finished
        let reply = SMTPReply.transient(.localError, (3, 0), "This message is being delivered already, try again later")
        return .reply(self.identified(reply), abortsDownstream: true, keepsCopy: false)
    }

    /// Policy has spoken.
    package mutating func decided(_ decision: PolicyDecision) -> Action {
        guard case .judging = self.state else { preconditionFailure("decided twice") }
        switch decision.disposition {
        case .deliver, .tag:
            self.state = .delivering
            return .deliver(marked: decision.disposition == .tag)
        case .hold:
            self.state = .storing
            return .store
        case .reject:
            return self.refuse(
                decision.reply,
                class: 5,
                otherwise: .permanent(.transactionFailed, (7, 1), "Message refused"),
                keepsCopy: decision.keepsCopy
            )
        case .defer:
            return self.refuse(
                decision.reply,
                class: 4,
                otherwise: .transient(.localError, (7, 1), "Message cannot be checked now, try again later"),
                keepsCopy: false
            )
        case .discard:
            self.state = .finished
            return .reply(self.positiveReply(from: .discardedByPolicy), abortsDownstream: true, keepsCopy: false)
        }
    }

    package mutating func downstreamFinished(_ outcome: DeliveryOutcome) -> Action {
        guard case .delivering = self.state else { preconditionFailure("the downstream was not asked") }
        // Nobody has taken anything: it is ours to keep. `unknown` is not: the downstream may have the message.
        if case .away = outcome, self.isBackedUp {
            self.state = .spooling
            return .spool
        }
        let reply: SMTPReply
        switch outcome {
        case .accepted(let downstreamReply):
            reply = self.positiveReply(from: .downstreamAccepted(downstreamReply))
        case .refused(let downstreamReply) where downstreamReply.isTransientFailure || downstreamReply.isPermanentFailure:
            reply = downstreamReply
        case .refused:
            reply = self.unexpectedAnswer
        case .away:
            reply = self.identified(.transient(.localError, (4, 1), "The mail server cannot be reached now, try again later"))
        case .unknown:
            reply = self.identified(
                .transient(.localError, (4, 2), "The connection to the mail server was lost, try again later")
            )
        case .internalError:
            reply = self.identified(.transient(.localError, (3, 0), "Local error, try again later"))
        }
        return self.finish(reply)
    }

    package mutating func storeFinished(_ outcome: StoreOutcome) -> Action {
        guard self.state == .storing || self.state == .spooling else { preconditionFailure("nothing was to be stored") }
        let isSpooled = self.state == .spooling
        let reply: SMTPReply
        switch outcome {
        case .durable:
            reply = self.positiveReply(from: isSpooled ? .spooledDurably : .storedDurably)
        case .full:
            reply = self.identified(.transient(.insufficientStorage, (3, 1), "No room to keep the message, try again later"))
        case .failed:
            reply = self.identified(.transient(.localError, (3, 0), "The message could not be stored, try again later"))
        }
        return self.finish(reply)
    }

    /// The reply is written down, or cannot be: the message is where it is in either case.
    package mutating func recorded() -> Action {
        guard case .recording(let reply) = self.state else { preconditionFailure("nothing was to be recorded") }
        self.state = .finished
        return .reply(reply, abortsDownstream: false, keepsCopy: false)
    }

    private mutating func finish(_ reply: SMTPReply) -> Action {
        if self.recordsReplies, reply.isPositive {
            self.state = .recording(reply)
            return .record(reply)
        }
        self.state = .finished
        return .reply(reply, abortsDownstream: false, keepsCopy: false)
    }

    /// **The 250 rule.** Nothing else in the gateway answers a message with 2xx (RFC 5321 §6.1: a server that has said 250
    /// is responsible for the message).
    private func positiveReply(from responsibility: Responsibility) -> SMTPReply {
        switch responsibility {
        case .downstreamAccepted(let reply) where reply.isPositive:
            reply.code == SMTPReply.Success.ok.rawValue ? reply : self.identified(.success(.ok, (0, 0), "Ok"))
        case .downstreamAccepted:
            self.unexpectedAnswer
        case .storedDurably:
            Self.heldReply(self.id)
        case .spooledDurably:
            Self.spooledReply(self.id)
        case .takenBefore(let reply) where reply.isPositive:
            reply
        case .takenBefore:
            self.unexpectedAnswer
        case .discardedByPolicy:
            self.identified(.success(.ok, (0, 0), "Ok"))
        }
    }

    /// What the client of a message in the quarantine was told.
    package static func heldReply(_ id: TransactionID) -> SMTPReply {
        self.identified(.success(.ok, (0, 0), "Ok, kept for review"), id)
    }

    /// What the client of a message in the spool was told.
    package static func spooledReply(_ id: TransactionID) -> SMTPReply {
        self.identified(.success(.ok, (0, 0), "Ok, queued until the mail server is back"), id)
    }

    /// A 2xx or 3xx in the wrong place says nothing about the message.
    private var unexpectedAnswer: SMTPReply {
        self.identified(.transient(.localError, (3, 0), "The mail server gave an unexpected answer, try again later"))
    }

    private mutating func refuse(_ reply: SMTPReply?, class wanted: Int, otherwise: SMTPReply, keepsCopy: Bool) -> Action {
        self.state = .finished
        let chosen = reply.flatMap { $0.code / 100 == wanted ? $0 : nil } ?? otherwise
        return .reply(self.identified(chosen), abortsDownstream: true, keepsCopy: keepsCopy)
    }

    /// Every reply of our own to a message names the transaction, so that its sender can quote it; the downstream's own
    /// replies pass unchanged.
    private func identified(_ reply: SMTPReply) -> SMTPReply { Self.identified(reply, self.id) }

    private static func identified(_ reply: SMTPReply, _ id: TransactionID) -> SMTPReply { reply.appending("(\(id))") }
}
