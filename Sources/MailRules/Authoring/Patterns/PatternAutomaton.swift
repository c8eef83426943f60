/// A pattern as a graph of states: what it can match is what can be read on the way from `start` to `accept`.
///
/// Where a construct has no place in such a graph, it lets through more than the pattern does (`PatternNode.Kind.reference`
/// anything, lookarounds nothing less than everything): what the graph cannot match, the pattern cannot match.
struct PatternAutomaton: Sendable {
    enum Edge: Sendable {
        case free(Int)
        case set(ByteSet, Int)
        case assertion(PatternNode.Assertion, Int)
        /// What follows must be out of this set.
        case ahead(ByteSet, Int)
        /// What follows must not be out of this set; it may be the end.
        case notAhead(ByteSet, Int)
    }

    /// States beyond which a pattern is not looked at.
    static let maximumStates = 4_000

    struct TooLarge: Error {}

    private(set) var edges: [[Edge]] = [[]]
    let start = 0
    private(set) var accept = 0

    /// - Parameters:
    ///   - node: the pattern.
    ///   - ignored: a piece that is taken as matching nothing, for asking what would be without it.
    init(_ node: PatternNode, ignoring ignored: PatternNode? = nil) throws(TooLarge) {
        self.accept = try self.add(node, after: 0, ignoring: ignored)
    }

    private mutating func state() throws(TooLarge) -> Int {
        guard self.edges.count < PatternAutomaton.maximumStates else { throw TooLarge() }
        self.edges.append([])
        return self.edges.count - 1
    }

    /// - Returns: where one is behind the piece.
    private mutating func add(_ node: PatternNode, after start: Int, ignoring ignored: PatternNode?) throws(TooLarge) -> Int {
        if let ignored, node == ignored { return start }
        switch node.kind {
        case .empty, .keep:
            return start
        case .set(let set):
            return try self.step(from: start) { .set(set, $0) }
        case .assertion(let assertion):
            return try self.step(from: start) { .assertion(assertion, $0) }
        case .sequence(let nodes):
            var end = start
            for node in nodes { end = try self.add(node, after: end, ignoring: ignored) }
            return end
        case .choice(let nodes):
            let end = try self.state()
            for node in nodes {
                let branch = try self.step(from: start) { .free($0) }
                self.edges[try self.add(node, after: branch, ignoring: ignored)].append(.free(end))
            }
            return end
        case .group(let node, _):
            return try self.add(node, after: start, ignoring: ignored)
        case .repetition(let node, let minimum, let maximum, _):
            return try self.addRepetition(node, minimum, maximum, after: start, ignoring: ignored)
        case .look(let node, let isAhead, let isNegated):
            return try self.addLook(node, isAhead: isAhead, isNegated: isNegated, after: start)
        case .reference:
            let end = try self.state()
            self.edges[start].append(.free(end))
            self.edges[end].append(.set(.all, end))
            return end
        }
    }

    private mutating func step(from start: Int, _ edge: (Int) -> Edge) throws(TooLarge) -> Int {
        let end = try self.state()
        self.edges[start].append(edge(end))
        return end
    }

    /// Optional copies beyond this number become a loop: the graph then allows more, never less.
    private static let maximumCopies = 4

    private mutating func addRepetition(
        _ node: PatternNode,
        _ minimum: Int,
        _ maximum: Int?,
        after start: Int,
        ignoring ignored: PatternNode?
    ) throws(TooLarge) -> Int {
        var end = start
        for _ in 0..<minimum { end = try self.add(node, after: end, ignoring: ignored) }
        if let maximum, maximum - minimum <= PatternAutomaton.maximumCopies {
            let exit = try self.state()
            for _ in minimum..<max(maximum, minimum) {
                self.edges[end].append(.free(exit))
                end = try self.add(node, after: try self.step(from: end) { .free($0) }, ignoring: ignored)
            }
            self.edges[end].append(.free(exit))
            return exit
        }
        let loop = try self.step(from: end) { .free($0) }
        let body = try self.step(from: loop) { .free($0) }
        self.edges[try self.add(node, after: body, ignoring: ignored)].append(.free(loop))
        return try self.step(from: loop) { .free($0) }
    }

    private mutating func addLook(_ node: PatternNode, isAhead: Bool, isNegated: Bool, after start: Int) throws(TooLarge) -> Int {
        guard isAhead else { return start }
        if isNegated {
            guard let set = node.singleSet else { return start }
            return try self.step(from: start) { .notAhead(set, $0) }
        }
        guard !node.isNullable else { return start }
        return try self.step(from: start) { .ahead(node.firstBytes, $0) }
    }
}
