/// Where matches of a pattern may begin, told by the octets that they begin with: at the other places, which are nearly all, PCRE2
/// need not try one alternative after the other in vain.
struct PatternOpening: Sendable {
    /// By place from the start of a match, and by octet: the kinds of beginnings that may have the octet there, a bit for each.
    private let kinds: [Kinds]
    /// Matches begin at the start of a line, or where the search begins.
    private let isAtLineStart: Bool
    /// Such places that each match has, the first at its start: a match of `(?:name|address|phone){3}` has three.
    let count: Int

    private typealias Kinds = UInt64

    /// Octets from the start that are looked at, where fewer do not tell the beginnings apart as well.
    private static let maximumLength = 4
    /// Beginnings that are told apart, before they are put together to kinds.
    private static let maximumCount = 500
    /// Where more places of a text may be a beginning than this, telling does not pay; nor where few of those are spared that have the
    /// right first octet, which PCRE2 sees by itself.
    private static let maximumFrequency = 0.1
    private static let maximumShare = 0.25
    /// The same for the places where a line starts, which are few.
    private static let maximumLineFrequency = 0.5

    /// nil for a pattern that is not understood, or may begin with nearly everything.
    /// - Parameter isAtLineStart: what PCRE2 says of the pattern.
    init?(_ source: [UInt8], options: PatternOptions, isAtLineStart: Bool) {
        // `\G` is where the search begins, which a try at one place would move.
        guard !source.indices.contains(where: { source[$0...].starts(with: "\\G".utf8) }) else { return nil }
        guard let (node, groups) = PatternNodeReader.read(source, options: options) else { return nil }
        // What begins at the start of a line does so once.
        let repeated = isAtLineStart ? nil : Self.repeated(node)
        // Shorter ones are fewer.
        for length in (1...Self.maximumLength).reversed() {
            var tracer = OpeningTracer(groups: groups, length: length)
            guard let openings = tracer.openings(of: repeated?.unit ?? node) else { continue }
            let kinds = Kind.kinds(of: openings, length: Self.maximumLength, atMost: Kinds.bitWidth)
            let first = kinds.reduce(into: OctetSet()) { $0.formUnion($1.sets[0]) }
            let most = isAtLineStart ? Self.maximumLineFrequency : min(Self.maximumFrequency, Self.maximumShare * first.frequency)
            guard kinds.reduce(0, { $0 + $1.frequency }) <= most else { return nil }
            var table = Array(repeating: 0 as Kinds, count: Self.maximumLength << UInt8.bitWidth)
            for (number, kind) in kinds.enumerated() {
                for (place, set) in kind.sets.enumerated() {
                    for octet in set.members { table[Self.index(place, octet)] |= 1 << Kinds(number) }
                }
            }
            self.kinds = table
            self.isAtLineStart = isAtLineStart
            self.count = repeated?.count ?? 1
            return
        }
        return nil
    }

    /// For a pattern that begins with something several times over: that, with anything behind it, and how often.
    private static func repeated(_ node: PatternNode) -> (unit: PatternNode, count: Int)? {
        switch node {
        case .repeated(let unit, let least, _) where least > 1: return (.sequence([unit, .anything]), least)
        case .sequence(let nodes):
            for node in nodes {
                if case .besides = node { continue }
                if case .sequence(let nodes) = node, nodes.isEmpty { continue }
                return self.repeated(node)
            }
            return nil
        default: return nil
        }
    }

    private static func index(_ place: Int, _ octet: UInt8) -> Int { place << UInt8.bitWidth | Int(octet) }

    /// The first place at or behind `offset` where a match may begin.
    /// - Parameter start: where the search began.
    func next(in text: UnsafeBufferPointer<UInt8>, from offset: Int, start: Int) -> Int? {
        self.kinds.withUnsafeBufferPointer { kinds in
            self.isAtLineStart
                ? Self.nextLine(in: text, from: offset, start: start, kinds)
                : Self.next(in: text, from: offset, kinds)
        }
    }

    private static func next(in text: UnsafeBufferPointer<UInt8>, from offset: Int, _ kinds: UnsafeBufferPointer<Kinds>) -> Int? {
        var place = offset
        while place + self.maximumLength <= text.count {
            var found = kinds[self.index(0, text[place])] & kinds[self.index(1, text[place + 1])]
            if found != 0 {
                found &= kinds[self.index(2, text[place + 2])] & kinds[self.index(3, text[place + 3])]
                if found != 0 { return place }
            }
            place += 1
        }
        while place < text.count {
            if self.mayBegin(at: place, in: text, kinds) { return place }
            place += 1
        }
        return nil
    }

    private static func nextLine(
        in text: UnsafeBufferPointer<UInt8>,
        from offset: Int,
        start: Int,
        _ kinds: UnsafeBufferPointer<Kinds>
    ) -> Int? {
        var place = offset
        while place < text.count {
            let isLineStart = place == start || place == 0 || text[place - 1] == 0x0a
            if isLineStart, self.mayBegin(at: place, in: text, kinds) { return place }
            guard let end = text[place...].firstIndex(of: 0x0a) else { return nil }
            place = end + 1
        }
        return nil
    }

    /// What is missing behind the end can be any octet to a beginning that is short enough to end before it.
    private static func mayBegin(
        at place: Int,
        in text: UnsafeBufferPointer<UInt8>,
        _ kinds: UnsafeBufferPointer<Kinds>
    ) -> Bool {
        var found = Kinds.max
        for distance in 0..<self.maximumLength {
            found &= kinds[self.index(distance, place + distance < text.count ? text[place + distance] : 0)]
        }
        return found != 0
    }

    /// Beginnings that are alike, and so are looked for together.
    private struct Kind {
        /// By place: the octets of any of them.
        var sets: [OctetSet]
        /// Of all that passes for one of them.
        private(set) var frequency: Double

        private init(_ sets: [OctetSet]) {
            self.sets = sets
            self.frequency = sets.reduce(1) { $0 * $1.frequency }
        }

        private func union(_ other: Kind) -> Kind { Kind(zip(self.sets, other.sets).map { $0.union($1) }) }

        /// Puts neighbours together, again and again those by which least is added, until few enough are left.
        static func kinds(of openings: Set<[OctetSet]>, length: Int, atMost count: Int) -> [Kind] {
            // Behind a shorter one anything may stand.
            var kinds = openings.sorted { $0.lexicographicallyPrecedes($1) }.map {
                Kind($0 + repeatElement(.all, count: length - $0.count))
            }
            var unions = zip(kinds, kinds.dropFirst()).map { $0.union($1) }
            var added = unions.indices.map { unions[$0].frequency - kinds[$0].frequency - kinds[$0 + 1].frequency }
            func join(_ index: Int) {
                unions[index] = kinds[index].union(kinds[index + 1])
                added[index] = unions[index].frequency - kinds[index].frequency - kinds[index + 1].frequency
            }
            while kinds.count > count, let next = added.indices.min(by: { added[$0] < added[$1] }) {
                kinds[next] = unions[next]
                kinds.remove(at: next + 1)
                unions.remove(at: next)
                added.remove(at: next)
                if next > 0 { join(next - 1) }
                if next < unions.count { join(next) }
            }
            return kinds
        }
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
