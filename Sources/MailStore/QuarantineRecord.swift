import MailTypes

/// Facts about a message in the quarantine, as they were when it came. They never change.
package struct QuarantineRecord: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable, Codable {
        /// The sender got a positive reply; the message waits for a decision.
        case held
        /// The sender got a 5xx; the copy is for review only and cannot be released.
        case rejectedCopy = "rejected"
    }

    package var id: TransactionID
    package var kind: Kind
    /// Milliseconds since 1970.
    package var received: Int64
    package var envelope: Envelope
    /// The route's name in the configuration: where a released message goes.
    package var route: String
    package var policy: String
    /// The line that decided, in words.
    package var reason: String
    package var score: Double
    package var hits: [Hit]
    package var scan: ScanFindings
    /// Names of the rules and signatures that held the message; empty when its score did. A release skips only these.
    package var heldBy: [String]
    /// SHA-256 of the content.
    package var contentHash: [UInt8]
    package var octets: Int
    /// Decoded, for listings.
    package var subject: String
    /// Decoded, for listings.
    package var headerFrom: String
    package var has8Bit: Bool
    /// Header fields to put before the content when it is delivered, complete with line ends.
    package var prefix: [UInt8]
    /// Checks that were missing.
    package var unchecked: [String]

    package init(
        id: TransactionID,
        kind: Kind,
        received: Int64,
        envelope: Envelope,
        route: String,
        policy: String,
        reason: String,
        score: Double,
        hits: [Hit] = [],
        scan: ScanFindings = ScanFindings(status: .off),
        heldBy: [String] = [],
        contentHash: [UInt8],
        octets: Int,
        subject: String = "",
        headerFrom: String = "",
        has8Bit: Bool = false,
        prefix: [UInt8] = [],
        unchecked: [String] = []
    ) {
        self.id = id
        self.kind = kind
        self.received = received
        self.envelope = envelope
        self.route = route
        self.policy = policy
        self.reason = reason
        self.score = score
        self.hits = hits
        self.scan = scan
        self.heldBy = heldBy
        self.contentHash = contentHash
        self.octets = octets
        self.subject = subject
        self.headerFrom = headerFrom
        self.has8Bit = has8Bit
        self.prefix = prefix
        self.unchecked = unchecked
    }

    package var smtpUTF8: Bool { self.envelope.parameters.smtpUTF8 }

    /// What the virus engine found, the first first.
    package var signatures: [String] {
        if case .found(let names) = self.scan.status { return names }
        return []
    }

    /// What a release may skip: the rules that held the message, or all that added to its score when no single one did.
    package var skippedRules: [String] {
        self.heldBy.isEmpty ? self.hits.filter { $0.score > 0 }.map(\.rule) : self.heldBy
    }
}

/// Where a message stands.
///
/// `waiting` → `releasing` → `released`, or back to `waiting` when the release failed; `deleted` from `waiting` and
/// `released`, for good.
package enum QuarantineState: String, Hashable, Sendable, CaseIterable, Codable {
    case waiting
    case releasing
    case released
    case deleted
}

/// A message in the quarantine with all that is known about it.
package struct QuarantineEntry: Hashable, Sendable {
    package var record: QuarantineRecord
    package var state: QuarantineState
    package var note: String?
    /// Milliseconds since 1970, and who.
    package var released: Int64?
    package var releasedBy: String?
    /// A release was cut off at a point where the message may or may not have been delivered.
    package var mayHaveBeenDelivered: Bool
}

/// One line of a listing.
package struct QuarantineSummary: Hashable, Sendable {
    package var id: TransactionID
    package var kind: QuarantineRecord.Kind
    package var state: QuarantineState
    /// Milliseconds since 1970.
    package var received: Int64
    /// The reverse path; empty for the null path.
    package var sender: String
    package var recipients: [String]
    package var headerFrom: String
    package var subject: String
    package var route: String
    package var policy: String
    package var reason: String
    package var score: Double
    /// Rules that hit, by falling score.
    package var rules: [String]
    package var signatures: [String]
    package var octets: Int
    package var note: String?
    package var released: Int64?
    package var releasedBy: String?
    package var mayHaveBeenDelivered: Bool
}

/// Which messages are wanted; what is nil or empty does not narrow.
package struct QuarantineFilter: Hashable, Sendable {
    package var kind: QuarantineRecord.Kind?
    package var states: Set<QuarantineState>
    /// Received at or after, and before; milliseconds since 1970.
    package var since: Int64?
    package var until: Int64?
    /// Part of the reverse path or of the From field, in any case of letters.
    package var from: String?
    /// Part of a recipient.
    package var to: String?
    /// A rule's name; `*` stands for any text.
    package var rule: String?
    /// A signature's name; `*` stands for any text.
    package var signature: String?
    /// Words that all stand in subject, sender or recipients.
    package var text: String?

    package init(
        kind: QuarantineRecord.Kind? = nil,
        states: Set<QuarantineState> = [],
        since: Int64? = nil,
        until: Int64? = nil,
        from: String? = nil,
        to: String? = nil,
        rule: String? = nil,
        signature: String? = nil,
        text: String? = nil
    ) {
        self.kind = kind
        self.states = states
        self.since = since
        self.until = until
        self.from = from
        self.to = to
        self.rule = rule
        self.signature = signature
        self.text = text
    }

    /// All that waits for a decision.
    package static let waiting = QuarantineFilter(kind: .held, states: [.waiting, .releasing])
}

/// Bounds of the quarantine. Each is a setting.
package struct QuarantineLimits: Hashable, Sendable {
    /// Days that held messages stay: a month lets people come back from a holiday.
    package var keepDays = 30
    /// Days that copies of refused mail stay: their senders know already.
    package var keepRejectedDays = 7
    /// Days that the audit trail stays.
    package var keepAuditDays = 365
    /// Octets of held messages; beyond it `hold` throws `.full` and the message is deferred.
    package var maxSize = 10 * 1024 * 1024 * 1024
    /// Octets of copies of refused mail; beyond it no copy is kept.
    package var maxRejectedSize = 1024 * 1024 * 1024
    /// Octets that must stay free on the file system when a copy is kept: copies never fill a disk.
    package var minimumFreeSpace = 256 * 1024 * 1024
    /// Seconds after which a released message that comes again is inspected like any other.
    package var passSeconds = 7 * 86_400

    package init() {}
}

/// An entry of the audit trail.
package struct AuditEntry: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable, Codable {
        case releaseBegun = "release-begun"
        /// The process that released the message had died; another took the release over.
        case releaseTakenOver = "release-taken-over"
        case released
        case releaseFailed = "release-failed"
        case deleted
        case purged
        case exported
        case noted
    }

    package var id: TransactionID
    /// Milliseconds since 1970.
    package var when: Int64
    package var who: String
    package var action: Action
    package var why: String
    package var detail: String
}
