import ContentStorage
import DeliveryCore
import Logging
import MailStore
import MailTypes
import OpenSSLKit
import SMTPClient
import SMTPCore

/// Tells senders what became of their mail, by messages that go through the spool themselves (RFC 3464), and says where those go.
struct SpoolNotices: Sendable {
    let spool: Spool
    let quarantine: Quarantine?
    let snapshot: GatewaySnapshot
    let logger: Logger

    /// Routes of notices are named by the domain that they go to, so that one mail server that is away delays no other's.
    private static let routePrefix = "to:"

    // MARK: What has happened

    /// Makes known that recipients were given up or refused, before the spool forgets the message.
    /// - Returns: false when nobody could be told and the message could not be put into the quarantine either: it must stay.
    func failed(_ message: SpooledMessage, _ results: [SpoolResult], reason: String) async -> Bool {
        if Self.isNotice(message.route) {
            // A notice about a notice would go in circles (RFC 5321 §4.5.5); what it says stands in the log.
            self.logger.log(.notice, "a notice could not be delivered", [.id: "\(message.id)", .reason: "\(results[0].reply)"])
            return true
        }
        let events = Dictionary(uniqueKeysWithValues: results.map { ($0.number, DeliveryEvent.failed) })
        for notice in self.decide(message, events) {
            let isDone: Bool
            switch notice.handling {
            case .tell(let address): isDone = await self.tell(message, self.content(of: message), notice, to: address, results)
            case .silent(.notAskedFor), .silent(.alreadyTold): isDone = true
            case .silent, .holdForAdministrator: isDone = await self.hold(message, notice, results, reason: reason)
            }
            guard isDone else { return false }
        }
        return true
    }

    /// Makes known to who asked for it that the message is with a server that makes no notices itself (RFC 3461 §5.2.2). It has
    /// happened: what cannot be told now is not told at all.
    /// - Parameter content: of a message that never lay in the spool.
    func relayed(_ message: SpooledMessage, _ results: [SpoolResult], content: MessageContent? = nil) async {
        let passedOn = results.filter { $0.state == .delivered }
        let events = Dictionary(uniqueKeysWithValues: passedOn.map { ($0.number, DeliveryEvent.relayed) })
        for notice in self.decide(message, events) {
            guard case .tell(let address) = notice.handling else { continue }
            if !(await self.tell(message, content ?? self.content(of: message), notice, to: address, passedOn)) {
                self.logger.log(.warning, "a sender could not be told that its message was passed on", [.id: "\(message.id)"])
            }
        }
    }

    /// Makes known that a message still waits. Once.
    func delayed(_ message: SpooledMessage, _ results: [SpoolResult]) async {
        let events = Dictionary(uniqueKeysWithValues: message.waiting.map { ($0, DeliveryEvent.delayed) })
        for notice in self.decide(message, events) {
            guard case .tell(let address) = notice.handling else { continue }
            _ = await self.tell(message, self.content(of: message), notice, to: address, results)
        }
        // Also where nobody is told: it is decided once.
        try? await self.spool.store.delayReported(message.id)
    }

    private func decide(_ message: SpooledMessage, _ events: [Int: DeliveryEvent]) -> [DeliveryNotice] {
        DeliveryNotice.decide(
            events,
            recipients: message.recipients.map(\.recipient),
            reversePath: message.record.envelope.reversePath,
            standing: message.isForged ? .forged : .unknown,
            history: NoticeHistory(
                isDelayTold: message.isDelayReported,
                settled: Set(message.recipients.indices.filter { message.recipients[$0].state != .waiting })
            )
        )
    }

    // MARK: Deeds

    /// nil: it cannot be read.
    private func content(of message: SpooledMessage) -> MessageContent? { try? self.spool.store.content(of: message) }

    private func hold(_ message: SpooledMessage, _ notice: DeliveryNotice, _ results: [SpoolResult], reason: String) async -> Bool
    {
        guard let quarantine = self.quarantine, let content = self.content(of: message) else { return false }
        var record = message.record
        // Several recipients may be given up at several times, each for itself.
        record.id = self.noticeID(message, notice)
        record.envelope.recipients = notice.recipients.map { message.recipients[$0].recipient }
        record.reason = "\(message.id) \(reason): \(results.first { notice.recipients.contains($0.number) }?.reply ?? "")"
        return await quarantine.keepUndelivered(record, content: content)
    }

    private func tell(
        _ message: SpooledMessage,
        _ content: MessageContent?,
        _ notice: DeliveryNotice,
        to address: MailAddress,
        _ results: [SpoolResult]
    ) async -> Bool {
        guard let bytes = try? content?.bytes() else { return false }
        let hostname = self.snapshot.configuration.hostname
        let now = TransactionClock.milliseconds()
        let id = self.noticeID(message, notice)
        let composed = DeliveryStatus(
            event: notice.event,
            reportingHost: hostname,
            sender: address,
            parameters: message.record.envelope.parameters,
            transaction: message.id,
            recipients: notice.recipients.map { number in
                let reply = results.first { $0.number == number }?.reply ?? message.recipients[number].reply
                return RecipientStatus(
                    message.recipients[number].recipient,
                    event: notice.event,
                    diagnosis: reply.map(Self.diagnosis),
                    lastAttempt: now / 1_000
                )
            },
            original: ReturnedMessage(message.record.prefix + bytes, isWhole: true),
            arrival: Int(message.record.received / 1_000),
            time: now / 1_000,
            retryUntil: notice.event == .delayed ? Int(message.expires / 1_000) : nil,
            seed: UInt64.random(in: 0...UInt64.max)
        ).composed()
        let envelope = Envelope(
            client: ClientIdentity(address: .loopback4, helo: hostname),
            reversePath: .null,
            parameters: composed.parameters,
            recipients: [Recipient(address, notify: "NEVER")]
        )
        let record = QuarantineRecord(
            id: id,
            kind: .held,
            received: Int64(now),
            envelope: envelope,
            route: Self.routePrefix + address.domain.lowercased(),
            policy: message.record.policy,
            reason: "notice about \(message.id): \(notice.event.rawValue)",
            score: 0,
            contentHash: SHA256.hash(composed.bytes),
            octets: composed.bytes.count,
            subject: "notice about \(message.id): \(notice.event.rawValue)",
            headerFrom: hostname,
            has8Bit: composed.parameters.body == .eightBitMIME
        )
        guard await self.spool.keepNotice(record, about: message.id, content: .memory(composed.bytes)) else { return false }
        self.logger.log(
            .info,
            "sender is told",
            [.id: "\(message.id)", .to: "<\(address)>", .reason: "\(notice.event.rawValue)"]
        )
        return true
    }

    /// The same for the same event of the same message: the spool knows by it which notices were made, and no crash makes two of one.
    private func noticeID(_ message: SpooledMessage, _ notice: DeliveryNotice) -> TransactionID {
        let text = "\(message.id) \(notice.event.rawValue) \(notice.recipients)"
        let digest = SHA256.hash(Array(text.utf8))
        let sequence = digest.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        // Its time, too: ids sort by it, and no other message of that millisecond has this number but by a rare chance.
        return TransactionID(milliseconds: UInt64(max(0, message.record.received)), sequence: sequence)
    }

    /// A reply as it was noted. What we noted ourselves has names and addresses of hosts behind us: it is for the log.
    private static func diagnosis(_ text: String) -> RecipientStatus.Diagnosis {
        guard text.utf8.count >= 4, let code = Int(text.prefix(3)), (200..<600).contains(code),
            let reply = SMTPReply.received(code: code, lines: [String(text.dropFirst(4))])
        else { return .reason("the mail server of the recipient could not be reached") }
        return .reply(reply)
    }

    // MARK: Where notices go

    enum Destination {
        case route(DownstreamRoute)
        /// It cannot be found out now.
        case away(String)
        /// There is no way.
        case nowhere(String)
    }

    static func isNotice(_ route: String) -> Bool { route.hasPrefix(self.routePrefix) }

    /// The configured relay, or else the hosts that the domain's MX records name, or else the domain's own address (RFC 5321 §5.1).
    func destination(of address: MailAddress) async -> Destination {
        let configuration = self.snapshot.configuration
        if let group = self.snapshot.recipients.group(for: address) {
            return .route(self.snapshot.downstreamRoute(group.route))
        }
        if !configuration.spool.relay.isEmpty {
            return .route(self.route(configuration.spool.relay.map { DownstreamHost(name: $0.name, port: $0.port) }))
        }
        if let literal = IPAddress(address.domain.trimmingBrackets) {
            return .route(self.route([DownstreamHost(name: "\(literal)")]))
        }
        guard let resolver = self.snapshot.resolver, let name = DNSName(address.domain) else {
            return .nowhere("there is neither a relay for notices nor a resolver")
        }
        switch await resolver.resolve(name, .mx).outcome {
        case .failure(let failure): return .away("the MX records of \(address.domain) cannot be asked for: \(failure)")
        case .noName: return .nowhere("there is no domain \(address.domain)")
        case .noData: return .route(self.route([DownstreamHost(name: address.domain)]))
        case .found(let records):
            let exchanges = records.compactMap { record -> (UInt16, DNSName)? in
                guard case .mailExchange(let preference, let exchange) = record else { return nil }
                return (preference, exchange)
            }
            guard exchanges.contains(where: { !$0.1.labels.isEmpty }) else {
                return .nowhere("\(address.domain) takes no mail (RFC 7505)")
            }
            let hosts = exchanges.sorted { $0.0 < $1.0 }.map { DownstreamHost(name: "\($0.1)") }
            return .route(self.route(Array(hosts.prefix(Self.maximumExchanges))))
        }
    }

    /// Mail hosts of one domain that are tried: more are a mistake or a trap.
    private static let maximumExchanges = 10

    private func route(_ hosts: [DownstreamHost]) -> DownstreamRoute {
        DownstreamRoute(
            hosts: hosts,
            tls: .opportunistic,
            maxConnections: 2,
            heloName: self.snapshot.configuration.hostname
        )
    }
}

extension String {
    /// `[192.0.2.1]` without its brackets.
    fileprivate var trimmingBrackets: Substring {
        self.hasPrefix("[") && self.hasSuffix("]") ? self.dropFirst().dropLast() : self[...]
    }
}
