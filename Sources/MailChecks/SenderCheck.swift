import MailMessage
import MailTypes

/// Looks at what the client, the envelope and the header say about where a message comes from.
package struct SenderCheck: Sendable {
    /// What the gateway knows about itself.
    package struct Context: Sendable {
        /// Our own name.
        package var hostname: String
        /// A domain whose mail we take, in lower case.
        package var isOwnDomain: @Sendable (String) -> Bool
        /// Clients that may speak in our name.
        package var trusted: [IPNetwork]
        /// More `Received` fields than this are a loop (RFC 5321 §6.3).
        package var receivedFields: Int

        package init(
            hostname: String,
            trusted: [IPNetwork] = [IPNetwork(.loopback4), IPNetwork(.loopback6)],
            receivedFields: Int = 100,
            isOwnDomain: @escaping @Sendable (String) -> Bool = { _ in false }
        ) {
            self.hostname = hostname.lowercased()
            self.isOwnDomain = isOwnDomain
            self.trusted = trusted
            self.receivedFields = receivedFields
        }
    }

    package let context: Context

    package init(_ context: Context) {
        self.context = context
    }

    package func run(_ message: ParsedMessage, envelope: Envelope) -> CheckFindings {
        var symbols = self.helloSymbols(envelope.client)
        symbols += self.envelopeSymbols(envelope)
        symbols += self.headerSymbols(message)
        symbols += self.ownershipSymbols(message, envelope)
        return CheckFindings(check: "sender", hits: symbols.map { $0.hit() })
    }

    private func isTrusted(_ client: ClientIdentity) -> Bool {
        client.login != nil || self.context.trusted.contains { $0.contains(client.address) }
    }

    // MARK: - HELO

    /// What the argument of EHLO or HELO alone gives away; can be asked as soon as it is known.
    package func helloSymbols(_ client: ClientIdentity) -> [CheckSymbol] {
        guard let helo = client.helo?.lowercased(), !self.isTrusted(client) else { return [] }
        if let address = IPAddress(helo) {
            return self.isOurs(address, client) ? [.heloForgesUs] : [.heloBareAddress]
        }
        guard MailAddress.isDomain(helo) else { return [.heloInvalid] }
        if helo.hasPrefix("[") {
            guard let address = SenderCheck.literal(helo) else { return [.heloInvalid] }
            if self.isOurs(address, client) { return [.heloForgesUs] }
            return address == client.address ? [] : [.heloLiteralMismatch]
        }
        if helo == self.context.hostname || self.context.isOwnDomain(helo) { return [.heloForgesUs] }
        return helo.contains(".") ? [] : [.heloNotFQDN]
    }

    /// A client that gives the address it connected to as its own; one on our host would be trusted.
    private func isOurs(_ address: IPAddress, _ client: ClientIdentity) -> Bool {
        address == client.localAddress && address != client.address
    }

    /// RFC 5321 §4.1.3
    private static func literal(_ text: String) -> IPAddress? {
        let inner = text.dropFirst().dropLast()
        return IPAddress(inner.hasPrefix("ipv6:") ? inner.dropFirst(5) : inner)
    }

    // MARK: - Envelope

    func envelopeSymbols(_ envelope: Envelope) -> [CheckSymbol] {
        guard let address = envelope.reversePath.address else {
            // A notification answers one message of one sender.
            return envelope.recipients.count > 1 ? [.nullSenderManyRecipients] : []
        }
        if address.domain.hasPrefix("[") { return [.reversePathLiteral] }
        return address.domain.contains(".") ? [] : [.reversePathNotFQDN]
    }

    // MARK: - Header

    /// Fields that may stand only once, besides those that have a symbol of their own (RFC 5322 §3.6).
    private static let onceOnly = ["sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "references"]

    func headerSymbols(_ message: ParsedMessage) -> [CheckSymbol] {
        var symbols: [CheckSymbol] = []
        let single: [(String, CheckSymbol, CheckSymbol)] = [
            ("from", .missingFrom, .duplicateFrom), ("date", .missingDate, .duplicateDate),
            ("message-id", .missingMessageID, .duplicateMessageID), ("subject", .missingSubject, .duplicateSubject),
        ]
        for (name, missing, duplicate) in single {
            let count = message.fields(named: name).count
            if count == 0 { symbols.append(missing) }
            if count > 1 { symbols.append(duplicate) }
        }
        if Self.onceOnly.contains(where: { message.fields(named: $0).count > 1 }) { symbols.append(.duplicateOther) }
        if let date = message.fields(named: "date").first, !DateSyntax.isDate(message.unfoldedValue(of: date)) {
            symbols.append(.invalidDate)
        }
        symbols += self.fromSymbols(message)
        if message.fields(named: "received").count > self.context.receivedFields { symbols.append(.routingLoop) }
        return symbols
    }

    private func fromSymbols(_ message: ParsedMessage) -> [CheckSymbol] {
        let fields = message.fields(named: "from")
        guard !fields.isEmpty else { return [] }
        let addresses = SenderCheck.headerFrom(message)
        if addresses.isEmpty { return [.fromWithoutAddress] }
        return fields.count == 1 && addresses.count > 1 && message.fields(named: "sender").isEmpty ? [.fromWithoutSender] : []
    }

    /// The valid addresses of all From fields: for lists and for whose name is used.
    package static func headerFrom(_ message: ParsedMessage) -> [MailAddress] {
        message.fields(named: "from").flatMap { message.mailboxes(in: $0) }
            .compactMap { MailAddress($0.address, allowUTF8: true) }.filter { !$0.domain.isEmpty }
    }

    // MARK: - Our own domains

    /// Mail in our name from outside. Forwarders and mailing lists do that honestly in From: it weighs less there.
    private func ownershipSymbols(_ message: ParsedMessage, _ envelope: Envelope) -> [CheckSymbol] {
        guard !self.isTrusted(envelope.client) else { return [] }
        if let address = envelope.reversePath.address, self.context.isOwnDomain(address.domain) { return [.ownDomainForged] }
        return SenderCheck.headerFrom(message).contains { self.context.isOwnDomain($0.domain) } ? [.ownDomainInFrom] : []
    }
}
