import MailTypes
import NIOCore

extension ServerSessionMachine {
    // MARK: - Lines

    enum InputLine: Equatable {
        case text([UInt8])
        case tooLong
    }

    /// Takes the next line away. Only CRLF ends it (RFC 5321 §2.3.8): a bare CR or LF inside makes the whole line wrong,
    /// and no part of it is ever a command of its own.
    mutating func takeLine() -> InputLine? {
        let limit = self.configuration.limits.commandLine
        let view = self.inbound.readableBytesView
        var search = view.startIndex + self.searched
        while let lineFeed = view[search...].firstIndex(of: 0x0a) {
            guard lineFeed > view.startIndex, view[lineFeed - 1] == 0x0d else {
                search = lineFeed + 1
                continue
            }
            let length = lineFeed + 1 - view.startIndex
            let isTooLong = self.skipped + length > limit
            self.skipped = 0
            self.searched = 0
            let bytes = isTooLong ? nil : self.inbound.readBytes(length: length - 2)
            self.inbound.moveReaderIndex(forwardBy: isTooLong ? length : 2)
            self.dropEmptyInbound()
            return bytes.map { .text($0) } ?? .tooLong
        }
        self.searched = view.count
        if self.skipped + view.count > limit {
            // The end may be cut between CR and LF.
            let count = view.last == 0x0d ? view.count - 1 : view.count
            self.inbound.moveReaderIndex(forwardBy: count)
            self.skipped += count
            self.searched = 0
            self.dropEmptyInbound()
        }
        return nil
    }

    mutating func readCommand(_ transaction: Transaction?) -> Bool {
        guard let input = self.takeLine() else {
            guard self.skipped > Self.swallowedLine else { return false }
            self.close(ServerReplies.tooManyErrors, reason: "endless command line")
            return true
        }
        self.counts.commands += 1
        let chunkFailedBefore = self.lastChunkFailed
        self.lastChunkFailed = false
        guard case .text(let bytes) = input else {
            self.refuseCommand(ServerReplies.commandTooLong)
            return true
        }
        do {
            let line = try ServerCommandParser.line(bytes)
            if let reply = self.sequenceError(line.verb, transaction) {
                self.refuseCommand(reply)
            } else if line.verb == .chunk {
                self.readChunkCommand(line, transaction, isBlameless: chunkFailedBefore)
            } else if line.verb == .recipient, let transaction {
                self.readRecipients(line, transaction)
            } else {
                self.carryOut(try ServerCommandParser.command(line, offered: self.offered), transaction)
            }
        } catch {
            self.refuseCommand(ServerReplies.syntax(error))
        }
        return true
    }

    private var offered: OfferedParameters {
        self.session.isExtended
            ? self.session.capabilities.map(OfferedParameters.init) ?? OfferedParameters() : OfferedParameters()
    }

    private mutating func refuseCommand(_ reply: SMTPReply) {
        self.refuse(reply)
        self.countIdleCommand()
        self.closeIfTooManyErrors()
    }

    /// A command that carried no mail forward; a client does not need many of them.
    private mutating func countIdleCommand() {
        self.idleCommands += 1
        guard self.idleCommands > self.configuration.limits.commands else { return }
        // The 421 takes the place of the command's own reply.
        if case .reply? = self.actions.last { self.actions.removeLast() }
        self.close(ServerReplies.tooManyCommands, reason: "too many commands")
    }

    /// What stands against a verb before its argument is looked at. BDAT is judged where its octets are known.
    private func sequenceError(_ verb: ServerVerb, _ transaction: Transaction?) -> SMTPReply? {
        let hasNoTLS = self.configuration.requiresTLS && self.session.client.tls == nil
        switch verb {
        case .mail:
            if hasNoTLS { return ServerReplies.needTLS }
            if self.session.capabilities == nil { return ServerReplies.sendHelloFirst }
            return transaction == nil ? nil : ServerReplies.nestedMail
        case .recipient:
            if hasNoTLS { return ServerReplies.needTLS }
            guard let transaction else { return ServerReplies.needMail }
            return transaction.chunks == nil ? nil : ServerReplies.chunksStarted
        case .data:
            if hasNoTLS { return ServerReplies.needTLS }
            guard let transaction else { return ServerReplies.needMail }
            return transaction.chunks == nil ? self.missingRecipient(transaction) : ServerReplies.mixedDataAndChunks
        case .verify:
            return hasNoTLS ? ServerReplies.needTLS : nil
        case .startTLS:
            if !self.configuration.offersTLS { return ServerReplies.notImplemented }
            if self.session.client.tls != nil { return ServerReplies.alreadySecured }
            if !self.session.isExtended { return ServerReplies.sendExtendedHelloFirst }
            return transaction == nil ? nil : ServerReplies.notInTransaction
        case .xclient:
            if !self.configuration.trustsXCLIENT { return ServerReplies.xclientRefused }
            return transaction == nil ? nil : ServerReplies.notInTransaction
        case .helo, .ehlo, .chunk, .reset, .noop, .help, .quit: return nil
        case .expand, .authenticate, .turn, .extendedTurn, .send, .sendOrMail, .sendAndMail: return nil
        }
    }

    func missingRecipient(_ transaction: Transaction) -> SMTPReply? {
        guard transaction.accepted == 0 else { return nil }
        return transaction.refused == 0 ? ServerReplies.needRecipient : ServerReplies.noValidRecipients
    }

    // MARK: - Carrying out

    private mutating func carryOut(_ command: ServerCommand, _ transaction: Transaction?) {
        switch command {
        case .hello(let domain, let isExtended): self.hello(domain, isExtended: isExtended, transaction)
        case .mail(let mail): self.mail(mail)
        case .data:
            guard let transaction else { return }
            self.stage = "DATA"
            self.ask(.data, .data(transaction))
        case .reset:
            self.endTransaction(transaction)
            self.finish("RSET", ServerReplies.ok)
        case .noop: self.finish("NOOP", ServerReplies.ok)
        case .verify: self.finish("VRFY", ServerReplies.cannotVerify)
        case .help: self.finish("HELP", ServerReplies.help)
        case .quit: self.close(ServerReplies.closing, reason: "quit")
        case .startTLS: self.startTLS()
        case .clientFacts(let facts): self.takeOver(facts)
        case .recipient, .chunk: preconditionFailure("RCPT and BDAT are read in methods of their own")
        }
    }

    private mutating func finish(_ stage: String, _ reply: SMTPReply) {
        self.stage = stage
        self.actions.append(.reply(reply))
        self.countIdleCommand()
    }

    /// A transaction that was open is over and none follows it.
    mutating func endTransaction(_ transaction: Transaction?) {
        if transaction?.chunks != nil { self.actions.append(.discardContent) }
        if transaction != nil { self.actions.append(.transactionReset) }
        self.storageFailed = false
        self.state = .ready(nil)
    }

    private mutating func hello(_ domain: String, isExtended: Bool, _ transaction: Transaction?) {
        self.endTransaction(transaction)
        self.countIdleCommand()
        if case .closed = self.state { return }
        self.stage = isExtended ? "EHLO" : "HELO"
        self.session.capabilities = nil
        self.session.client.helo = domain
        self.session.client.isExtended = isExtended
        self.ask(.hello(self.session.client), .hello)
    }

    private mutating func mail(_ mail: MailCommand) {
        if let size = mail.parameters.size, size > self.sizeLimit {
            self.refuseCommand(ServerReplies.tooLarge)
            return
        }
        self.stage = "MAIL"
        self.ask(.mail(mail), .mail(allowsUTF8: mail.parameters.smtpUTF8))
    }

    /// Octets behind STARTTLS end the session. A client waits for the reply before it begins the handshake; what came
    /// earlier is either put there by someone between us and the client or comes from a client whose next words we would
    /// misread, and a session that simply went on would hide both.
    private mutating func startTLS() {
        self.stage = "STARTTLS"
        guard self.inbound.readableBytes == 0 else {
            self.close(ServerReplies.bytesBehindStartTLS, reason: "\(self.inbound.readableBytes) octets behind STARTTLS")
            return
        }
        self.state = .securing
        self.actions.append(.startTLS(ServerReplies.readyForTLS))
    }

    /// XCLIENT begins the session anew, with another client: it has to pass the same gate.
    private mutating func takeOver(_ facts: XClientFacts) {
        self.stage = "XCLIENT"
        self.countIdleCommand()
        if case .closed = self.state { return }
        self.session = Session(client: facts.applied(to: self.session.client))
        self.ask(.connected(self.session.client), .connected(isFirst: false))
    }

    // MARK: - Recipients

    /// RCPT commands that have arrived together make one question; malformed ones among them are answered in their place.
    private mutating func readRecipients(_ first: ServerCommandParser.Line, _ transaction: Transaction) {
        var asked: [Recipient] = []
        var slots: [SMTPReply?] = []
        var line: Result<ServerCommandParser.Line, CommandSyntaxError>? = .success(first)
        while let current = line {
            do {
                let command = try ServerCommandParser.command(
                    try current.get(),
                    offered: self.offered,
                    allowUTF8: transaction.allowsUTF8
                )
                guard case .recipient(let recipient) = command else { preconditionFailure("only RCPT lines are read here") }
                if transaction.accepted + asked.count < self.configuration.limits.recipients {
                    asked.append(recipient)
                    slots.append(nil)
                } else {
                    slots.append(ServerReplies.tooManyRecipients)
                }
            } catch {
                slots.append(ServerReplies.syntax(error))
            }
            // An answer may be no: the bound on recipients is looked at again with the next command.
            let isFull = transaction.accepted + asked.count >= self.configuration.limits.recipients
            line = isFull || slots.count >= Self.recipientBatch ? nil : self.takeRecipientLine()
        }
        self.stage = "RCPT"
        if asked.isEmpty {
            self.giveRecipientReplies(slots, [], transaction)
        } else {
            self.ask(.recipients(asked), .recipients(slots, transaction))
        }
    }

    /// The next line if it is there as a whole and starts with `RCPT `.
    private mutating func takeRecipientLine() -> Result<ServerCommandParser.Line, CommandSyntaxError>? {
        guard let start = self.inbound.getBytes(at: self.inbound.readerIndex, length: 5),
            start.map(ServerCommandParser.upperCase) == Array("RCPT ".utf8), let input = self.takeLine()
        else { return nil }
        self.counts.commands += 1
        guard case .text(let bytes) = input else { return .failure(.malformedLine) }
        do {
            return .success(try ServerCommandParser.line(bytes))
        } catch {
            return .failure(error)
        }
    }

    mutating func giveRecipientReplies(_ slots: [SMTPReply?], _ answers: [SMTPReply], _ transaction: Transaction) {
        var transaction = transaction
        var answers = answers[...]
        for slot in slots {
            var reply = slot ?? answers.popFirst() ?? ServerReplies.internalError
            if reply.isIntermediate || slot != nil && reply.isPositive { reply = ServerReplies.internalError }
            if reply.isPositive { transaction.accepted += 1 } else { transaction.refused += 1 }
            self.refuse(reply)
            if self.recentErrors >= self.configuration.limits.errors { break }
        }
        self.state = .ready(transaction)
        self.closeIfTooManyErrors()
    }
}
