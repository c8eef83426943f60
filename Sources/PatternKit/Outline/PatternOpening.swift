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
            guard let openings = tracer.openings(of: node) else { continue }
            let frequency = openings.reduce(0) { $0 + $1.reduce(1) { $0 * $1.frequency } }
            guard frequency <= Self.maximumFrequency else { continue }
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

    private struct OpeningTracer {
        private let groups: [[UInt8]: PatternNode]
        /// Octets after which an opening is settled.
        private let length: Int
        /// Long enough, or with something behind them that is not known.
        private var settled: Set<[OctetSet]> = []
        private var open: Set<[UInt8]> = []
        private var steps = 0
        private var isGivenUp = false

        /// Pieces that are looked at, again for each repeat: what needs more is not worth it.
        private static let maximumSteps = 100_000

        init(groups: [[UInt8]: PatternNode], length: Int) {
            self.groups = groups
            self.length = length
        }

        /// nil for too many.
        mutating func openings(of node: PatternNode) -> Set<[OctetSet]>? {
            let whole = self.extend([[]], by: node)
            if self.isGivenUp { return nil }
            // What begins with an octet that there is not does not match.
            return self.settled.union(whole).filter { !$0.contains(where: \.isEmpty) }
        }

        /// The openings with what follows, those that are settled by it left out.
        private mutating func extend(_ openings: Set<[OctetSet]>, by node: PatternNode) -> Set<[OctetSet]> {
            if openings.isEmpty || self.isGivenUp { return [] }
            self.steps += 1
            guard openings.count + self.settled.count <= PatternOpening.maximumCount, self.steps <= Self.maximumSteps else {
                self.isGivenUp = true
                return []
            }
            switch node {
            case .octet(let set):
                let longer = openings.map { $0 + [set] }
                self.settled.formUnion(longer.filter { $0.count == self.length })
                return Set(longer.filter { $0.count < self.length })
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
                guard let node = self.groups[name], self.open.insert(name).inserted else { return self.settle(openings) }
                defer { self.open.remove(name) }
                return self.extend(openings, by: node)
            case .anything: return self.settle(openings)
            }
        }

        private mutating func settle(_ openings: Set<[OctetSet]>) -> Set<[OctetSet]> {
            self.settled.formUnion(openings)
            return []
        }
    }
}
