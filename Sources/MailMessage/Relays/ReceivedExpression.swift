/// Pieces in order, made ready to be held against lines: steps that each know what comes behind them. A class, so that looking at
/// one copies nothing of it, and of plain values, so that trying a step counts no references.
final class ReceivedExpression: Sendable, ExpressibleByArrayLiteral {
    enum Work {
        /// Octets of `texts`.
        case text(Range<Int>)
        case caseless(Range<Int>)
        /// As many octets of a set as possible, `maximum` at most.
        case run(ReceivedPattern.Slot?, OctetClass, minimum: Int, maximum: Int)
        case ip(ReceivedPattern.Slot?)
        case loopback
        /// A text that several pieces make begins here.
        case opens(ReceivedPattern.Slot)
        case closes(ReceivedPattern.Slot)
        case anything(ReceivedPattern.Slot?, minimum: Int, greedy: Bool)
        /// One of the steps with these numbers in `choices` comes next.
        case oneOf(Range<Int>)
        /// The step, and what comes behind it, does not fit.
        case not(Int)
        case boundary
        case end
        /// Nothing is left to do.
        case done
    }

    struct Step {
        let work: Work
        /// The number of the step that comes behind this one.
        let next: Int
        /// Octets that this step and what comes behind it may begin with: most tries end there.
        let openings: OctetClass
        /// The step fits at the end of a line, too.
        let fitsEnd: Bool

        func mayBegin(_ line: [UInt8], at index: Int) -> Bool {
            index < line.count ? self.openings.contains(line[index]) : self.fitsEnd
        }
    }

    let steps: [Step]
    /// The number of the step that comes first.
    let first: Int
    /// All texts of the pieces, one behind the other.
    let texts: [UInt8]
    let choices: [Int]
    /// The first of `needed` is what the pieces begin with.
    let beginsWithText: Bool
    /// Texts that every line has which the pieces fit, in the order in which they stand there.
    let needed: [Range<Int>]
    let pairs: OctetPairs.Needed

    init(_ pieces: [ReceivedPattern]) {
        var builder = Builder()
        self.first = builder.add(pieces[...], isNeeded: true, before: builder.done)
        self.steps = builder.steps
        self.texts = builder.texts
        self.choices = builder.choices
        self.needed = builder.needed.reversed()
        if case .text? = pieces.first { self.beginsWithText = true } else { self.beginsWithText = false }
        self.pairs = OctetPairs.Needed(pieces)
    }

    convenience init(arrayLiteral pieces: ReceivedPattern...) {
        self.init(pieces)
    }
}

extension ReceivedExpression {
    /// Makes steps from the last piece to the first: each is made when what comes behind it is there.
    private struct Builder {
        private(set) var steps = [Step(work: .done, next: 0, openings: .all, fitsEnd: true)]
        private(set) var texts: [UInt8] = []
        private(set) var choices: [Int] = []
        /// From the last to the first.
        private(set) var needed: [Range<Int>] = []

        /// The number of the step with nothing behind it.
        let done = 0

        /// - Parameter isNeeded: no line fits without these pieces.
        /// - Returns: the number of the step for the first piece.
        mutating func add(_ pieces: ArraySlice<ReceivedPattern>, isNeeded: Bool = false, before next: Int) -> Int {
            var next = next
            for piece in pieces.reversed() { next = self.add(piece, isNeeded, before: next) }
            return next
        }

        private mutating func add(_ piece: ReceivedPattern, _ isNeeded: Bool, before next: Int) -> Int {
            switch piece {
            case .text(let text):
                guard let first = text.first else { return next }
                let range = self.place(text)
                if isNeeded { self.needed.append(range) }
                return self.add(.text(range), before: next, OctetClass([first]))
            case .caseless(let text):
                guard let first = text.first else { return next }
                return self.add(.caseless(self.place(text)), before: next, OctetClass { $0.lowercased == first })
            case .words(let slot, let minimum):
                return self.addRun(slot, .words, minimum..<ReceivedPattern.unbounded, before: next)
            case .run(let slot, let set, let counts): return self.addRun(slot, set, counts, before: next)
            case .ip(let slot): return self.add(.ip(slot), before: next, .addressStarts)
            case .loopback: return self.add(.loopback, before: next, .addressStarts)
            case .capture(let slot, let group):
                let end = self.add(.closes(slot), like: next, before: next)
                let start = self.add(group[...], isNeeded: isNeeded, before: end)
                return self.add(.opens(slot), like: start, before: start)
            case .anything(let slot, let minimum, let greedy):
                return self.add(.anything(slot, minimum: minimum, greedy: greedy), before: next, .all, fitsEnd: minimum == 0)
            case .optional(let group): return self.addChoice([self.add(group[...], before: next), next])
            case .oneOf(let groups):
                var starts: [Int] = []
                for group in groups { starts.append(self.add(group[...], before: next)) }
                return self.addChoice(starts)
            case .not(let group): return self.add(.not(self.add(group[...], before: self.done)), like: next, before: next)
            case .boundary: return self.add(.boundary, like: next, before: next)
            case .end: return self.add(.end, before: next, OctetClass([]), fitsEnd: true)
            }
        }

        private mutating func addRun(
            _ slot: ReceivedPattern.Slot?,
            _ set: OctetClass,
            _ counts: Range<Int>,
            before next: Int
        ) -> Int {
            let work = Work.run(slot, set, minimum: counts.lowerBound, maximum: counts.upperBound - 1)
            guard counts.lowerBound == 0 else { return self.add(work, before: next, set) }
            var openings = set
            openings.formUnion(self.steps[next].openings)
            return self.add(work, before: next, openings, fitsEnd: self.steps[next].fitsEnd)
        }

        private mutating func addChoice(_ starts: [Int]) -> Int {
            var openings = OctetClass([])
            for start in starts { openings.formUnion(self.steps[start].openings) }
            let range = self.choices.count..<(self.choices.count + starts.count)
            self.choices += starts
            return self.add(.oneOf(range), before: self.done, openings, fitsEnd: starts.contains { self.steps[$0].fitsEnd })
        }

        /// A step that takes no octets itself.
        private mutating func add(_ work: Work, like other: Int, before next: Int) -> Int {
            self.add(work, before: next, self.steps[other].openings, fitsEnd: self.steps[other].fitsEnd)
        }

        private mutating func add(_ work: Work, before next: Int, _ openings: OctetClass, fitsEnd: Bool = false) -> Int {
            self.steps.append(Step(work: work, next: next, openings: openings, fitsEnd: fitsEnd))
            return self.steps.count - 1
        }

        private mutating func place(_ text: [UInt8]) -> Range<Int> {
            self.texts += text
            return (self.texts.count - text.count)..<self.texts.count
        }
    }
}
