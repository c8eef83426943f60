import Logging
import MailPolicy
import MailTypes
import SMTPServer

/// What the log says about a finished transaction.
package struct TransactionSummary: Sendable {
    package var id: TransactionID
    package var envelope: Envelope
    package var octets: Int
    package var judgement: Judgement
    package var reply: SMTPReply
    /// The transaction that has taken this message before; nil where none has.
    package var repeats: TransactionID?
    package var downstream: String?
    package var milliseconds: Int
}

/// The gateway's log lines: one for each finished transaction, one for each closed connection. Nothing of a message's text
/// is in them.
package struct TransactionLog: Sendable {
    /// Hears of each transaction before its final reply is given.
    package typealias Observer = @Sendable (TransactionSummary) -> Void

    let counts = TransactionCounts()
    private let logger: Logger
    private let observer: Observer?

    /// Recipients named in a line; the rest is counted.
    private static let namedRecipients = 5

    package init(_ logger: Logger, observer: Observer? = nil) {
        self.logger = logger
        self.observer = observer
    }

    func transactionFinished(_ summary: TransactionSummary) {
        self.counts.count(summary)
        self.observer?(summary)
        let decision = summary.judgement.decision
        let recipients = summary.envelope.recipients
        var fields: LogFields = [
            .id: "\(summary.id)",
            .client: "\(summary.envelope.client.address)",
            .from: "<\(summary.envelope.reversePath)>",
            .to: .array(recipients.prefix(Self.namedRecipients).map { "<\($0.forwardPath)>" }),
            .recipients: .stringConvertible(recipients.count),
            .octets: .stringConvertible(summary.octets),
            .disposition: "\(decision.disposition.rawValue)",
            .reply: "\(summary.reply)",
            .policy: "\(decision.policy)",
            .reason: "\(decision.reason)",
            .score: .stringConvertible(decision.score),
            .hits: .array(summary.judgement.findings.hits.map { "\($0.rule)" }),
            .virus: "\(summary.judgement.findings.scan.status.word)",
            .inspection: .stringConvertible(summary.judgement.microseconds),
            .milliseconds: .stringConvertible(summary.milliseconds),
        ]
        if let found = summary.judgement.findings.authentication { fields[.authentication] = "\(found.summary)" }
        if let found = summary.judgement.findings.reputation { fields[.dns] = "\(found.summary)" }
        if let helo = summary.envelope.client.helo { fields[.helo] = "\(helo)" }
        if let tls = summary.envelope.client.tls { fields[.tls] = "\(tls.version)" }
        if let repeats = summary.repeats { fields[.repeats] = "\(repeats)" }
        if let downstream = summary.downstream { fields[.downstream] = "\(downstream)" }
        let rules = summary.judgement.findings.rules
        if !rules.shadowHits.isEmpty { fields[.shadowHits] = .array(rules.shadowHits.map { "\($0.rule)" }) }
        if !rules.suspended.isEmpty { fields[.suspended] = .array(rules.suspended.map { "\($0)" }) }
        if !rules.cuts.isEmpty { fields[.cuts] = .array(rules.cuts.map { "\($0)" }) }
        if let listed = summary.judgement.listed { fields[.list] = "\(listed.entry.action.rawValue) \(listed)" }
        if let greylist = summary.judgement.greylist { fields[.greylist] = "\(greylist.word)" }
        if !decision.unchecked.isEmpty { fields[.unchecked] = .array(decision.unchecked.map { "\($0)" }) }
        self.logger.log(.info, "transaction", fields)
    }

    /// What was refused before a message could come.
    func refused(
        _ reply: SMTPReply,
        client: ClientIdentity,
        from: ReversePath? = nil,
        to: ForwardPath? = nil,
        by cause: EarlyCause
    ) {
        self.counts.countEarlyRefusal()
        var fields: LogFields = [.client: "\(client.address)", .reply: "\(reply)"]
        switch cause {
        case .list(let match): fields[.list] = "\(match.entry.action.rawValue) \(match)"
        case .limit(let overrun): fields[.limit] = "\(overrun.charge.limit.description) (\(overrun.charge.key))"
        case .atOnce(let place): fields[.limit] = "\(place.description) (\(place.key))"
        case .reputation(let reason): fields[.reason] = "\(reason)"
        case .overload: fields[.reason] = "too many messages wait to be inspected"
        }
        if let helo = client.helo { fields[.helo] = "\(helo)" }
        if let from { fields[.from] = "<\(from)>" }
        if let to { fields[.to] = "<\(to)>" }
        self.logger.log(.info, "refused", fields)
    }

    func connectionClosed(_ summary: ConnectionSummary) {
        var fields: LogFields = [
            .client: "\(summary.client.address)",
            .commands: .stringConvertible(summary.commands),
            .errors: .stringConvertible(summary.errors),
            .accepted: .stringConvertible(summary.accepted),
            .refused: .stringConvertible(summary.refused),
            .end: "\(summary.reason)",
            .milliseconds: .stringConvertible(summary.milliseconds),
        ]
        if let helo = summary.client.helo { fields[.helo] = "\(helo)" }
        if let tls = summary.client.tls { fields[.tls] = "\(tls.version)" }
        self.logger.log(.info, "connection", fields)
    }

    func warning(_ message: Logger.Message, id: TransactionID, error: String) {
        self.logger.log(.warning, message, [.id: "\(id)", .error: "\(error)"])
    }
}

/// Why something was refused before its message came.
enum EarlyCause {
    case list(ListMatch)
    case limit(RateOverrun)
    case atOnce(OpenTransactionPlace)
    /// The symbol that decided, and what the DNS said.
    case reputation(String)
    case overload
}

extension GreylistVerdict {
    /// For the log.
    fileprivate var word: String {
        switch self {
        case .known: "known"
        case .returned: "returned"
        case .delay(let seconds): "delayed \(seconds) s"
        }
    }
}
