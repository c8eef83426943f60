/// What is done with a message. One type, one value for each transaction.
package enum Disposition: String, Hashable, Sendable, CaseIterable {
    case deliver
    /// Delivered with marks.
    case tag
    /// Kept in the quarantine for review; the sender got a positive reply.
    case hold
    case reject
    case `defer`
    /// Accepted and thrown away, because the administrator's policy says so.
    case discard
}

/// The decision on a message and what led to it.
package struct PolicyDecision: Hashable, Sendable {
    package var disposition: Disposition
    /// The policy's name in the configuration.
    package var policy: String
    /// The line that decided, in words: `score 15.2 >= reject_score 15`, `virus Eicar: reject`.
    package var reason: String
    package var score: Double
    /// What the sender is told; nil when that is the downstream's own reply. The transaction's id is not yet in it.
    package var reply: SMTPReply?
    /// A copy of a refused message stays reviewable in the quarantine.
    package var keepsCopy: Bool
    /// A check was missing and policy accepts that: recorded with the message.
    package var unchecked: [String]

    package init(
        disposition: Disposition,
        policy: String,
        reason: String,
        score: Double,
        reply: SMTPReply? = nil,
        keepsCopy: Bool = false,
        unchecked: [String] = []
    ) {
        self.disposition = disposition
        self.policy = policy
        self.reason = reason
        self.score = score
        self.reply = reply
        self.keepsCopy = keepsCopy
        self.unchecked = unchecked
    }
}
