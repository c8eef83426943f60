/// The text that a view hands to patterns, as far as it is sure.
struct TextShape: Hashable, Sendable {
    /// Octets that can stand in it.
    var bytes = ByteSet.all
    /// A line feed stands at the end or nowhere.
    var isOneLine = false

    static let any = TextShape()
    static let oneLine = TextShape(isOneLine: true)
}

/// Finds out whether a pattern can match anything at all, by walking through its automaton with all that is known of the text
/// before and behind the place.
struct PatternReach {
    /// Combinations that are looked at before it is left open.
    private static let maximumWork = 40_000

    /// What stands before the place.
    private enum Before: UInt8, Hashable {
        case start
        case lineFeed
        case word
        case other
    }

    /// What may come next.
    private struct Next: Hashable {
        var bytes: ByteSet
        /// The text may end here.
        var mayEnd = true
        /// Once an octet was read, the text must end.
        var thenEnds = false

        var isPossible: Bool { self.mayEnd || !self.bytes.isEmpty }
    }

    private struct Place: Hashable {
        var state: Int
        var before: Before
        var next: Next
    }

    private let automaton: PatternAutomaton
    private let shape: TextShape
    private var seen: Set<Place> = []
    private var open: [Place] = []

    /// - Returns: whether some text of that shape can match; true also when it was too much to find out.
    static func canMatch(_ automaton: PatternAutomaton, shape: TextShape) -> Bool {
        var reach = PatternReach(automaton: automaton, shape: shape)
        return reach.walk()
    }

    private init(automaton: PatternAutomaton, shape: TextShape) {
        self.automaton = automaton
        self.shape = shape
    }

    private mutating func walk() -> Bool {
        let anything = Next(bytes: self.shape.bytes)
        var starts: [Before] = [.start]
        if !self.shape.bytes.intersection(.word).isEmpty { starts.append(.word) }
        if !self.shape.bytes.subtracting(.word).subtracting(.lineFeed).isEmpty { starts.append(.other) }
        for before in starts { self.add(Place(state: self.automaton.start, before: before, next: anything)) }
        if self.shape.bytes.contains(0x0a) {
            let next = self.shape.isOneLine ? Next(bytes: ByteSet()) : anything
            self.add(Place(state: self.automaton.start, before: .lineFeed, next: next))
        }
        while let place = self.open.popLast() {
            if place.state == self.automaton.accept { return true }
            if self.seen.count > PatternReach.maximumWork { return true }
            for edge in self.automaton.edges[place.state] { self.follow(edge, from: place) }
        }
        return false
    }

    private mutating func add(_ place: Place) {
        guard place.next.isPossible, self.seen.insert(place).inserted else { return }
        self.open.append(place)
    }

    private mutating func follow(_ edge: PatternAutomaton.Edge, from place: Place) {
        var place = place
        switch edge {
        case .free(let state):
            place.state = state
            self.add(place)
        case .set(let set, let state):
            self.read(set.intersection(place.next.bytes), to: state, from: place)
        case .ahead(let set, let state):
            place.state = state
            place.next.bytes = place.next.bytes.intersection(set)
            place.next.mayEnd = false
            self.add(place)
        case .notAhead(let set, let state):
            place.state = state
            place.next.bytes = place.next.bytes.subtracting(set)
            self.add(place)
        case .assertion(let assertion, let state):
            place.state = state
            self.assume(assertion, at: place)
        }
    }

    /// Reads one octet of a set, for each kind of octet that matters for what comes behind it.
    private mutating func read(_ set: ByteSet, to state: Int, from place: Place) {
        var next = Next(bytes: place.next.thenEnds ? ByteSet() : self.shape.bytes)
        if !set.intersection(.word).isEmpty { self.add(Place(state: state, before: .word, next: next)) }
        if !set.subtracting(.word).subtracting(.lineFeed).isEmpty {
            self.add(Place(state: state, before: .other, next: next))
        }
        if set.contains(0x0a) {
            if self.shape.isOneLine { next.bytes = ByteSet() }
            self.add(Place(state: state, before: .lineFeed, next: next))
        }
    }

    private mutating func assume(_ assertion: PatternNode.Assertion, at place: Place) {
        var place = place
        switch assertion {
        case .textStart:
            if place.before == .start { self.add(place) }
        case .searchStart:
            self.add(place)
        case .lineStart:
            // Behind the last line feed of the text is no line (PCRE2 without ALT_CIRCUMFLEX).
            if place.before == .lineFeed { place.next.mayEnd = false }
            if place.before == .start || place.before == .lineFeed { self.add(place) }
        case .textEnd:
            place.next.bytes = ByteSet()
            self.add(place)
        case .lastLineEnd:
            self.assume(.textEnd, at: place)
            place.next.bytes = place.next.bytes.intersection(.lineFeed)
            place.next.mayEnd = false
            place.next.thenEnds = true
            self.add(place)
        case .lineEnd:
            place.next.bytes = place.next.bytes.intersection(.lineFeed)
            self.add(place)
        case .wordEdge:
            if place.before == .word {
                place.next.bytes = place.next.bytes.subtracting(.word)
            } else {
                place.next.bytes = place.next.bytes.intersection(.word)
                place.next.mayEnd = false
            }
            self.add(place)
        case .noWordEdge:
            if place.before == .word {
                place.next.bytes = place.next.bytes.intersection(.word)
                place.next.mayEnd = false
            } else {
                place.next.bytes = place.next.bytes.subtracting(.word)
            }
            self.add(place)
        }
    }
}

/// Why a pattern can never match.
enum PatternImpossibility: Hashable, Sendable {
    /// This assertion or lookaround cannot hold at its place: without it, the pattern could match.
    case piece(PatternNode)
    /// It could match, but not the text it is given: a line feed would have to stand inside of one line.
    case shape
    case contradiction

    /// - Returns: nil when it can match, or it cannot be told.
    static func find(in node: PatternNode, shape: TextShape) -> PatternImpossibility? {
        guard let whole = try? PatternAutomaton(node), !PatternReach.canMatch(whole, shape: shape) else { return nil }
        if shape != .any, PatternReach.canMatch(whole, shape: .any) { return .shape }
        for piece in node.all {
            switch piece.kind {
            case .assertion, .look:
                guard let without = try? PatternAutomaton(node, ignoring: piece) else { continue }
                if PatternReach.canMatch(without, shape: shape) { return .piece(piece) }
            case .empty, .set, .sequence, .choice, .repetition, .group, .reference, .keep: continue
            }
        }
        return .contradiction
    }
}
