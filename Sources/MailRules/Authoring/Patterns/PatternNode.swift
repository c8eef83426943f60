/// A piece of a regular expression, with its place in the source.
///
/// This is a reading of our own beside PCRE2's: it exists to explain patterns and to find out what they can match and what
/// they cost. PCRE2 alone decides what matches.
struct PatternNode: Hashable, Sendable {
    indirect enum Kind: Hashable, Sendable {
        case empty
        /// One octet out of a set.
        case set(ByteSet)
        case sequence([PatternNode])
        case choice([PatternNode])
        case repetition(PatternNode, minimum: Int, maximum: Int?, Greed)
        case group(PatternNode, Group)
        case assertion(Assertion)
        case look(PatternNode, isAhead: Bool, isNegated: Bool)
        /// What a group matched, again.
        case reference(Int)
        /// `\K`: the match starts here.
        case keep
    }

    enum Greed: Hashable, Sendable {
        case greedy
        case lazy
        /// Gives nothing back.
        case possessive
    }

    enum Group: Hashable, Sendable {
        case plain
        case capture(Int, name: String?)
        /// `(?>…)`: gives nothing back.
        case atomic
    }

    enum Assertion: Hashable, Sendable {
        /// `\A`; `^` without /m
        case textStart
        /// `^` with /m
        case lineStart
        /// `\z`
        case textEnd
        /// `\Z`; `$` without /m
        case lastLineEnd
        /// `$` with /m
        case lineEnd
        /// `\b`
        case wordEdge
        /// `\B`
        case noWordEdge
        /// `\G`
        case searchStart
    }

    var kind: Kind
    /// Octets of the pattern's source.
    var range: Range<Int>

    /// Whether it can match nothing at all (assertions match nothing, too).
    var isNullable: Bool {
        switch self.kind {
        case .empty, .assertion, .look, .keep, .reference: true
        case .set: false
        case .sequence(let nodes): nodes.allSatisfy(\.isNullable)
        case .choice(let nodes): nodes.contains(where: \.isNullable)
        case .repetition(let node, let minimum, _, _): minimum == 0 || node.isNullable
        case .group(let node, _): node.isNullable
        }
    }

    /// Octets that a match can start with; too many where it is not known.
    var firstBytes: ByteSet {
        switch self.kind {
        case .empty, .assertion, .look, .keep: ByteSet()
        case .reference: .all
        case .set(let set): set
        case .sequence(let nodes):
            {
                var result = ByteSet()
                for node in nodes {
                    result.formUnion(node.firstBytes)
                    if !node.isNullable { break }
                }
                return result
            }()
        case .choice(let nodes): nodes.reduce(ByteSet()) { $0.union($1.firstBytes) }
        case .repetition(let node, _, _, _), .group(let node, _): node.firstBytes
        }
    }

    /// The set of a piece that is always one octet and nothing else.
    var singleSet: ByteSet? {
        switch self.kind {
        case .set(let set): return set
        case .group(let node, _): return node.singleSet
        case .sequence(let nodes): return nodes.count == 1 ? nodes[0].singleSet : nil
        case .choice(let nodes):
            var result = ByteSet()
            for node in nodes {
                guard let set = node.singleSet else { return nil }
                result.formUnion(set)
            }
            return result
        case .empty, .repetition, .assertion, .look, .reference, .keep: return nil
        }
    }

    var children: [PatternNode] {
        switch self.kind {
        case .sequence(let nodes), .choice(let nodes): nodes
        case .repetition(let node, _, _, _), .group(let node, _), .look(let node, _, _): [node]
        case .empty, .set, .assertion, .reference, .keep: []
        }
    }

    /// This piece and all inside it, outermost first.
    var all: [PatternNode] { [self] + self.children.flatMap(\.all) }
}
