/// Looks for many clues at once: each step of each has a bit that is set while a text may be so far, and one octet moves all bits on
/// together (Baeza-Yates and Gonnet, Communications of the ACM 35(10), 1992; gaps as Navarro and Raffinot have them). The cost is the
/// same whatever the text is.
struct ClueScanner: Sendable {
    private let clues: [(clue: Clue, number: Int)]
    /// Most groups of patterns have few clues, and the cost goes with the width.
    private let wide: [ClueBlock<SIMD8<UInt64>>]
    private let narrow: [ClueBlock<SIMD2<UInt64>>]

    /// - Parameter clues: each with the number that is told when it is found; of at most `Clue.maximumLength` steps.
    init(_ clues: [(clue: Clue, number: Int)]) {
        self.clues = clues
        var rest = clues[...]
        var wide: [ClueBlock<SIMD8<UInt64>>] = []
        var narrow: [ClueBlock<SIMD2<UInt64>>] = []
        while !rest.isEmpty {
            if rest.reduce(0, { $0 + $1.clue.steps.count }) > ClueBlock<SIMD2<UInt64>>.size {
                wide.append(ClueBlock(&rest))
            } else {
                narrow.append(ClueBlock(&rest))
            }
        }
        self.wide = wide
        self.narrow = narrow
    }

    /// Calls `found` with the number of each clue that the text has; more than once where clues share one.
    func scan(_ text: [UInt8], found: (Int) -> Void) {
        for block in self.wide { block.scan(text, found: found) }
        for block in self.narrow { block.scan(text, found: found) }
    }

    // MARK: - As octets

    func encoded() -> [UInt8] {
        self.clues.flatMap { clue, number in
            let head = [UInt32(number), UInt32(clue.steps.count)].flatMap { number in
                (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
            }
            return head + clue.steps.flatMap { $0.octets.encoded() + $0.gap.encoded() }
        }
    }

    /// nil for what `encoded` has not given.
    init?(encoded octets: ArraySlice<UInt8>) {
        var rest = octets
        func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func number() -> Int? { take(4)?.reversed().reduce(0) { $0 << 8 | Int($1) } }
        func set() -> OctetSet? { take(OctetSet.encodedSize).map(OctetSet.init(encoded:)) }
        var clues: [(clue: Clue, number: Int)] = []
        while !rest.isEmpty {
            guard let owner = number(), let count = number(), count <= Clue.maximumLength else { return nil }
            var steps: [Strand.Step] = []
            for _ in 0..<count {
                guard let octets = set(), let gap = set() else { return nil }
                steps.append(Strand.Step(octets: octets, gap: gap))
            }
            clues.append((Clue(steps: steps), owner))
        }
        self.init(clues)
    }
}

/// Clues whose steps are bits of one vector.
private struct ClueBlock<Bits: SIMD & Sendable>: Sendable where Bits.Scalar == UInt64 {
    /// What one octet does.
    private struct Move {
        /// Steps that it may be.
        var steps = Bits()
        /// Steps behind which it may stand in a gap.
        var gaps = Bits()
    }

    private var moves = Array(repeating: Move(), count: 256)
    private var firstSteps = Bits()
    private var lastSteps = Bits()
    /// By bit: whose last step it is; of no use for the others.
    private var owners = Array(repeating: 0, count: Self.size)

    private static var laneSize: Int { UInt64.bitWidth }
    /// Steps that there is room for.
    static var size: Int { Bits.scalarCount * self.laneSize }

    /// Takes as many of the clues as there is room for, at least one.
    init(_ clues: inout ArraySlice<(clue: Clue, number: Int)>) {
        var next = 0
        while let (clue, number) = clues.first {
            // A clue lies in one lane, so that the bits of a lane can be moved by themselves.
            if next % Self.laneSize + clue.steps.count > Self.laneSize { next += Self.laneSize - next % Self.laneSize }
            guard next < Self.size else { return }
            self.add(clue, number, at: next)
            next += clue.steps.count
            clues.removeFirst()
        }
    }

    private mutating func add(_ clue: Clue, _ number: Int, at place: Int) {
        let lane = place / Self.laneSize
        for (index, step) in clue.steps.enumerated() {
            let bit: UInt64 = 1 << UInt64(place % Self.laneSize + index)
            for octet in step.octets.members { self.moves[Int(octet)].steps[lane] |= bit }
            for octet in step.gap.members { self.moves[Int(octet)].gaps[lane] |= bit }
            if index == 0 { self.firstSteps[lane] |= bit }
            if index == clue.steps.count - 1 {
                self.lastSteps[lane] |= bit
                self.owners[place + index] = number
            }
        }
    }

    func scan(_ text: [UInt8], found: (Int) -> Void) {
        var state = Bits()
        var seen = Bits()
        let firstSteps = self.firstSteps
        self.moves.withUnsafeBufferPointer { moves in
            for octet in text {
                let move = moves[Int(octet)]
                state = (((state &<< 1) | firstSteps) & move.steps) | (state & move.gaps)
                seen |= state
            }
        }
        seen &= self.lastSteps
        for lane in 0..<Bits.scalarCount {
            var bits = seen[lane]
            while bits != 0 {
                found(self.owners[lane * Self.laneSize + bits.trailingZeroBitCount])
                bits &= bits - 1
            }
        }
    }
}
