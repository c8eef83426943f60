import MailTypes

/// How a connection to a downstream server is set up.
package struct ClientSessionSettings: Hashable, Sendable {
    package enum Security: Hashable, Sendable {
        case none
        /// STARTTLS when it is offered; a refusal leaves the connection in the clear.
        case opportunistic
        case required
    }

    package var heloName: String
    package var security: Security
    package var sendsXCLIENT: Bool

    package init(heloName: String, security: Security = .none, sendsXCLIENT: Bool = false) {
        self.heloName = heloName
        self.security = security
        self.sendsXCLIENT = sendsXCLIENT
    }
}

/// One connection to a downstream server: the client's side of RFC 5321, for one transaction after the other.
///
/// ```
/// greeting -> hello [-> startTLS -> handshake -> hello] -> idle
/// idle -> transaction (XCLIENT, hello, MAIL, RCPT ..., DATA) -> content -> finalReply -> idle
/// transaction, finalReply -> resetting -> idle
/// any -> closed
/// ```
/// Every `.lost` ends the machine: the connection is to be closed and the machine forgets its transaction.
package struct ClientSessionMachine: Sendable {
    package enum Action: Hashable, Sendable {
        case send([UInt8])
        /// The TLS handler goes in now; everything after it is protected.
        case upgradeToTLS
        /// The connection is set up and idle; sent once.
        case ready(DownstreamCapabilities)
        /// As many replies as recipients were added.
        case answer([SMTPReply])
        /// The server waits for the message.
        case sendContent
        case outcome(DeliveryOutcome)
        /// The transaction is over and the connection may serve another.
        case idle
        /// The connection must be closed. Recipients without an answer and an outcome that is open get theirs from this.
        case lost(ConnectionLoss)
        case close
    }

    /// What the connection waits for, to choose how long.
    package enum Wait: Hashable, Sendable {
        case nothing
        case reply
        case handshake
        case contentProgress
        case finalReply
    }

    private enum HelloPurpose: Hashable {
        case setUp
        case afterTLS
        case afterXCLIENT
    }

    private enum State: Hashable {
        case greeting
        case hello(HelloPurpose, extended: Bool)
        case startTLS
        case handshake
        case idle
        case xclient
        case transaction
        case content
        case finalReply
        case resetting
        case quitting
        case closed
    }

    private let settings: ClientSessionSettings
    private var state = State.greeting
    private var isSecured = false
    private var transaction: ClientTransaction?
    /// XCLIENT is in force, so the next transaction cannot do without it.
    private var speaksForClient = false
    package private(set) var capabilities = DownstreamCapabilities()

    package init(settings: ClientSessionSettings) {
        self.settings = settings
    }

    package var wait: Wait {
        switch self.state {
        case .greeting, .hello, .startTLS, .xclient, .resetting, .quitting: .reply
        case .handshake: .handshake
        case .transaction: self.transaction?.awaited == nil ? .nothing : .reply
        case .content: .contentProgress
        case .finalReply: .finalReply
        case .idle, .closed: .nothing
        }
    }

    package var isClosed: Bool { self.state == .closed }
}

// MARK: - Events of the connection

extension ClientSessionMachine {
    /// - Parameter unread: octets that came behind this reply.
    package mutating func received(_ reply: SMTPReply, unread: Int) -> [Action] {
        if reply.code == 421, self.state != .quitting { return self.leave(reply) }
        switch self.state {
        case .greeting:
            guard reply.code == 220 else { return self.lose(self.refusal(reply)) }
            return self.sendHello(.setUp)
        case .hello(let purpose, let extended):
            return self.helloAnswered(reply, purpose, extended)
        case .startTLS:
            return self.startTLSAnswered(reply, unread: unread)
        case .xclient:
            return self.xclientAnswered(reply)
        case .transaction:
            return self.transactionAnswered(reply)
        case .content:
            // Too early: the dot is not sent. A refusal is believed, but the connection cannot be got out of the message.
            let outcome =
                reply.isTransientFailure || reply.isPermanentFailure
                ? DeliveryOutcome.refused(reply) : .away(reason: ConnectionLoss.unexpected(reply).reason)
            self.end()
            return [.outcome(outcome), .close]
        case .finalReply:
            return self.finished(reply)
        case .resetting:
            guard reply.code == 250 else { return self.lose(.unexpected(reply)) }
            return self.becomeIdle()
        case .quitting:
            self.end()
            return [.close]
        case .idle, .handshake:
            return self.lose(.unexpected(reply))
        case .closed:
            return []
        }
    }

    package mutating func received(_ error: ReplyError) -> [Action] {
        self.state == .closed ? [] : self.lose(.malformed(error))
    }

    package mutating func tlsEstablished() -> [Action] {
        guard self.state == .handshake else { return [] }
        self.isSecured = true
        // RFC 3207 §4.2: what was learnt in the clear counts no more.
        self.capabilities = DownstreamCapabilities()
        return self.sendHello(.afterTLS)
    }

    package mutating func tlsFailed(_ reason: String) -> [Action] {
        self.state == .closed ? [] : self.lose(.insecure(reason))
    }

    package mutating func closed() -> [Action] {
        switch self.state {
        case .closed: return []
        case .quitting:
            self.end()
            return [.close]
        case .handshake: return self.lose(.insecure("connection closed in the handshake"))
        default: return self.lose(.closed)
        }
    }

    /// The server took longer than the wait allows.
    package mutating func timedOut() -> [Action] {
        switch self.state {
        case .closed, .idle: return []
        case .handshake: return self.lose(.insecure("the handshake took too long"))
        case .quitting:
            self.end()
            return [.close]
        default: return self.lose(.timedOut)
        }
    }
}

// MARK: - Wishes of the transaction's owner

extension ClientSessionMachine {
    /// Starts a transaction on an idle connection; nothing is sent before there are recipients.
    package mutating func begin(_ mail: MailCommand, client: ClientIdentity) {
        precondition(self.state == .idle, "a transaction starts on an idle connection")
        self.transaction = ClientTransaction(mail: mail, client: client)
        self.state = .transaction
    }

    /// Passes recipients on. The earlier ones must have been answered.
    package mutating func add(_ recipients: [Recipient]) -> [Action] {
        guard self.state == .transaction, var transaction = self.transaction else { return [] }
        transaction.add(recipients)
        self.transaction = transaction
        let offered = self.capabilities.xclient
        if self.settings.sendsXCLIENT, !transaction.isIntroduced, !offered.isEmpty || self.speaksForClient {
            // An earlier client's attributes are in force and cannot be replaced.
            guard !offered.isEmpty else { return self.lose(.closed) }
            self.state = .xclient
            self.speaksForClient = true
            return [.send(DownstreamCommand.xclient(transaction.client, offered: offered))]
        }
        return self.proceed()
    }

    /// Asks for the message: DATA.
    package mutating func startContent(_ facts: ContentFacts) -> [Action] {
        guard self.state == .transaction, self.transaction != nil else { return [] }
        if facts.has8Bit, !self.capabilities.eightBitMIME {
            return [.outcome(.refused(DownstreamReply.needs8BitMIME))] + self.reset()
        }
        self.transaction?.wantsContent = true
        return self.proceed()
    }

    /// The end mark goes out now: from here on the server may have the message.
    package mutating func contentEnds() {
        if self.state == .content { self.state = .finalReply }
    }

    /// The message cannot be read to its end. Nothing was taken, since the end mark is not sent.
    package mutating func contentFailed(_ reason: String) -> [Action] {
        guard self.state == .content else { return [] }
        self.end()
        return [.outcome(.internalError(reason)), .close]
    }

    /// Drops the transaction. Once the end mark is sent there is nothing left to drop.
    package mutating func abort() -> [Action] {
        switch self.state {
        case .transaction:
            if self.transaction?.isWaitingForContentReply == true { return self.lose(.abandoned) }
            self.transaction?.isAborted = true
            return self.proceed()
        case .xclient, .hello(.afterXCLIENT, _), .content:
            return self.lose(.abandoned)
        default:
            return []
        }
    }

    /// Takes leave of the server; only an idle connection is asked to.
    package mutating func quit() -> [Action] {
        guard self.state == .idle else { return [] }
        self.state = .quitting
        return [.send(DownstreamCommand.quit)]
    }
}

// MARK: - Steps

extension ClientSessionMachine {
    private mutating func sendHello(_ purpose: HelloPurpose, extended: Bool = true) -> [Action] {
        self.state = .hello(purpose, extended: extended)
        var name = self.settings.heloName
        // Behind XCLIENT the greeting is the client's: Postfix takes the name for its checks and its Received field.
        if purpose == .afterXCLIENT, let client = self.transaction?.client.helo, Self.isHelloName(client) { name = client }
        return [.send(DownstreamCommand.hello(name, extended: extended))]
    }

    private static func isHelloName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255 && name.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }

    private mutating func helloAnswered(_ reply: SMTPReply, _ purpose: HelloPurpose, _ extended: Bool) -> [Action] {
        guard reply.code == 250 else {
            // RFC 5321 §3.2: a server that does not know EHLO is asked with HELO.
            if extended, reply.isPermanentFailure { return self.sendHello(purpose, extended: false) }
            return purpose == .afterXCLIENT ? self.clientRefused(reply) : self.lose(self.refusal(reply))
        }
        self.capabilities = extended ? DownstreamCapabilities(ehlo: reply) : DownstreamCapabilities()
        switch purpose {
        case .afterXCLIENT:
            self.state = .transaction
            self.transaction?.isIntroduced = true
            return self.proceed()
        case .setUp where self.settings.security != .none:
            if self.capabilities.startTLS {
                self.state = .startTLS
                return [.send(DownstreamCommand.startTLS)]
            }
            if self.settings.security == .required { return self.lose(.insecure("STARTTLS is not offered")) }
            return self.becomeReady()
        case .setUp, .afterTLS:
            return self.becomeReady()
        }
    }

    private mutating func startTLSAnswered(_ reply: SMTPReply, unread: Int) -> [Action] {
        guard reply.code == 220 else {
            if self.settings.security == .opportunistic, reply.isTransientFailure || reply.isPermanentFailure {
                return self.becomeReady()
            }
            return self.lose(.insecure("STARTTLS was refused: \(reply)"))
        }
        // Someone put plain text where the handshake must start (RFC 3207 §6).
        guard unread == 0 else { return self.lose(.insecure("plain text behind the reply to STARTTLS")) }
        self.state = .handshake
        return [.upgradeToTLS]
    }

    private mutating func becomeReady() -> [Action] {
        self.state = .idle
        return [.ready(self.capabilities)]
    }

    private mutating func xclientAnswered(_ reply: SMTPReply) -> [Action] {
        guard reply.code == 220 else { return self.clientRefused(reply) }
        return self.sendHello(.afterXCLIENT)
    }

    /// The downstream does not want this client: its words are the answer for each recipient.
    private mutating func clientRefused(_ reply: SMTPReply) -> [Action] {
        guard reply.isTransientFailure || reply.isPermanentFailure else { return self.lose(.unexpected(reply)) }
        self.transaction?.refuseMail(reply)
        let answers = self.transaction?.takeAnswers(self.capabilities) ?? []
        return [.answer(answers)] + self.lose(.unavailable(reply))
    }

    private mutating func transactionAnswered(_ reply: SMTPReply) -> [Action] {
        guard let awaited = self.transaction?.awaited else { return self.lose(.unexpected(reply)) }
        if awaited == .data { return self.dataAnswered(reply) }
        guard self.transaction?.take(reply) == true else { return self.lose(.unexpected(reply)) }
        return self.proceed()
    }

    private mutating func dataAnswered(_ reply: SMTPReply) -> [Action] {
        if reply.code == 354 {
            self.state = .content
            return [.sendContent]
        }
        guard reply.isTransientFailure || reply.isPermanentFailure else { return self.lose(.unexpected(reply)) }
        return [.outcome(.refused(reply))] + self.reset()
    }

    /// Sends what can be sent now, and answers when everything is answered.
    private mutating func proceed() -> [Action] {
        guard var transaction = self.transaction else { return [] }
        defer { if self.transaction != nil { self.transaction = transaction } }
        var actions: [Action] = []
        let bytes = transaction.nextCommands(self.capabilities)
        if !bytes.isEmpty { actions.append(.send(bytes)) }
        guard transaction.awaited == nil else { return actions }
        if transaction.isAborted {
            guard transaction.hasSentMail else { return actions + self.becomeIdle() }
            return actions + self.reset()
        }
        if transaction.hasOpenBatch {
            actions.append(.answer(transaction.takeAnswers(self.capabilities)))
        }
        return actions
    }

    private mutating func reset() -> [Action] {
        self.transaction = nil
        self.state = .resetting
        return [.send(DownstreamCommand.reset)]
    }

    private mutating func becomeIdle() -> [Action] {
        self.transaction = nil
        self.state = .idle
        return [.idle]
    }

    private mutating func finished(_ reply: SMTPReply) -> [Action] {
        if reply.code == 250 {
            return [.outcome(.accepted(reply))] + self.becomeIdle()
        }
        guard reply.isTransientFailure || reply.isPermanentFailure else {
            self.end()
            return [.outcome(.unknown(reason: ConnectionLoss.unexpected(reply).reason)), .close]
        }
        return [.outcome(.refused(reply))] + self.reset()
    }

    /// 421: the server closes after this.
    private mutating func leave(_ reply: SMTPReply) -> [Action] {
        switch self.state {
        case .content, .finalReply:
            self.end()
            return [.outcome(.refused(reply.speakingForDownstream)), .close]
        default:
            return self.lose(.unavailable(reply))
        }
    }

    private func refusal(_ reply: SMTPReply) -> ConnectionLoss {
        reply.isTransientFailure || reply.isPermanentFailure ? .unavailable(reply) : .unexpected(reply)
    }

    private mutating func lose(_ loss: ConnectionLoss) -> [Action] {
        let state = self.state
        self.end()
        switch state {
        case .content: return [.outcome(.away(reason: loss.reason)), .close]
        case .finalReply: return [.outcome(.unknown(reason: loss.reason)), .close]
        default: return [.lost(loss)]
        }
    }

    private mutating func end() {
        self.state = .closed
        self.transaction = nil
    }
}
