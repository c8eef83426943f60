import MailTypes

/// Holds patterns against one line. What one that fits has found can be asked for until the next one is tried.
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

    /// The pattern at the start of the line.
    mutating func matches(_ expression: ReceivedExpression) -> Bool {
        guard self.begin(expression, at: 0) != nil else { return false }
        return self.match(expression, expression.first, at: 0) != nil
    }

    /// The first place where the pattern fits.
    mutating func find(_ expression: ReceivedExpression, from start: Int = 0) -> Range<Int>? {
        guard var index = self.begin(expression, at: start) else { return nil }
        while index <= self.line.count {
            if expression.beginsWithText {
                guard let next = self.next(expression.needed[0], of: expression, from: index) else { return nil }
                index = next
            } else {
                while index < self.line.count, !expression.steps[expression.first].openings.contains(self.line[index]) {
                    index += 1
                }
            }
            if let end = self.match(expression, expression.first, at: index) { return index..<end }
            index += 1
        }
        return nil
    }

    mutating func contains(_ expression: ReceivedExpression) -> Bool { self.find(expression) != nil }

    /// Forgets what was found before.
    /// - Returns: from where on the pattern may fit; nil if a cheap look shows that it fits nowhere, which spares most tries.
    private mutating func begin(_ expression: ReceivedExpression, at start: Int) -> Int? {
        guard self.pairs.mayHave(expression.pairs) else { return nil }
        for slot in self.captures.indices { self.captures[slot] = nil }
        var first = start
        var index = start
        for (number, text) in expression.needed.enumerated() {
            guard let place = self.next(text, of: expression, from: index) else { return nil }
            if number == 0, expression.beginsWithText { first = place }
            index = place + text.count
        }
        return first
    }

    private func next(_ text: Range<Int>, of expression: ReceivedExpression, from start: Int) -> Int? {
        let first = expression.texts[text.lowerBound]
        var index = start
        while index + text.count <= self.line.count {
            if self.line[index] == first, self.hasText(text, of: expression, at: index) { return index }
            index += 1
        }
        return nil
    }

    private func hasText(_ text: Range<Int>, of expression: ReceivedExpression, at start: Int) -> Bool {
        guard start + text.count <= self.line.count else { return false }
        for offset in 0..<text.count where self.line[start + offset] != expression.texts[text.lowerBound + offset] {
            return false
        }
        return true
    }

    /// - Parameter text: in lower case.
    private func hasCaseless(_ text: Range<Int>, of expression: ReceivedExpression, at start: Int) -> Bool {
        guard start + text.count <= self.line.count else { return false }
        for offset in 0..<text.count
        where self.line[start + offset].lowercased != expression.texts[text.lowerBound + offset] {
            return false
        }
        return true
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

    // MARK: - Steps

    /// - Returns: where what the step and all behind it take ends; nil if that does not fit.
    private mutating func match(_ expression: ReceivedExpression, _ number: Int, at start: Int) -> Int? {
        let next = expression.steps[number].next
        if case .done = expression.steps[number].work { return start }
        guard self.steps < Self.maximumSteps, expression.steps[number].mayBegin(self.line, at: start) else { return nil }
        self.steps += 1
        switch expression.steps[number].work {
        case .text(let text):
            guard self.hasText(text, of: expression, at: start) else { return nil }
            return self.match(expression, next, at: start + text.count)
        case .caseless(let text):
            guard self.hasCaseless(text, of: expression, at: start) else { return nil }
            return self.match(expression, next, at: start + text.count)
        case .run(let slot, let set, let minimum, let maximum):
            var end = start
            while end < self.line.count, end - start < maximum, set.contains(self.line[end]) { end += 1 }
            return self.end(expression, next, slot, start, at: stride(from: end, through: start + minimum, by: -1))
        case .ip(let slot):
            guard let end = AddressText.end(self.line, at: start) else { return nil }
            return self.end(expression, next, slot, start, at: stride(from: end, through: end, by: 1))
        case .loopback:
            guard let end = AddressText.end(self.line, at: start), self.isLoopback(start..<end) else { return nil }
            return self.match(expression, next, at: end)
        case .opens(let slot):
            let saved = self.captures[slot.rawValue]
            self.captures[slot.rawValue] = start..<start
            if let end = self.match(expression, next, at: start) { return end }
            self.captures[slot.rawValue] = saved
            return nil
        case .closes(let slot):
            guard let saved = self.captures[slot.rawValue] else { return nil }
            self.captures[slot.rawValue] = saved.lowerBound..<start
            if let end = self.match(expression, next, at: start) { return end }
            self.captures[slot.rawValue] = saved
            return nil
        case .anything(let slot, let minimum, greedy: true):
            return self.end(expression, next, slot, start, at: stride(from: self.line.count, through: start + minimum, by: -1))
        case .anything(let slot, let minimum, greedy: false):
            return self.end(expression, next, slot, start, at: stride(from: start + minimum, through: self.line.count, by: 1))
        case .oneOf(let choices):
            for choice in choices {
                if let end = self.match(expression, expression.choices[choice], at: start) { return end }
            }
            return nil
        case .not(let other):
            return self.match(expression, other, at: start) == nil ? self.match(expression, next, at: start) : nil
        case .boundary:
            return self.isBoundary(start) ? self.match(expression, next, at: start) : nil
        case .end:
            return start == self.line.count ? self.match(expression, next, at: start) : nil
        case .done:
            return start
        }
    }

    /// Lets what began at `start` end at one place after the other, until what comes behind it fits.
    private mutating func end(
        _ expression: ReceivedExpression,
        _ next: Int,
        _ slot: ReceivedPattern.Slot?,
        _ start: Int,
        at ends: StrideThrough<Int>
    ) -> Int? {
        let saved = slot.map { self.captures[$0.rawValue] }
        for end in ends {
            guard self.steps < Self.maximumSteps else { break }
            if expression.steps[next].mayBegin(self.line, at: end) {
                if let slot { self.captures[slot.rawValue] = start..<end }
                if let result = self.match(expression, next, at: end) { return result }
            } else {
                self.steps += 1
            }
        }
        if let slot, let saved { self.captures[slot.rawValue] = saved }
        return nil
    }
}
