/// What is known of one way to write a Received field. A class, so that going through many copies nothing of them.
final class ReceivedFormat: Sendable {
    enum Meaning: Sendable {
        /// A hop.
        case relay
        /// The server that writes so looks for the client's host name: if the field has none, there is none.
        case relayLookedUp
        /// A handover within a host, or one about which the field tells nothing of use.
        case ignored
        /// A program fetched the mail from a mailbox: what came before is the mailbox owner's own affair.
        case fetched
    }

    let pattern: ReceivedExpression
    let meaning: Meaning
    /// Stands in the line, too.
    let with: ReceivedExpression?
    /// Does not.
    let without: ReceivedExpression?
    /// Begins at the line's start.
    let isAnchored: Bool
    /// Corrects what the pattern took.
    let adjust: (@Sendable (inout Relay, inout ReceivedMatcher) -> Void)?

    init(
        _ pattern: [ReceivedPattern],
        as meaning: Meaning = .relay,
        with: ReceivedExpression? = nil,
        without: ReceivedExpression? = nil,
        anchored: Bool = true,
        adjust: (@Sendable (inout Relay, inout ReceivedMatcher) -> Void)? = nil
    ) {
        self.pattern = ReceivedExpression(pattern)
        self.meaning = meaning
        self.with = with
        self.without = without
        self.isAnchored = anchored
        self.adjust = adjust
    }

    convenience init(
        _ pattern: ReceivedPattern...,
        as meaning: Meaning = .relay,
        with: ReceivedExpression? = nil,
        without: ReceivedExpression? = nil,
        anchored: Bool = true,
        adjust: (@Sendable (inout Relay, inout ReceivedMatcher) -> Void)? = nil
    ) {
        self.init(pattern, as: meaning, with: with, without: without, anchored: anchored, adjust: adjust)
    }

    /// Takes what the field has in this format; false when it has another.
    func read(_ matcher: inout ReceivedMatcher, into relay: inout Relay) -> Bool {
        if let with = self.with, matcher.find(with) == nil { return false }
        if let without = self.without, matcher.find(without) != nil { return false }
        guard self.isAnchored ? matcher.matches(self.pattern) : matcher.find(self.pattern) != nil else { return false }
        if let text = matcher[.helo] { relay.helo = text }
        if let text = matcher[.reverseName] { relay.reverseName = text }
        if let text = matcher[.address] { relay.ip = text }
        if let text = matcher[.by] { relay.by = text }
        if let text = matcher[.ident] { relay.ident = text }
        if let text = matcher[.id] { relay.id = text }
        self.adjust?(&relay, &matcher)
        return true
    }
}

/// Formats that are looked for where a line has something that only one kind of server writes.
struct ReceivedFamily: Sendable {
    /// Stands in the line.
    let sign: ReceivedExpression
    let formats: [ReceivedFormat]
    /// Fields in no known format are read piece by piece.
    let isExim: Bool

    init(_ sign: ReceivedPattern..., formats: [ReceivedFormat], isExim: Bool = false) {
        self.sign = ReceivedExpression(sign)
        self.formats = formats
        self.isExim = isExim
    }
}

// MARK: - Corrections

extension ReceivedFormat {
    /// The one name that stands there is what the client said and what its address has.
    @Sendable static func nameIsHelo(_ relay: inout Relay, _: inout ReceivedMatcher) { relay.helo = relay.reverseName }

    @Sendable static func unknownIsNoName(_ relay: inout Relay, _: inout ReceivedMatcher) {
        if relay.reverseName == Array("unknown".utf8) { relay.reverseName = [] }
    }

    /// `user@host`, also with IDENT: in front.
    @Sendable static func identBeforeName(_ relay: inout Relay, _: inout ReceivedMatcher) {
        guard let at = relay.reverseName.firstIndex(of: 0x40) else { return }
        // After `IDENT:user@` another user may follow.
        let ident = Array(relay.reverseName[..<at])
        relay.reverseName.removeSubrange(...at)
        let marker = Array("IDENT:".utf8)
        relay.ident = ident.starts(with: marker) ? Array(ident.dropFirst(marker.count)) : ident
        if ident.starts(with: marker), relay.reverseName.contains(0x40) { self.identBeforeName(&relay) }
    }

    private static func identBeforeName(_ relay: inout Relay) {
        guard let at = relay.reverseName.firstIndex(of: 0x40) else { return }
        relay.ident = Array(relay.reverseName[..<at])
        relay.reverseName.removeSubrange(...at)
    }

    @Sendable static func identWithoutAt(_ relay: inout Relay, _: inout ReceivedMatcher) {
        if relay.ident.last == 0x40 { relay.ident.removeLast() }
    }

    /// `helo=… ident=…` in any order.
    @Sendable static func details(_ relay: inout Relay, _ matcher: inout ReceivedMatcher) {
        guard var details = matcher[.details] else { return }
        var inner = ReceivedMatcher(details)
        if let range = inner.find(self.heloDetail) {
            relay.helo = inner[.first] ?? []
            details.removeSubrange(range)
        }
        inner = ReceivedMatcher(details)
        if inner.find(self.identDetail) != nil { relay.ident = inner[.first] ?? [] }
    }

    private static let heloDetail: ReceivedExpression = ["helo=", .word(.first)]
    private static let identDetail: ReceivedExpression = ["ident=", .maybe(.first)]

    @Sendable static func nameIsHeloUnlessTold(_ relay: inout Relay, _ matcher: inout ReceivedMatcher) {
        relay.helo = relay.reverseName
        self.details(&relay, &matcher)
    }
}
