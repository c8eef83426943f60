import MailTypes

/// A form in which mail servers write the `from … by … with …` of a Received field (RFC 5321 §4.4, and what is written
/// instead): texts, words and addresses in order.
indirect enum ReceivedPattern: Sendable, ExpressibleByStringLiteral {
    /// What a piece of the text is.
    enum Slot: Int, CaseIterable, Sendable {
        case helo
        case reverseName
        case address
        case by
        case ident
        case id
        case envelopeFrom
        /// `helo=… ident=…`, taken apart later.
        case details
        case first
        case second
    }

    case text([UInt8])
    /// In upper or lower case; given in lower case.
    case caseless([UInt8])
    /// Octets that are no white space, as many as possible.
    case words(Slot?, minimum: Int)
    /// Octets of a set, as many as possible.
    case run(Slot?, OctetClass, Range<Int>)
    case ip(Slot?)
    /// An address of the host itself.
    case loopback
    /// Several pieces that are one text.
    case capture(Slot, [ReceivedPattern])
    /// Where such a text ends; stands in no table.
    case captured(Slot, from: Int)
    /// Anything, as much (greedy) or as little as possible.
    case anything(Slot?, minimum: Int, greedy: Bool)
    case optional([ReceivedPattern])
    case oneOf([[ReceivedPattern]])
    case not([ReceivedPattern])
    /// Between a letter, digit or underscore and something else.
    case boundary
    case end

    init(stringLiteral value: String) {
        self = .text(Array(value.utf8))
    }

    static func word(_ slot: Slot) -> ReceivedPattern { .words(slot, minimum: 1) }
    /// A word that may be missing.
    static func maybe(_ slot: Slot) -> ReceivedPattern { .words(slot, minimum: 0) }
    static let word = ReceivedPattern.words(nil, minimum: 1)
    static let maybe = ReceivedPattern.words(nil, minimum: 0)
    static let ip = ReceivedPattern.ip(.address)
    static let otherIP = ReceivedPattern.ip(nil)
    static let anything = ReceivedPattern.anything(nil, minimum: 0, greedy: true)
    static let something = ReceivedPattern.anything(nil, minimum: 1, greedy: true)
    static let little = ReceivedPattern.anything(nil, minimum: 0, greedy: false)
    static let hello = ReceivedPattern.oneOf([["HELO"], ["EHLO"]])
    static let digits = ReceivedPattern.run(nil, .digits, 1..<unbounded)
    /// At least one octet that is no closing parenthesis.
    static let comment = ReceivedPattern.run(nil, .except(")"), 1..<unbounded)

    static let unbounded = Int.max
}

/// A set of octets.
struct OctetClass: Sendable {
    private var low: UInt128 = 0
    private var high: UInt128 = 0

    init(_ isMember: (UInt8) -> Bool) {
        for octet in 0..<128 as Range<UInt8> {
            if isMember(octet) { self.low |= 1 << UInt128(octet) }
            if isMember(octet | 0x80) { self.high |= 1 << UInt128(octet) }
        }
    }

    init(_ octets: [UInt8]) {
        for octet in octets { self.insert(octet) }
    }

    private mutating func insert(_ octet: UInt8) {
        if octet < 0x80 { self.low |= 1 << UInt128(octet) } else { self.high |= 1 << UInt128(octet & 0x7f) }
    }

    mutating func formUnion(_ other: OctetClass) {
        self.low |= other.low
        self.high |= other.high
    }

    func contains(_ octet: UInt8) -> Bool {
        (octet < 0x80 ? self.low : self.high) >> UInt128(octet & 0x7f) & 1 != 0
    }

    static func except(_ text: String) -> OctetClass { OctetClass { !text.utf8.contains($0) } }
    static func among(_ text: String) -> OctetClass { OctetClass { text.utf8.contains($0) } }
    static let digits = OctetClass(\.isDigit)
}

/// The octets that stand side by side in a line, letters in either case, told with some that do not.
struct OctetPairs: Sendable {
    private var bits: SIMD16<UInt64> = .zero

    init(_ line: [UInt8] = []) {
        for index in line.indices.dropFirst() {
            let place = OctetPairs.place(line[index - 1], line[index])
            self.bits[place >> 6] |= 1 << UInt64(place & 63)
        }
    }

    /// Those that every line has which the pieces fit.
    init(neededBy pieces: [ReceivedPattern]) {
        for piece in pieces {
            switch piece {
            case .text(let text), .caseless(let text): self.bits |= OctetPairs(text).bits
            case .capture(_, let group): self.bits |= OctetPairs(neededBy: group).bits
            case .oneOf(let groups):
                let needed = groups.map { OctetPairs(neededBy: $0).bits }
                self.bits |= needed.dropFirst().reduce(needed.first ?? .zero) { $0 & $1 }
            case .words, .run, .ip, .loopback, .captured, .anything, .optional, .not, .boundary, .end: break
            }
        }
    }

    /// False: a line with these pairs lacks one of the others.
    func mayHave(_ needed: OctetPairs) -> Bool { self.bits & needed.bits == needed.bits }

    /// False: the text is not there.
    func mayHave(_ text: [UInt8]) -> Bool {
        for index in text.indices.dropFirst() {
            let place = OctetPairs.place(text[index - 1], text[index])
            if self.bits[place >> 6] >> UInt64(place & 63) & 1 == 0 { return false }
        }
        return true
    }

    private static func place(_ first: UInt8, _ second: UInt8) -> Int {
        (Int(first.lowercased) * 31 + Int(second.lowercased)) & 1_023
    }
}

/// Pieces in order, with what shows at a glance that a line does not have them. A class, so that looking at one copies nothing of it.
final class ReceivedExpression: Sendable, ExpressibleByArrayLiteral {
    let pieces: [ReceivedPattern]
    fileprivate let pairs: OctetPairs

    init(_ pieces: [ReceivedPattern]) {
        self.pieces = pieces
        self.pairs = OctetPairs(neededBy: pieces)
    }

    convenience init(arrayLiteral pieces: ReceivedPattern...) {
        self.init(pieces)
    }
}

/// Holds patterns against one line; what was found stays until the next pattern is tried.
struct ReceivedMatcher {
    let line: [UInt8]
    private let pairs: OctetPairs
    private var captures = [Range<Int>?](repeating: nil, count: ReceivedPattern.Slot.allCases.count)
    private var steps = 0

    /// Steps of all patterns together on one field. Fields of real mail take some hundreds; this bounds what a field made
    /// of nothing but brackets can cost.
    private static let maximumSteps = 100_000

    init(_ line: [UInt8]) {
        self.init(line, OctetPairs(line))
    }

    private init(_ line: [UInt8], _ pairs: OctetPairs) {
        self.line = line
        self.pairs = pairs
    }

    /// A piece of the line by itself. What the whole lacks the piece lacks, too.
    func part(_ range: Range<Int>) -> ReceivedMatcher { ReceivedMatcher(Array(self.line[range]), self.pairs) }

    subscript(slot: ReceivedPattern.Slot) -> [UInt8]? { self.captures[slot.rawValue].map { Array(self.line[$0]) } }

    func range(of slot: ReceivedPattern.Slot) -> Range<Int>? { self.captures[slot.rawValue] }

    /// The pattern at the start of the line.
    mutating func matches(_ expression: ReceivedExpression) -> Bool {
        self.reset()
        guard self.pairs.mayHave(expression.pairs), self.hasTexts(of: expression.pieces) else { return false }
        return self.match(expression.pieces[...], at: 0) != nil
    }

    /// The first place where the pattern fits.
    mutating func find(_ expression: ReceivedExpression, from start: Int = 0) -> Range<Int>? {
        self.reset()
        guard self.pairs.mayHave(expression.pairs), self.hasTexts(of: expression.pieces) else { return nil }
        let pattern = expression.pieces
        var index = start
        let openings = pattern.first.flatMap(ReceivedMatcher.openings)
        while index <= self.line.count {
            if case .text(let text)? = pattern.first {
                guard let next = self.next(text, from: index) else { return nil }
                index = next
            } else if let openings {
                while index < self.line.count, !openings.contains(self.line[index]) { index += 1 }
            }
            if self.mayBegin(pattern.first, at: index), let end = self.match(pattern[...], at: index) { return index..<end }
            index += 1
        }
        return nil
    }

    func contains(_ text: String) -> Bool { self.next(Array(text.utf8), from: 0) != nil }

    /// Whether the texts that the pattern cannot do without are somewhere in the line: a cheap look that spares most tries.
    private func hasTexts(of pattern: [ReceivedPattern]) -> Bool {
        for element in pattern {
            switch element {
            case .text(let text): guard self.pairs.mayHave(text), self.next(text, from: 0) != nil else { return false }
            case .caseless(let text): guard self.pairs.mayHave(text) else { return false }
            case .oneOf(let groups): guard groups.contains(where: self.hasTexts) else { return false }
            case .capture(_, let group): guard self.hasTexts(of: group) else { return false }
            case .words, .run, .ip, .loopback, .captured, .anything, .optional, .not, .boundary, .end: break
            }
        }
        return true
    }

    private func next(_ text: [UInt8], from start: Int) -> Int? {
        guard let first = text.first else { return start }
        var index = start
        while index + text.count <= self.line.count {
            if self.line[index] == first, self.hasText(text, at: index) { return index }
            index += 1
        }
        return nil
    }

    private func hasText(_ text: [UInt8], at start: Int) -> Bool {
        guard start + text.count <= self.line.count else { return false }
        for offset in 0..<text.count where self.line[start + offset] != text[offset] { return false }
        return true
    }

    private mutating func reset() {
        for index in self.captures.indices { self.captures[index] = nil }
    }

    private func isBoundary(_ index: Int) -> Bool {
        let before = index > 0 && self.line[index - 1].isWordOctet
        let behind = index < self.line.count && self.line[index].isWordOctet
        return before != behind
    }

    private func isLoopback(_ range: Range<Int>) -> Bool {
        var text = Array(self.line[range])
        if text.hasPrefix([UInt8](ascii: "ipv6:"), at: 0) { text.removeFirst(5) }
        let address = AddressText.address(text)
        return address == .loopback4 || address == .loopback6
    }

    private mutating func match(_ pattern: ArraySlice<ReceivedPattern>, at start: Int) -> Int? {
        guard let element = pattern.first else { return start }
        guard self.steps < Self.maximumSteps else { return nil }
        self.steps += 1
        let rest = pattern.dropFirst()
        switch element {
        case .text(let text):
            return self.hasText(text, at: start) ? self.match(rest, at: start + text.count) : nil
        case .caseless(let text):
            return self.line.hasPrefix(text, at: start) ? self.match(rest, at: start + text.count) : nil
        case .words(let slot, let minimum):
            var end = start
            while end < self.line.count, !self.line[end].isSpace { end += 1 }
            return self.backtrack(slot, start, minimum: minimum, from: end, rest)
        case .run(let slot, let set, let counts):
            var end = start
            while end < self.line.count, end - start < counts.upperBound - 1, set.contains(self.line[end]) { end += 1 }
            return self.backtrack(slot, start, minimum: counts.lowerBound, from: end, rest)
        case .ip(let slot):
            guard let end = AddressText.end(self.line, at: start) else { return nil }
            return self.backtrack(slot, start, minimum: end - start, from: end, rest)
        case .loopback:
            guard let end = AddressText.end(self.line, at: start), self.isLoopback(start..<end) else { return nil }
            return self.match(rest, at: end)
        case .capture(let slot, let group):
            return self.match(group + [.captured(slot, from: start)] + rest, at: start)
        case .captured(let slot, let from):
            let saved = self.captures[slot.rawValue]
            self.captures[slot.rawValue] = from..<start
            if let end = self.match(rest, at: start) { return end }
            self.captures[slot.rawValue] = saved
            return nil
        case .anything(let slot, let minimum, true):
            return self.backtrack(slot, start, minimum: minimum, from: self.line.count, rest)
        case .anything(let slot, let minimum, false):
            return self.advance(slot, start, minimum: minimum, rest)
        case .optional(let group):
            if self.mayBegin(group.first, at: start), let end = self.match(group + rest, at: start) { return end }
            return self.match(rest, at: start)
        case .oneOf(let groups):
            for group in groups where self.mayBegin(group.first, at: start) {
                if let end = self.match(group + rest, at: start) { return end }
            }
            return nil
        case .not(let group):
            return self.match(group[...], at: start) == nil ? self.match(rest, at: start) : nil
        case .boundary:
            return self.isBoundary(start) ? self.match(rest, at: start) : nil
        case .end:
            return start == self.line.count ? self.match(rest, at: start) : nil
        }
    }

    private mutating func backtrack(
        _ slot: ReceivedPattern.Slot?,
        _ start: Int,
        minimum: Int,
        from longest: Int,
        _ rest: ArraySlice<ReceivedPattern>
    ) -> Int? {
        let saved = slot.map { self.captures[$0.rawValue] }
        var end = longest
        while end >= start + minimum, self.steps < Self.maximumSteps {
            if self.mayBegin(rest.first, at: end) {
                if let slot { self.captures[slot.rawValue] = start..<end }
                if let result = self.match(rest, at: end) { return result }
            } else {
                self.steps += 1
            }
            end -= 1
        }
        if let slot, let saved { self.captures[slot.rawValue] = saved }
        return nil
    }

    private mutating func advance(
        _ slot: ReceivedPattern.Slot?,
        _ start: Int,
        minimum: Int,
        _ rest: ArraySlice<ReceivedPattern>
    ) -> Int? {
        let saved = slot.map { self.captures[$0.rawValue] }
        var end = start + minimum
        while end <= self.line.count, self.steps < Self.maximumSteps {
            if self.mayBegin(rest.first, at: end) {
                if let slot { self.captures[slot.rawValue] = start..<end }
                if let result = self.match(rest, at: end) { return result }
            } else {
                self.steps += 1
            }
            end += 1
        }
        if let slot, let saved { self.captures[slot.rawValue] = saved }
        return nil
    }

    /// The octets that a piece may begin with; nil when any will do, or none.
    private static func openings(of element: ReceivedPattern) -> OctetClass? {
        switch element {
        case .text(let text): return text.first.map { OctetClass([$0]) }
        case .caseless(let text): return text.first.map { OctetClass($0.isLetter ? [$0, $0 ^ 0x20] : [$0]) }
        case .run(_, let set, let counts): return counts.lowerBound > 0 ? set : nil
        case .capture(_, let group): return group.first.flatMap(self.openings)
        case .oneOf(let groups):
            var union = OctetClass([])
            for group in groups {
                guard let openings = group.first.flatMap(self.openings) else { return nil }
                union.formUnion(openings)
            }
            return union
        case .words, .ip, .loopback, .captured, .anything, .optional, .not, .boundary, .end: return nil
        }
    }

    /// Says quickly that there is no use in trying: most tries end at the first octet.
    private func mayBegin(_ element: ReceivedPattern?, at index: Int) -> Bool {
        guard let element else { return true }
        switch element {
        case .text(let text):
            return text.first.map { index < self.line.count && self.line[index] == $0 } ?? true
        case .caseless(let text):
            return text.first.map { index < self.line.count && self.line[index].lowercased == $0 } ?? true
        case .words(_, let minimum):
            return minimum == 0 || index < self.line.count && !self.line[index].isSpace
        case .run(_, let set, let counts):
            return counts.lowerBound == 0 || index < self.line.count && set.contains(self.line[index])
        case .capture(_, let group):
            return self.mayBegin(group.first, at: index)
        case .oneOf(let groups):
            return groups.contains { self.mayBegin($0.first, at: index) }
        case .boundary:
            return self.isBoundary(index)
        case .end:
            return index == self.line.count
        case .ip, .loopback, .captured, .anything, .optional, .not:
            return true
        }
    }
}
