/// Reads one Received field.
///
/// RFC 5321 §4.4 says how they look, and few look so: servers give the client's name, its HELO and its address in any order
/// and with any brackets. What a field says depends on who wrote it, so known formats are tried one by one.
struct ReceivedParser {
    enum Outcome: Hashable {
        case relay(Relay)
        /// Nothing that a hop between hosts could be made of.
        case ignored
        /// Tells the reverse path of the hop below it.
        case envelopeBelow([UInt8]?)
        /// Mail was fetched from a mailbox here.
        case fetched
        case unparseable
    }

    /// Octets of a field that are looked at; SpamAssassin cuts fields there, too.
    private static let maximumLength = 8 * 1024

    private var relay = Relay()
    private var looksUpNames = false
    private var matcher: ReceivedMatcher

    /// - Parameter field: what stands behind `Received:`, folding undone or not.
    static func parse(_ field: some Sequence<UInt8>) -> Outcome {
        guard let line = self.line(field) else { return .ignored }
        var parser = ReceivedParser(matcher: line)
        return parser.read()
    }

    private init(matcher: ReceivedMatcher) {
        self.matcher = matcher
    }

    // MARK: - The line

    /// On one line with single spaces and without the date; nil when it is none of `from …`.
    private static func line(_ field: some Sequence<UInt8>) -> ReceivedMatcher? {
        var line: [UInt8] = []
        line.reserveCapacity(min(field.underestimatedCount, self.maximumLength))
        // White space at the start goes, too.
        var isBehindSpace = true
        for octet in field.prefix(self.maximumLength) {
            if !octet.isSpace {
                line.append(octet)
                isBehindSpace = false
            } else if !isBehindSpace {
                line.append(.space)
                isBehindSpace = true
            }
        }
        if line.last == .space { line.removeLast() }
        while line.last == 0x3b {
            line.removeLast()
            if line.last == .space { line.removeLast() }
        }
        let from = [UInt8](ascii: "from ")
        guard line.hasPrefix(from, at: line.first == 0x28 ? 1 : 0) else { return nil }
        var matcher = ReceivedMatcher(line)
        if matcher.find(self.local) != nil { return nil }
        if matcher.matches(self.bare), let name = matcher[.first], !self.isNumberInBrackets(name) { return nil }
        // It is the last that stands there.
        let date = matcher.find(self.date, from: self.placeOfDate(line))
        matcher = matcher.part(0..<(date?.lowerBound ?? line.count))
        guard let place = matcher.find(self.joinedBy) else { return matcher }
        line = matcher.line
        line.insert(.space, at: place.lowerBound + 1)
        return ReceivedMatcher(line)
    }

    private static let local: ReceivedExpression = [.boundary, "with local for", .boundary]
    private static let joinedBy: ReceivedExpression = [")by "]

    /// Without an address.
    private static let bare: ReceivedExpression = [
        .caseless([UInt8](ascii: "from ")), .word(.first), .caseless([UInt8](ascii: " by ")),
        .run(nil, OctetClass { !$0.isSpace && $0 != 0x3b }, 1..<ReceivedPattern.unbounded), .optional([" "]), ";",
    ]

    private static func isNumberInBrackets(_ name: [UInt8]) -> Bool {
        name.count > 2 && name.first == 0x5b && name.last == 0x5d
            && name.dropFirst().dropLast().allSatisfy { $0.isDigit || $0 == 0x2e }
    }

    /// Not behind the place where the date begins: it has six words at most, and ends the line.
    private static func placeOfDate(_ line: [UInt8]) -> Int {
        var words = 0
        var place = line.count
        while place > 0, words < 6 {
            place -= 1
            if line[place] == .space { words += 1 }
        }
        while place > 0, line[place - 1] == .space || line[place - 1] == 0x3b { place -= 1 }
        return place
    }

    private static let date: ReceivedExpression = [
        .run(nil, .among(" ;"), 1..<ReceivedPattern.unbounded),
        .optional([.oneOf([["Mon"], ["Tue"], ["Wed"], ["Thu"], ["Fri"], ["Sat"], ["Sun"]]), ", "]),
        .digits, " ",
        .oneOf([
            ["Jan"], ["Feb"], ["Mar"], ["Apr"], ["May"], ["Jun"], ["Jul"], ["Aug"], ["Sep"], ["Oct"], ["Nov"], ["Dec"],
        ]),
        " ", .digits, " ", .digits, ":", .digits, .optional([":", .digits]), " ", .word, .end,
    ]

    // MARK: - What any format has

    private mutating func read() -> Outcome {
        if self.matcher.find(Self.id) != nil { self.relay.id = self.matcher[.first] ?? [] }
        if self.matcher.find(Self.heloIs) != nil || self.matcher.find(Self.hello) != nil {
            self.relay.helo = self.matcher[.first] ?? []
        }
        if self.matcher.find(Self.by) != nil { self.relay.by = self.matcher[.first] ?? [] }
        self.relay.authentication = ReceivedAuthentication.method(&self.matcher)

        let line = self.matcher.line
        let kind: Outcome?
        if line.starts(with: "from ".utf8) {
            self.matcher = self.matcher.part(5..<line.count)
            kind = self.readFrom()
        } else if line.starts(with: "FROM ".utf8) {
            self.matcher = self.matcher.part(5..<line.count)
            kind = self.first(of: [ReceivedFormats.simta])
        } else if line.starts(with: "(from ".utf8) {
            self.matcher = self.matcher.part(6..<line.count)
            kind = self.first(of: ReceivedFormats.parenthesized)
        } else {
            kind = nil
        }
        if let kind { return kind }
        // No known format: an address in brackets and the name of a server are a hop all the same.
        if self.relay.ip.isEmpty, self.matcher.find(Self.bracketed) != nil { self.relay.ip = self.matcher[.address] ?? [] }
        return self.relay.ip.isEmpty || self.relay.by.isEmpty ? .unparseable : self.finished()
    }

    private static let id: ReceivedExpression = [
        " id ", .optional(["<"]), .run(.first, idOctets, 3..<ReceivedPattern.unbounded),
    ]
    private static let heloIs: ReceivedExpression = [.boundary, "helo=", helo]
    private static let hello: ReceivedExpression = [.boundary, .hello, " ", helo]
    private static let by: ReceivedExpression = [" by ", .word(.first)]
    private static let bracketed: ReceivedExpression = ["[", .ip, "]"]
    private static let helo = ReceivedPattern.run(.first, heloOctets, 1..<ReceivedPattern.unbounded)

    private static let idOctets = OctetClass { !$0.isSpace && !"<>;".utf8.contains($0) }
    private static let heloOctets = OctetClass { $0.isAlphanumeric || "-.^+_&:=?!@%*$\\/".utf8.contains($0) }

    private func finished() -> Outcome {
        var relay = self.relay
        relay.normalize()
        relay.lacksReverseName = relay.reverseName.isEmpty && self.looksUpNames
        return .relay(relay)
    }

    /// The first format that fits decides.
    private mutating func first(of formats: [ReceivedFormat]) -> Outcome? {
        for format in formats where format.read(&self.matcher, into: &self.relay) {
            switch format.meaning {
            case .relay: break
            case .relayLookedUp: self.looksUpNames = true
            case .ignored: return .ignored
            case .fetched: return .fetched
            }
            return self.finished()
        }
        return nil
    }

    // MARK: - from …

    private mutating func readFrom() -> Outcome? {
        if self.matcher.find(Self.envelopeFrom) != nil { self.relay.envelopeFrom = self.matcher[.envelopeFrom] }
        if let found = self.first(of: ReceivedFormats.webMail) { return found }
        if let found = self.readFamily() { return found }
        if let found = self.first(of: ReceivedFormats.common) { return found }
        if let found = self.readQmail() { return found }
        if let found = self.first(of: ReceivedFormats.others) { return found }
        if let found = self.first(of: ReceivedFormats.ignored) { return found }
        if self.matcher.matches(ReceivedFormats.qmailScanner) {
            return .envelopeBelow(self.relay.envelopeFrom.map(Relay.withoutBrackets))
        }
        if let found = self.first(of: ReceivedFormats.ignoredAtLast) { return found }
        if self.relay.helo.isEmpty, self.matcher.matches(Self.firstWord) {
            self.relay.helo = self.matcher[.helo] ?? []
        }
        return nil
    }

    private static let firstWord: ReceivedExpression = [
        .word(.helo), .run(nil, OctetClass { !$0.isAlphanumeric && $0 != 0x2d && $0 != 0x2e }, 1..<2),
    ]

    private static let envelopeFrom: ReceivedExpression = [
        .oneOf([
            [.caseless([UInt8](ascii: "return-path")), .optional([":"]), " "],
            [
                .caseless([UInt8](ascii: "envelope-")),
                .oneOf([[.caseless([UInt8](ascii: "sender"))], [.caseless([UInt8](ascii: "from"))]]),
                .run(nil, .among(" ="), 1..<2),
            ],
        ]),
        .word(.envelopeFrom), .boundary,
    ]

    private mutating func readFamily() -> Outcome? {
        for family in ReceivedFormats.families where self.matcher.find(family.sign) != nil {
            if let found = self.first(of: family.formats) { return found }
            return family.isExim ? self.readEximPieces() : nil
        }
        return nil
    }

    private mutating func readEximPieces() -> Outcome? {
        var hasBy = false
        for (index, piece) in ReceivedFormats.eximPieces.enumerated() {
            hasBy = piece.read(&self.matcher, into: &self.relay) && index == ReceivedFormats.eximPieces.count - 1
        }
        return hasBy && !self.relay.ip.isEmpty ? self.finished() : nil
    }

    private mutating func readQmail() -> Outcome? {
        guard self.matcher.matches(ReceivedFormats.qmailSign) else { return nil }
        for format in ReceivedFormats.qmail where format.read(&self.matcher, into: &self.relay) { break }
        // Whoever started qmail had asked for the name, or the field would have "unknown".
        if self.relay.reverseName == [UInt8](ascii: "unknown") {
            self.relay.reverseName = []
        } else {
            self.looksUpNames = true
        }
        return self.finished()
    }
}
