import MailTypes
import NIOCore

extension ServerSessionMachine {
    func decoder(_ framing: ContentDecoder.Framing) -> ContentDecoder {
        ContentDecoder(
            framing: framing,
            maximumSize: self.sizeLimit,
            maximumLine: self.configuration.limits.textLine,
            bareLineEnds: self.configuration.bareLineEnds
        )
    }

    // MARK: - DATA

    /// The text is read to its true end whatever stands against it: only then is the next octet a command.
    mutating func readData(_ current: ContentDecoder) -> Bool {
        var decoder = current
        let wasRefused = self.isRefused(decoder)
        let output = decoder.next(from: &self.inbound)
        self.dropEmptyInbound()
        self.state = .data(decoder)
        switch output {
        case .starved:
            return false
        case .text(let text):
            self.giveText(text, decoder, wasRefused: wasRefused)
        case .ended:
            self.finishMessage(decoder)
        }
        return true
    }

    private func isRefused(_ decoder: ContentDecoder) -> Bool {
        self.storageFailed || decoder.refusal != nil
    }

    private mutating func giveText(_ text: ByteBuffer, _ decoder: ContentDecoder, wasRefused: Bool) {
        if !self.isRefused(decoder) {
            self.actions.append(.content(text))
        } else if !wasRefused {
            self.actions.append(.discardContent)
        }
    }

    private mutating func finishMessage(_ decoder: ContentDecoder) {
        self.stage = "end of data"
        if let refusal = decoder.refusal {
            self.refuseContent(ServerReplies.refusal(refusal))
        } else if self.storageFailed {
            self.refuseContent(ServerReplies.storageFailed)
        } else {
            self.ask(.message(decoder.facts), .message)
        }
    }

    private mutating func refuseContent(_ reply: SMTPReply) {
        self.counts.refused += 1
        self.storageFailed = false
        self.state = .ready(nil)
        self.actions.append(.discardContent)
        self.actions.append(.transactionReset)
        self.refuse(reply)
        self.closeIfTooManyErrors()
    }

    // MARK: - BDAT

    /// RFC 3030 §2. Once the size is known its octets are never read as commands, whatever the reply will be.
    mutating func readChunkCommand(_ line: ServerCommandParser.Line, _ transaction: Transaction?, isBlameless: Bool) {
        do {
            guard case .chunk(let octets, let isLast) = try ServerCommandParser.command(line, offered: OfferedParameters())
            else { preconditionFailure("only BDAT lines are read here") }
            if let reply = self.chunkError(transaction) {
                self.refuseChunk(octets, reply, transaction, isBlameless: isBlameless)
            } else if let transaction {
                self.stage = "BDAT"
                if transaction.chunks == nil {
                    self.ask(.data, .chunk(octets: octets, isLast: isLast, transaction))
                } else {
                    self.state = .chunk(octets: octets, remaining: octets, isLast: isLast, transaction)
                }
            }
        } catch .badChunk(let octets) {
            self.refuseChunk(octets, ServerReplies.syntax(.badChunk(octets: octets)), transaction, isBlameless: false)
        } catch {
            self.counts.errors += 1
            self.close(ServerReplies.syntax(error), reason: "BDAT without a size")
        }
    }

    private func chunkError(_ transaction: Transaction?) -> SMTPReply? {
        if self.configuration.requiresTLS, self.session.client.tls == nil { return ServerReplies.needTLS }
        guard let transaction else { return ServerReplies.needMail }
        if !self.session.isExtended { return ServerReplies.sendExtendedHelloFirst }
        return transaction.chunks == nil ? self.missingRecipient(transaction) : nil
    }

    /// A failed chunk is the end of its transaction (RFC 3030 §2).
    mutating func refuseChunk(_ octets: Int, _ reply: SMTPReply, _ transaction: Transaction?, isBlameless: Bool) {
        self.endTransaction(transaction)
        if !isBlameless, reply.isPermanentFailure { self.countError() }
        self.state = .swallowing(remaining: octets, reply)
    }

    mutating func swallow(_ remaining: Int, _ reply: SMTPReply) -> Bool {
        let count = min(remaining, self.inbound.readableBytes)
        self.inbound.moveReaderIndex(forwardBy: count)
        self.dropEmptyInbound()
        guard remaining == count else {
            self.state = .swallowing(remaining: remaining - count, reply)
            return false
        }
        self.state = .ready(nil)
        self.lastChunkFailed = true
        self.actions.append(.reply(reply))
        self.closeIfTooManyErrors()
        return true
    }

    mutating func readChunk(octets: Int, remaining: Int, isLast: Bool, _ current: Transaction) -> Bool {
        var transaction = current
        var decoder = current.chunks ?? self.decoder(.counted)
        let wasRefused = self.isRefused(decoder)
        if remaining > 0 {
            guard var piece = self.inbound.readSlice(length: min(remaining, self.inbound.readableBytes)), piece.readableBytes > 0
            else { return false }
            let taken = piece.readableBytes
            self.dropEmptyInbound()
            if case .text(let text) = decoder.next(from: &piece) { self.giveText(text, decoder, wasRefused: wasRefused) }
            transaction.chunks = decoder
            self.state = .chunk(octets: octets, remaining: remaining - taken, isLast: isLast, transaction)
            return true
        }
        if isLast { decoder.finishCounted() }
        transaction.chunks = decoder
        if isLast {
            self.finishMessage(decoder)
        } else if let refusal = decoder.refusal {
            self.failChunk(ServerReplies.refusal(refusal))
        } else if self.storageFailed {
            self.failChunk(ServerReplies.storageFailed)
        } else {
            self.state = .ready(transaction)
            self.actions.append(.reply(ServerReplies.chunkTaken(octets: octets)))
        }
        return true
    }

    private mutating func failChunk(_ reply: SMTPReply) {
        self.lastChunkFailed = true
        self.refuseContent(reply)
    }
}
