import MailTypes

extension ServerSessionMachine {
    /// The answer to the open question. One that does not fit is a defect of ours and becomes a temporary failure.
    package mutating func answered(_ answer: ServerAnswer) {
        guard case .asking(let pending) = self.state else { return }
        if case .close(let reply) = answer {
            self.closeByAnswer(reply, pending)
            return
        }
        switch pending {
        case .connected(let isFirst): self.connectAnswered(answer, isFirst: isFirst)
        case .hello: self.helloAnswered(answer)
        case .mail(let allowsUTF8): self.mailAnswered(answer, allowsUTF8: allowsUTF8)
        case .recipients(let slots, let transaction):
            if case .replies(let replies) = answer {
                self.giveRecipientReplies(slots, replies, transaction)
            } else {
                self.giveRecipientReplies(slots, [], transaction)
            }
        case .data(let transaction): self.dataAnswered(answer, transaction)
        case .chunk(let octets, let isLast, let transaction):
            self.chunkAnswered(answer, octets: octets, isLast: isLast, transaction)
        case .message: self.messageAnswered(answer)
        }
    }

    private mutating func closeByAnswer(_ reply: SMTPReply, _ pending: Pending) {
        if case .message = pending { self.counts.refused += 1 }
        if reply.isPermanentFailure { self.counts.errors += 1 }
        // Nobody may take the last words of a session for an acceptance.
        let last = reply.isPositive && reply.code != 221 || reply.isIntermediate ? ServerReplies.shuttingDown : reply
        self.close(last, reason: "refused after \(self.stage)")
    }

    private mutating func connectAnswered(_ answer: ServerAnswer, isFirst: Bool) {
        guard case .proceed = answer else {
            self.close(self.negative(answer), reason: "refused after \(self.stage)")
            return
        }
        let delay = self.configuration.limits.greetingDelayMilliseconds
        if isFirst, delay > 0 {
            self.state = .holdingGreeting
            self.actions.append(.holdGreeting(milliseconds: delay))
        } else {
            self.greet()
        }
    }

    private mutating func helloAnswered(_ answer: ServerAnswer) {
        self.state = .ready(nil)
        guard case .capabilities(let capabilities) = answer else {
            self.refuse(self.negative(answer))
            self.closeIfTooManyErrors()
            return
        }
        self.session.capabilities = capabilities
        let keywords = self.session.client.isExtended ? self.keywords(capabilities) : []
        self.actions.append(.reply(ServerReplies.hello(hostname: self.configuration.hostname, keywords: keywords)))
    }

    /// What EHLO lists (RFC 5321 §4.1.1.1): exactly what is understood afterwards.
    private func keywords(_ capabilities: ServerCapabilities) -> [String] {
        var keywords = ["PIPELINING", "SIZE \(self.sizeLimit)"]
        if self.configuration.offersTLS, self.session.client.tls == nil { keywords.append("STARTTLS") }
        keywords.append("ENHANCEDSTATUSCODES")
        if capabilities.eightBitMIME { keywords.append("8BITMIME") }
        if capabilities.smtpUTF8 { keywords.append("SMTPUTF8") }
        if capabilities.dsn { keywords.append("DSN") }
        keywords.append("CHUNKING")
        if self.configuration.trustsXCLIENT { keywords.append("XCLIENT \(XClientFacts.attributeNames)") }
        return keywords
    }

    private mutating func mailAnswered(_ answer: ServerAnswer, allowsUTF8: Bool) {
        if case .replies(let replies) = answer, replies.count == 1, replies[0].isPositive {
            self.state = .ready(Transaction(allowsUTF8: allowsUTF8))
            self.actions.append(.reply(replies[0]))
            return
        }
        self.state = .ready(nil)
        self.refuse(self.negative(answer))
        self.closeIfTooManyErrors()
    }

    private mutating func dataAnswered(_ answer: ServerAnswer, _ transaction: Transaction) {
        guard case .proceed = answer else {
            self.endTransaction(transaction)
            self.refuse(self.negative(answer))
            self.closeIfTooManyErrors()
            return
        }
        self.storageFailed = false
        self.state = .data(self.decoder(.stuffed))
        self.actions.append(.reply(SMTPReply.startMailInput))
    }

    private mutating func chunkAnswered(_ answer: ServerAnswer, octets: Int, isLast: Bool, _ current: Transaction) {
        guard case .proceed = answer else {
            self.refuseChunk(octets, self.negative(answer), current, isBlameless: false)
            return
        }
        var transaction = current
        transaction.chunks = self.decoder(.counted)
        self.storageFailed = false
        self.state = .chunk(octets: octets, remaining: octets, isLast: isLast, transaction)
    }

    /// The only place from which a positive reply to a message comes: the session gave it.
    private mutating func messageAnswered(_ answer: ServerAnswer) {
        self.state = .ready(nil)
        self.stage = "end of data"
        if case .replies(let replies) = answer, replies.count == 1, replies[0].isPositive {
            self.counts.accepted += 1
            self.recentErrors = 0
            self.owesHearing = true
            self.actions.append(.reply(replies[0]))
            return
        }
        self.counts.refused += 1
        self.refuse(self.negative(answer))
        self.closeIfTooManyErrors()
    }

    /// The refusal in an answer that was to be one.
    private func negative(_ answer: ServerAnswer) -> SMTPReply {
        guard case .replies(let replies) = answer, replies.count == 1 else { return ServerReplies.internalError }
        return replies[0].isPositive || replies[0].isIntermediate ? ServerReplies.internalError : replies[0]
    }
}
