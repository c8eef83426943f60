/// Looks for many clues at once: each step of each has a bit that is set while a text may be so far, and one octet moves all bits on
/// together (Baeza-Yates and Gonnet, Communications of the ACM 35(10), 1992; gaps as Navarro and Raffinot have them). The cost is the
/// same whatever the text is.
struct ClueScanner: Sendable {
    typealias Bits = SIMD8<UInt64>

    /// What one octet does.
    private struct Move {
        /// Steps that it may be.
        var steps = Bits()
        /// Steps behind which it may stand in a gap.
        var gaps = Bits()
    }

    private struct Block {
        var moves = Array(repeating: Move(), count: 256)
        var firstSteps = Bits()
        var lastSteps = Bits()
        /// By bit: whose last step it is; of no use for the others.
        var owners = Array(repeating: 0, count: ClueScanner.blockSize)
    }

    private let clues: [(clue: Clue, number: Int)]
    private var blocks: [Block] = []
    /// The next free bit of the last block.
    private var next = ClueScanner.blockSize

    private static let laneSize = UInt64.bitWidth
    private static let blockSize = Bits.scalarCount * UInt64.bitWidth

    /// - Parameter clues: each with the number that is told when it is found; of at most `Clue.maximumLength` steps.
    init(_ clues: [(clue: Clue, number: Int)]) {
        self.clues = clues
        for (clue, number) in clues { self.add(clue, number) }
    }

    private mutating func add(_ clue: Clue, _ number: Int) {
        // A clue lies in one lane, so that the bits of a lane can be moved by themselves.
        if self.next % Self.laneSize + clue.steps.count > Self.laneSize { self.next += Self.laneSize - self.next % Self.laneSize }
        if self.next >= Self.blockSize {
            self.blocks.append(Block())
            self.next = 0
        }
        let lane = self.next / Self.laneSize
        let last = self.blocks.count - 1
        for (index, step) in clue.steps.enumerated() {
            let bit: UInt64 = 1 << UInt64(self.next % Self.laneSize + index)
            for octet in step.octets.members { self.blocks[last].moves[Int(octet)].steps[lane] |= bit }
            for octet in step.gap.members { self.blocks[last].moves[Int(octet)].gaps[lane] |= bit }
            if index == 0 { self.blocks[last].firstSteps[lane] |= bit }
            if index == clue.steps.count - 1 {
                self.blocks[last].lastSteps[lane] |= bit
                self.blocks[last].owners[self.next + index] = number
            }
        }
        self.next += clue.steps.count
    }

    /// Calls `found` with the number of each clue that the text has; more than once where clues share one.
    func scan(_ text: [UInt8], found: (Int) -> Void) {
        for block in self.blocks {
            var state = Bits()
            var seen = Bits()
            let firstSteps = block.firstSteps
            block.moves.withUnsafeBufferPointer { moves in
                for octet in text {
                    let move = moves[Int(octet)]
                    state = (((state &<< 1) | firstSteps) & move.steps) | (state & move.gaps)
                    seen |= state
                }
            }
            seen &= block.lastSteps
            for lane in 0..<Bits.scalarCount {
                var bits = seen[lane]
                while bits != 0 {
                    found(block.owners[lane * Self.laneSize + bits.trailingZeroBitCount])
                    bits &= bits - 1
                }
            }
        }
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
