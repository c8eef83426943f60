/// What every text has in which a pattern matches, told so simply that it is quickly looked for: one of some clues. A text without
/// any of them does not match; one with a clue may.
struct PatternOutline: Sendable {
    /// Regular expressions of the clues that are words, each in all its spellings.
    let words: [[UInt8]]
    /// The other clues.
    let others: [Clue]
    /// What looking for them costs, and searching the texts that have one, in nanoseconds for each octet of ordinary text.
    let cost: Double

    /// nil for a pattern that is not understood, or matches texts that have nothing in common.
    init?(_ pattern: Pattern) {
        guard let (node, groups) = PatternNodeReader.read(pattern.source, options: pattern.options) else { return nil }
        var tracer = OutlineTracer(groups: groups)
        guard let clues = tracer.trace(node).bestClues else { return nil }
        let spelt = clues.clues.map { ($0, $0.words) }
        self.words = Set(spelt.flatMap { $0.1 ?? [] }).sorted { $0.lexicographicallyPrecedes($1) }
        self.others = spelt.filter { $0.1 == nil }.map(\.0)
        self.cost = clues.cost
    }

    /// Steps of all clues that are no words.
    var stepCount: Int { self.others.reduce(0) { $0 + $1.steps.count } }
}

/// Clues one of which must be there.
private struct ClueSet {
    private(set) var clues: Set<Clue> = []
    private(set) var cost = 0.0

    /// More clues than this tell too little.
    private static let maximumCount = 600

    private init() {}

    private mutating func insert(_ clue: Clue, cost: Double) {
        if self.clues.insert(clue).inserted { self.cost += cost }
    }

    /// nil if one of the strands has no clue.
    init?(_ strands: [Strand]) {
        for strand in strands {
            guard let (clue, cost) = Clue.best(of: strand) else { return nil }
            self.insert(clue, cost: cost)
        }
    }

    /// nil if one has none, or there are too many.
    static func union(_ sets: [ClueSet?]) -> ClueSet? {
        var result = ClueSet()
        for set in sets {
            guard let set else { return nil }
            result.clues.formUnion(set.clues)
            result.cost += set.cost
        }
        return result.clues.count <= self.maximumCount ? result : nil
    }

    static func better(_ one: ClueSet?, _ other: ClueSet?) -> ClueSet? {
        guard let one, let other else { return one ?? other }
        return other.cost < one.cost ? other : one
    }
}

/// What is known of a piece of a pattern.
private struct OutlineShape {
    /// Each text that the piece matches is one of these.
    var strands: [Strand]
    /// Found on the way to the strands; in any text, not only within the match.
    var clues: ClueSet?

    static let nothing = OutlineShape(strands: [Strand()])
    static let anything = OutlineShape(strands: [Strand(lead: .all)])

    var octets: OctetSet { self.strands.reduce(OctetSet()) { $0.union($1.octets) } }

    /// The best of all.
    var bestClues: ClueSet? { ClueSet.better(self.clues, ClueSet(self.strands)) }
}

private struct OutlineTracer {
    let groups: [[UInt8]: PatternNode]
    private var known: [[UInt8]: OutlineShape] = [:]
    private var open: Set<[UInt8]> = []

    /// Strands that are followed at once.
    private static let maximumStrands = 600
    /// Strands that come of pieces behind each other.
    private static let maximumProduct = 48
    /// Octets of the longest spelling of a letter. More spellings than so many, one of them of one octet, become one strand.
    private static let letterLength = 8
    private static let letterSpellings = 4
    /// Repeats that are written out.
    private static let maximumRepeats = 8
    /// Octets as frequent as that can be left in doubt between others.
    private static let doubtfulGap = 0.3

    init(groups: [[UInt8]: PatternNode]) {
        self.groups = groups
    }

    mutating func trace(_ node: PatternNode) -> OutlineShape {
        switch node {
        case .octet(let set): return OutlineShape(strands: [Strand(steps: [Strand.Step(octets: set)])])
        case .sequence(let nodes):
            var shape = OutlineShape.nothing
            for node in nodes { self.append(self.trace(node), to: &shape) }
            return shape
        case .alternatives(let nodes): return self.traceAlternatives(nodes)
        case .repeated(let node, let least, let most): return self.traceRepeats(self.trace(node), least, most)
        case .besides(let node): return OutlineShape(strands: [Strand()], clues: self.trace(node).bestClues)
        case .call(let name): return self.traceCall(name)
        case .anything: return .anything
        }
    }

    private func append(_ next: OutlineShape, to shape: inout OutlineShape) {
        shape.clues = ClueSet.better(shape.clues, next.clues)
        if next.strands.count == 1 || shape.strands.count * next.strands.count <= Self.maximumProduct {
            shape.strands = shape.strands.flatMap { strand in next.strands.map { strand.followed(by: $0) } }
            return
        }
        // From here on what came before is forgotten.
        shape.clues = ClueSet.better(shape.clues, ClueSet(shape.strands))
        shape.strands = next.strands.map { Strand(lead: .all).followed(by: $0) }
    }

    private mutating func traceAlternatives(_ nodes: [PatternNode]) -> OutlineShape {
        let shapes = nodes.map { self.trace($0) }
        var strands = shapes.flatMap(\.strands)
        let clues = ClueSet.union(shapes.map(\.bestClues))
        let lengths = strands.map(\.steps.count)
        if strands.count > Self.letterSpellings, lengths.min() == 1, (lengths.max() ?? 0) <= Self.letterLength {
            strands = [Strand.covering(strands)]
        } else if strands.count > Self.maximumStrands {
            strands = [Strand(lead: strands.reduce(OctetSet()) { $0.union($1.octets) })]
        }
        return OutlineShape(strands: strands, clues: clues)
    }

    private func traceRepeats(_ shape: OutlineShape, _ least: Int, _ most: Int?) -> OutlineShape {
        let octets = shape.octets
        if least == 0 {
            let isDoubtful = octets.frequency > Self.doubtfulGap
            if most == 0 { return .nothing }
            if most == 1, isDoubtful, shape.strands.count <= 2 { return OutlineShape(strands: [Strand()] + shape.strands) }
            return OutlineShape(strands: [Strand(lead: octets)])
        }
        var result = shape
        let written = min(least, Self.maximumRepeats)
        for _ in 1..<written { self.append(shape, to: &result) }
        if most != written { self.append(OutlineShape(strands: [Strand(lead: octets)]), to: &result) }
        return result
    }

    private mutating func traceCall(_ name: [UInt8]) -> OutlineShape {
        if let shape = self.known[name] { return shape }
        guard let node = self.groups[name], self.open.insert(name).inserted else { return .anything }
        let shape = self.trace(node)
        self.open.remove(name)
        self.known[name] = shape
        return shape
    }
}
