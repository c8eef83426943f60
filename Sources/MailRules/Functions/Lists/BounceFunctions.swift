import MailMessage

/// Whether a bounce is one of a message of our own (SpamAssassin's VBounce).
enum BounceFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("have_any_bounce_relays", plugin: "VBounce") { _ in { EvalOutcome($0.bounceRelays?.isEmpty == false) } },
        EvalFunction("check_welcomelist_bounce_relays", plugin: "VBounce") { _ in { EvalOutcome($0.namesBounceRelay) } },
        EvalFunction("check_whitelist_bounce_relays", plugin: "VBounce") { _ in { EvalOutcome($0.namesBounceRelay) } },
    ]
}

extension EvalContext {
    fileprivate var bounceRelays: AddressTable<Void>? { self.settings.addressLists["welcomelist_bounce_relays"] }

    /// A Received field in the text, or in what is attached, has the name of one of our relays.
    fileprivate var namesBounceRelay: Bool {
        guard let relays = self.bounceRelays, !relays.isEmpty else { return false }
        let isInText = self.text.body.contains { segment in
            guard QuotedReceived.start(of: segment.bytes[...]) == .received else { return false }
            var field = QuotedReceived()
            return field.append(segment.bytes[...], isSpace: { $0 == 0x20 }, hasRelay: relays.contains)
        }
        return isInText || self.attachesReceived(of: relays)
    }

    /// Looks at the fields behind the header, of whatever is quoted or attached there: from the first Received on.
    private func attachesReceived(of relays: AddressTable<Void>) -> Bool {
        let message = self.message
        guard let root = message.parts.first else { return false }
        var field = QuotedReceived()
        var start = QuotedReceived.Start.other
        var hasSeenReceived = false
        var index = root.body.lowerBound
        while index < root.body.upperBound {
            let end = message.bytes[index..<root.body.upperBound].firstIndex(of: 0x0a) ?? root.body.upperBound
            let line = message.bytes[index..<(end > index && message.bytes[end - 1] == 0x0d ? end - 1 : end)]
            index = end + 1
            let isFolded = line.first?.isBlank == true
            if !hasSeenReceived {
                guard QuotedReceived.start(of: line) == .received else { continue }
                hasSeenReceived = true
                start = isFolded ? .open : .other
            }
            if !isFolded {
                field = QuotedReceived()
                start = .open
            }
            if start == .open { start = QuotedReceived.start(of: line) }
            guard start == .received else { continue }
            if field.append(line, isSpace: \.isBlank, hasRelay: relays.contains) { return true }
        }
        return false
    }
}

/// A Received field that stands in text, maybe quoted, and the names in it that can be those of hosts: words with a dot
/// inside and white space on both sides. A word that shares its white space with such a name is passed over.
private struct QuotedReceived {
    enum Start: Hashable {
        case received
        case other
        /// Only marks of quotation so far.
        case open
    }

    private static let name = Array("received:".utf8)

    static func start(of line: ArraySlice<UInt8>) -> Start {
        let text = line.drop { $0 == UInt8(ascii: ">") || $0 == 0x20 }
        if text.isEmpty { return .open }
        return text.count >= self.name.count && zip(text, self.name).allSatisfy({ $0.lowercased == $1 }) ? .received : .other
    }

    /// What was not yet looked at: it starts with white space, and has a word that may go on.
    private var pending: [UInt8] = []

    /// Goes on with the next piece of the field.
    /// - Returns: whether a name in it is one of those that are looked for.
    mutating func append(_ piece: ArraySlice<UInt8>, isSpace: (UInt8) -> Bool, hasRelay: ([UInt8]) -> Bool) -> Bool {
        self.pending += piece
        var index = 0
        while let space = self.pending[index...].firstIndex(where: isSpace) {
            let word = self.pending[(space + 1)...].prefix { !$0.isBlank }
            guard word.endIndex < self.pending.count else {
                self.pending.removeFirst(space)
                return false
            }
            index = max(word.endIndex, space + 1)
            guard word.count > 2, word.dropFirst().dropLast().contains(UInt8(ascii: ".")), isSpace(self.pending[index]) else {
                continue
            }
            if hasRelay(word.map(\.lowercased)) { return true }
            index += 1
        }
        self.pending.removeAll(keepingCapacity: true)
        return false
    }
}
