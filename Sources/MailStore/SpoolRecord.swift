import MailTypes

/// Where one recipient of a spooled message stands.
package struct SpooledRecipient: Hashable, Sendable {
    package enum State: String, Hashable, Sendable, Codable {
        case waiting
        case delivered
        /// Refused for good, or given up when its time was over.
        case failed
    }

    package var recipient: Recipient
    package var state: State
    /// What the mail server, or we, said of it last; nil before the first attempt.
    package var reply: String?

    package init(_ recipient: Recipient, state: State = .waiting, reply: String? = nil) {
        self.recipient = recipient
        self.state = state
        self.reply = reply
    }
}

/// A message that is ours: its sender was told 250 and has forgotten it, its mail server does not have it yet. All times are
/// milliseconds since 1970.
package struct SpooledMessage: Hashable, Sendable, DurableRecord {
    /// What was known and found when it came; the envelope's recipients are those that it came with.
    package var record: QuarantineRecord
    /// Parts of the content that do not go on.
    package var omitted: [Range<Int>]
    package var recipients: [SpooledRecipient]
    /// It is given up then.
    package var expires: Int64
    package var nextAttempt: Int64
    package var attempts: Int
    /// An administrator has stopped it.
    package var isHeld: Bool
    /// Its sender was told of the delay.
    package var isDelayReported: Bool
    /// SPF or DMARC says that the sender is somebody else: nobody is told of a failure.
    package var isForged: Bool
    /// The message whose sender this one tells of it; nil when it is no notice of ours.
    package var about: TransactionID?

    package init(
        record: QuarantineRecord,
        omitted: [Range<Int>] = [],
        expires: Int64,
        isForged: Bool = false,
        about: TransactionID? = nil
    ) {
        self.record = record
        self.omitted = omitted
        self.recipients = record.envelope.recipients.map { SpooledRecipient($0) }
        self.expires = expires
        self.nextAttempt = record.received
        self.attempts = 0
        self.isHeld = false
        self.isDelayReported = false
        self.isForged = isForged
        self.about = about
    }

    package var id: TransactionID { self.record.id }
    package var route: String { self.record.route }

    /// Milliseconds: longer than any pause between two attempts.
    static let longestWait: Int64 = 3_600_000

    /// The next attempt is due, or was set by a clock that has been put back since: nobody sets it that far ahead.
    package func isDue(at now: Int64) -> Bool { self.nextAttempt <= now || self.nextAttempt > now + Self.longestWait }

    /// Whose turn it is among senders: a domain's, or the one of all bounces.
    package var senderKey: String { self.record.envelope.reversePath.address?.domain.lowercased() ?? "" }
}

/// What became of one recipient in one attempt.
package struct SpoolResult: Hashable, Sendable {
    /// Its place among the message's recipients.
    package var number: Int
    package var state: SpooledRecipient.State
    package var reply: String

    package init(number: Int, state: SpooledRecipient.State, reply: String) {
        self.number = number
        self.state = state
        self.reply = reply
    }
}

/// How much the spool may hold.
package struct SpoolLimits: Hashable, Sendable {
    /// Octets of all messages.
    package var maxSize = 10 * 1_073_741_824
    package var maxMessages = 100_000
    /// Octets that the file system must have free beside them.
    package var minimumFree = 256 * 1_048_576

    package init() {}

    package init(maxSize: Int, maxMessages: Int, minimumFree: Int) {
        self.maxSize = maxSize
        self.maxMessages = maxMessages
        self.minimumFree = minimumFree
    }
}

/// Why the spool did not do what it was asked.
package enum SpoolError: Error, Hashable, Sendable, CustomStringConvertible {
    case full
    case notFound(String)

    package var description: String {
        switch self {
        case .full: "the spool is full"
        case .notFound(let id): "no message \(id) in the spool"
        }
    }
}

/// What the spool holds now.
package struct SpoolRoom: Hashable, Sendable {
    package var messages: Int
    package var octets: Int
    /// Octets free on the file system.
    package var free: Int
}

/// Which messages of the spool are meant.
package enum SpoolSelection: Hashable, Sendable {
    case all
    case route(String)
    case ids([TransactionID])
}
