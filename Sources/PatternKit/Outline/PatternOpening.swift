/// How the matches of a pattern may begin: told in front of a large pattern, it spares PCRE2 most of the places where it would try
/// one alternative after the other in vain.
struct PatternOpening {
    /// `(?=…)`, which is true wherever the pattern can match.
    let lookahead: [UInt8]

    /// Octets from the start that are looked at, where fewer do not tell the beginnings apart as well.
    private static let maximumLength = 4
    /// Beginnings that are told apart.
    private static let maximumCount = 500
    /// Where more places of a text may be a beginning than this, telling does not pay.
    private static let maximumFrequency = 0.25

    /// nil for a pattern that is not understood, or may begin with nearly everything.
    init?(_ source: [UInt8], options: PatternOptions) {
        guard let (node, groups) = PatternNodeReader.read(source, options: options) else { return nil }
        // Shorter ones are fewer.
        for length in (1...Self.maximumLength).reversed() {
            var tracer = OpeningTracer(groups: groups, length: length)
            // What begins with an octet that there is not does not match.
            let openings = Set(tracer.extend([Opening()], by: node).map(\.octets)).filter { !$0.contains(where: \.isEmpty) }
            let frequency = openings.reduce(0) { $0 + $1.reduce(1) { $0 * $1.frequency } }
            guard openings.count <= Self.maximumCount, frequency <= Self.maximumFrequency else { continue }
            self.lookahead = Array("(?=".utf8) + Self.expression(Set(openings.map { $0[...] })) + Array(")".utf8)
            return
        }
        return nil
    }

    /// `a(?:b|c(?:d|e))|f`
    private static func expression(_ openings: Set<ArraySlice<OctetSet>>) -> [UInt8] {
        var branches: [OctetSet: Set<ArraySlice<OctetSet>>] = [:]
        for opening in openings {
            if let first = opening.first { branches[first, default: []].insert(opening.dropFirst()) }
        }
        // In order of their octets, so that the same pattern is always written in the same way.
        let sorted = branches.sorted { $0.key.members.lexicographicallyPrecedes($1.key.members) }
        return Array(
            sorted.map { first, rest -> [UInt8] in
                // One that ends here says nothing of what follows.
                let isOpen = rest.contains { $0.isEmpty }
                return first.expression + (isOpen ? [] : Array("(?:".utf8) + self.expression(rest) + Array(")".utf8))
            }.joined(separator: [UInt8(ascii: "|")])
        )
    }

    /// One way to begin.
    private struct Opening: Hashable {
        var octets: [OctetSet] = []
        /// Nothing more is to be told: it is long enough, or what follows is not known.
        var isSettled = false
    }

    private struct OpeningTracer {
        let groups: [[UInt8]: PatternNode]
        /// Octets after which an opening is settled.
        let length: Int
        private var open: Set<[UInt8]> = []
        private var steps = 0

        /// Pieces that are looked at, again for each repeat: what needs more is not worth it.
        private static let maximumSteps = 100_000

        init(groups: [[UInt8]: PatternNode], length: Int) {
            self.groups = groups
            self.length = length
        }

        /// The openings, with what follows where they are not settled.
        mutating func extend(_ openings: Set<Opening>, by node: PatternNode) -> Set<Opening> {
            let unsettled = openings.filter { !$0.isSettled }
            if unsettled.isEmpty { return openings }
            self.steps += 1
            guard openings.count <= PatternOpening.maximumCount, self.steps <= Self.maximumSteps else {
                return [Opening(isSettled: true)]
            }
            return openings.subtracting(unsettled).union(self.extend(unsettled: unsettled, by: node))
        }

        private mutating func extend(unsettled openings: Set<Opening>, by node: PatternNode) -> Set<Opening> {
            switch node {
            case .octet(let set):
                return Set(
                    openings.map { opening in
                        let octets = opening.octets + [set]
                        return Opening(octets: octets, isSettled: octets.count == self.length)
                    }
                )
            case .sequence(let nodes):
                return nodes.reduce(openings) { self.extend($0, by: $1) }
            case .alternatives(let nodes):
                return nodes.reduce(into: []) { $0.formUnion(self.extend(openings, by: $1)) }
            case .repeated(let node, let least, let most):
                var result = least == 0 ? openings : []
                var repeated = openings
                // As many as settle all.
                for count in 0..<min(most ?? .max, self.length) {
                    repeated = self.extend(repeated, by: node)
                    if count + 1 >= min(least, self.length) { result.formUnion(repeated) }
                }
                return result
            case .besides: return openings
            case .call(let name):
                guard let node = self.groups[name], self.open.insert(name).inserted else { return Self.settled(openings) }
                defer { self.open.remove(name) }
                return self.extend(openings, by: node)
            case .anything: return Self.settled(openings)
            }
        }

        private static func settled(_ openings: Set<Opening>) -> Set<Opening> {
            Set(openings.map { Opening(octets: $0.octets, isSettled: true) })
        }
    }
}
