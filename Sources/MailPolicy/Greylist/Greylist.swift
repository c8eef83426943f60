/// Which messages are asked to come again, and for how long that is remembered.
package struct GreylistSettings: Hashable, Sendable {
    /// Scores from which and below which a message is doubtful.
    package var fromScore = 3.0
    package var toScore = 8.0
    /// Seconds until a message that comes again is taken.
    package var delaySeconds = 300
    /// Seconds after which a message that did not come again is forgotten. RFC 5321 §4.5.4.1 has senders try for four to five
    /// days, most often in the first hours.
    package var windowSeconds = 2 * 86_400
    /// Seconds that a sender whose message came again is known; each message of it begins them anew. Longer than a month, for
    /// what is sent once a month.
    package var rememberSeconds = 36 * 86_400

    package init() {}
}

/// What becomes of a doubtful message.
package enum GreylistVerdict: Hashable, Sendable {
    /// A sender that has come again before.
    case known
    /// The message has come again.
    case returned
    /// The message comes for the first time, or too early; seconds until it is taken.
    case delay(seconds: Int)
}

/// What is remembered of a message's sender and of the message itself, and what follows from it.
///
/// ```
/// (nothing) -> pending -> passed
/// ```
/// A pending record ends `window` after its first visit and never moves: whoever comes in between, however often, is taken as
/// soon as `delay` is over. A passed one is that of the sender, whatever it sends next.
package struct GreylistRecord: Hashable, Sendable {
    /// Milliseconds since 1970: the message's first visit; nil: it was never here, or too long ago.
    package var first: Int64?
    /// Until when its sender is known; nil: it is not.
    package var knownUntil: Int64?

    package init(first: Int64? = nil, knownUntil: Int64? = nil) {
        self.first = first
        self.knownUntil = knownUntil
    }

    /// - Parameter now: milliseconds since 1970. A clock that was set back makes nobody wait longer than `delay`.
    package mutating func visit(_ settings: GreylistSettings, now: Int64) -> GreylistVerdict {
        if let until = self.knownUntil, now < until {
            self.first = nil
            self.knownUntil = max(until, now + Int64(settings.rememberSeconds) * 1_000)
            return .known
        }
        self.knownUntil = nil
        let delay = Int64(settings.delaySeconds) * 1_000
        guard let first = self.first, now - first <= Int64(settings.windowSeconds) * 1_000, first <= now else {
            self.first = now
            return .delay(seconds: settings.delaySeconds)
        }
        guard now - first >= delay else { return .delay(seconds: Int((first + delay - now + 999) / 1_000)) }
        self.first = nil
        self.knownUntil = now + Int64(settings.rememberSeconds) * 1_000
        return .returned
    }
}

/// Where it is remembered. One gateway has a file of its own; several could share a server.
package protocol GreylistStore: Sendable {
    /// - Parameter now: milliseconds since 1970.
    /// - Throws: when nothing can be remembered. The message is then taken: a delay that is not remembered would never end.
    func visit(_ key: GreylistKey, settings: GreylistSettings, now: Int64) async throws -> GreylistVerdict
}
