/// Texts told by one octet behind the other, each with what may stand behind it.
struct Strand: Hashable, Sendable {
    struct Step: Hashable, Sendable {
        var octets: OctetSet
        /// Any number of these may follow.
        var gap = OctetSet()
    }

    /// Any number of these may stand before the first step.
    var lead = OctetSet()
    var steps: [Step] = []

    /// Steps that are kept.
    private static let maximumLength = 100

    /// All octets that may be in it.
    var octets: OctetSet {
        self.steps.reduce(self.lead) { $0.union($1.octets).union($1.gap) }
    }

    func followed(by next: Strand) -> Strand {
        var result = self
        if result.steps.isEmpty {
            result.lead.formUnion(next.lead)
        } else {
            result.steps[result.steps.count - 1].gap.formUnion(next.lead)
        }
        result.steps += next.steps
        // What is behind could be anything.
        if result.steps.count > Strand.maximumLength {
            result.steps.removeLast(result.steps.count - Strand.maximumLength)
            result.steps[Strand.maximumLength - 1].gap = .all
        }
        return result
    }

    /// One strand for all texts of some.
    static func covering(_ strands: [Strand]) -> Strand {
        let count = strands.map(\.steps.count).min() ?? 0
        var result = Strand(steps: Array(repeating: Step(octets: OctetSet()), count: count))
        for strand in strands {
            result.lead.formUnion(strand.lead)
            for (index, step) in strand.steps.enumerated() {
                if index < count {
                    result.steps[index].octets.formUnion(step.octets)
                    result.steps[index].gap.formUnion(step.gap)
                } else if count > 0 {
                    result.steps[count - 1].gap.formUnion(step.octets.union(step.gap))
                } else {
                    result.lead.formUnion(step.octets.union(step.gap))
                }
            }
        }
        return result
    }
}

/// Steps in a row that a text is searched for.
struct Clue: Hashable, Sendable {
    /// The last one has no gap.
    let steps: [Strand.Step]

    /// Steps of the longest clue: more hardly say more.
    static let maximumLength = 10
    /// Words that a clue may stand for and still be looked for as words.
    private static let maximumWords = 16
    private static let minimumWordLength = 3
    /// A gap of octets that are as frequent as that leads anywhere.
    private static let widestGap = 0.5

    // Costs in nanoseconds for each octet of a text, as measured: of a word among others, of a step of a clue that is no word,
    // and of a search with the pattern.
    private static let wordCost = 0.002
    private static let stepCost = 0.01
    private static let searchCost = 1_000.0

    /// The clue of a strand that costs least; nil if it has none.
    static func best(of strand: Strand) -> (clue: Clue, cost: Double)? {
        let steps = strand.steps
        let frequencies = steps.map { ($0.octets.frequency, $0.gap.frequency) }
        var best: (range: Range<Int>, cost: Double)?
        for start in steps.indices {
            var frequency = 1.0
            var words = 1
            for index in start..<min(start + Clue.maximumLength, steps.count) {
                if index > start {
                    let gap = frequencies[index - 1].1
                    if gap > Clue.widestGap { break }
                    frequency /= 1 - gap
                    // A gap makes words of any number.
                    if !steps[index - 1].gap.isEmpty { words = .max }
                }
                frequency *= frequencies[index].0
                words =
                    words.multipliedReportingOverflow(by: steps[index].octets.spellings).overflow
                    ? .max : words * steps[index].octets.spellings
                let count = index + 1 - start
                let isWord = words <= Clue.maximumWords && count >= Clue.minimumWordLength
                let cost = frequency * Clue.searchCost + (isWord ? Double(words) * Clue.wordCost : Double(count) * Clue.stepCost)
                if cost < best?.cost ?? .infinity { best = (start..<(index + 1), cost) }
            }
        }
        guard let best else { return nil }
        var chosen = Array(steps[best.range])
        chosen[chosen.count - 1].gap = OctetSet()
        return (Clue(steps: chosen), best.cost)
    }

    /// Regular expressions of a single word each, in all its spellings; nil for a clue that stands for too many.
    var words: [[UInt8]]? {
        guard self.steps.count >= Clue.minimumWordLength, self.steps.allSatisfy({ $0.gap.isEmpty }) else { return nil }
        var words: [[UInt8]] = [[]]
        for step in self.steps {
            let spellings =
                step.octets.isOneLetter ? [step.octets.expression] : step.octets.members.map { OctetSet($0...$0).expression }
            guard words.count * spellings.count <= Clue.maximumWords else { return nil }
            words = words.flatMap { word in spellings.map { word + $0 } }
        }
        return words
    }
}

extension OctetSet {
    /// A letter in both cases.
    fileprivate var isOneLetter: Bool {
        let members = self.members
        return members.count == 2 && members[0] ^ 0x20 == members[1] && OctetSet.letters.contains(members[0])
    }

    fileprivate var spellings: Int { self.isOneLetter ? 1 : self.members.count }

    /// `\x61`, `[\x41\x61-\x63]`
    var expression: [UInt8] {
        let members = self.ranges.flatMap { range in
            OctetSet.escape(range.lowerBound)
                + (range.count == 1 ? [] : [UInt8(ascii: "-")] + OctetSet.escape(range.upperBound))
        }
        return members.count == 4 ? members : [UInt8(ascii: "[")] + members + [UInt8(ascii: "]")]
    }

    private static func escape(_ octet: UInt8) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(octet >> 4)], digits[Int(octet & 15)]]
    }
}
