/// A text that may cost a pattern more than it should: `prefix`, then `pump` any number of times.
///
/// Only a suspicion, until it is tried (`PatternCost`).
struct PatternPump: Hashable, Sendable {
    enum Growth: Hashable, Sendable {
        /// There are two ways to read the pump and be where one was: twice as many for each one more.
        case exponential
        /// The pump can be shared between two loops at any place.
        case polynomial
    }

    var growth: Growth
    var prefix: [UInt8]
    var pump: [UInt8]
    /// Text that would lead on from the loop to the end of the pattern. PCRE2 does not even begin where a letter that the
    /// pattern must have is missing.
    var tail: [UInt8]
}

/// Looks for loops in a pattern that can read the same text in more than one way.
///
/// A backtracking matcher tries all ways before it gives up. With the states of the automaton walked in step, two at a time
/// (exponential) or three (polynomial): Weideman et al., "Analyzing Matching Time Behavior of Backtracking Regular Expression
/// Matchers by Using Ambiguity of NFA", CIAA 2016.
struct PatternLoops {
    /// Pieces that read an octet; beyond, the pattern is not looked at.
    private static let maximumPositions = 500
    /// Steps of walking for one pattern.
    private static let maximumWork = 400_000
    /// Ways without reading that are followed from one state.
    private static let maximumFreeSteps = 2_000
    /// Suspicions of each kind that are worth trying.
    private static let maximumPumps = 6

    private struct Follower {
        var position: Int
        /// There is more than one way to it without reading.
        var isManifold: Bool
    }

    /// For every edge that reads: what it reads.
    private var sets: [ByteSet] = []
    private var followers: [[Follower]] = []
    private var entries: [Follower] = []
    /// The pattern may end behind the position.
    private var isLast: [Bool] = []
    /// Positions with the same number can be reached from each other.
    private var component: [Int] = []
    private var isLoop: [Bool] = []
    private var work = 0

    /// - Parameter allowed: octets that the text can have.
    static func pumps(in automaton: PatternAutomaton, allowed: ByteSet) -> [PatternPump] {
        var loops = PatternLoops()
        guard loops.build(automaton, allowed) else { return [] }
        loops.findComponents()
        guard loops.isLoop.contains(true) else { return [] }
        return loops.exponential() + loops.polynomial()
    }

    // MARK: - Positions

    private mutating func build(_ automaton: PatternAutomaton, _ allowed: ByteSet) -> Bool {
        var targets: [Int] = []
        var positionsOfState: [[Int]] = Array(repeating: [], count: automaton.edges.count)
        for (state, edges) in automaton.edges.enumerated() {
            for case .set(let set, let target) in edges {
                let readable = set.intersection(allowed)
                guard !readable.isEmpty else { continue }
                guard targets.count < PatternLoops.maximumPositions else { return false }
                positionsOfState[state].append(targets.count)
                targets.append(target)
                self.sets.append(readable)
            }
        }
        self.entries = PatternLoops.followers(of: automaton.start, automaton, positionsOfState).positions
        for target in targets {
            let (positions, isLast) = PatternLoops.followers(of: target, automaton, positionsOfState)
            self.followers.append(positions)
            self.isLast.append(isLast)
        }
        return true
    }

    /// What can be read next, over all ways that read nothing and pass no state twice.
    private static func followers(
        of state: Int,
        _ automaton: PatternAutomaton,
        _ positions: [[Int]]
    ) -> (positions: [Follower], isLast: Bool) {
        var isLast = state == automaton.accept
        var counts: [Int: Int] = [:]
        var order: [Int] = []
        var path: [(state: Int, edge: Int)] = [(state, 0)]
        var isOnPath: Set<Int> = [state]
        var steps = 0
        for position in positions[state] {
            counts[position] = 1
            order.append(position)
        }
        while let (current, edge) = path.last {
            guard edge < automaton.edges[current].count, steps < self.maximumFreeSteps else {
                isOnPath.remove(current)
                path.removeLast()
                continue
            }
            path[path.count - 1].edge += 1
            steps += 1
            guard let next = automaton.edges[current][edge].freeTarget, isOnPath.insert(next).inserted else { continue }
            if next == automaton.accept { isLast = true }
            for position in positions[next] {
                if counts[position] == nil { order.append(position) }
                counts[position, default: 0] += 1
            }
            path.append((next, 0))
        }
        return (order.map { Follower(position: $0, isManifold: counts[$0, default: 0] > 1) }, isLast)
    }

    /// Strongly connected components (Tarjan), without recursion.
    private mutating func findComponents() {
        let count = self.sets.count
        var number = Array(repeating: -1, count: count)
        var low = Array(repeating: 0, count: count)
        var isOnStack = Array(repeating: false, count: count)
        var stack: [Int] = []
        var next = 0
        self.component = Array(repeating: -1, count: count)
        self.isLoop = Array(repeating: false, count: count)
        for root in 0..<count where number[root] < 0 {
            var path: [(position: Int, next: Int)] = [(root, 0)]
            while let (position, index) = path.last {
                if index == 0, number[position] < 0 {
                    number[position] = next
                    low[position] = next
                    next += 1
                    stack.append(position)
                    isOnStack[position] = true
                }
                if index < self.followers[position].count {
                    path[path.count - 1].next += 1
                    let target = self.followers[position][index].position
                    if number[target] < 0 {
                        path.append((target, 0))
                    } else if isOnStack[target] {
                        low[position] = min(low[position], number[target])
                    }
                    continue
                }
                path.removeLast()
                if let parent = path.last?.position { low[parent] = min(low[parent], low[position]) }
                guard low[position] == number[position] else { continue }
                var members: [Int] = []
                repeat {
                    members.append(stack.removeLast())
                    isOnStack[members[members.count - 1]] = false
                } while members.last != position
                let isLoop = members.count > 1 || self.followers[position].contains { $0.position == position }
                for member in members {
                    self.component[member] = position
                    self.isLoop[member] = isLoop
                }
            }
        }
    }

    // MARK: - Ways

    /// The shortest text that leads from the start of the pattern to a position, read.
    private func prefix(to goal: Int) -> [UInt8]? {
        self.text(from: self.entries.map(\.position)) { $0 == goal }
    }

    /// The shortest text that leads on from a position to the end of the pattern.
    private func tail(from position: Int) -> [UInt8] {
        self.isLast[position] ? [] : self.text(from: self.followers[position].map(\.position)) { self.isLast[$0] } ?? []
    }

    private func text(from starts: [Int], to isGoal: (Int) -> Bool) -> [UInt8]? {
        var previous: [Int: Int?] = [:]
        var open: [Int] = []
        for start in starts where previous[start] == nil {
            previous[start] = .some(nil)
            open.append(start)
        }
        var index = 0
        while index < open.count {
            let position = open[index]
            index += 1
            if isGoal(position) {
                var text: [UInt8] = []
                var current: Int? = position
                while let place = current {
                    if let byte = self.sets[place].example { text.append(byte) }
                    current = previous[place] ?? nil
                }
                return text.reversed()
            }
            for follower in self.followers[position] where previous[follower.position] == nil {
                previous[follower.position] = .some(position)
                open.append(follower.position)
            }
        }
        return nil
    }

    private struct Step {
        var places: [Int]
        var isSplit: Bool
        var byte: UInt8
        var parent: Int
    }

    /// Breadth first through tuples of positions that read the same text.
    /// - Returns: the text read on the way from `start` to `goal`; when both are the same, on a way that split.
    private mutating func way(from start: [Int], to goal: [Int], staying: [Bool]) -> [UInt8]? {
        let wantsSplit = start == goal
        var steps = [Step(places: start, isSplit: false, byte: 0, parent: -1)]
        var seen: Set<[Int]> = [start + [0]]
        var index = 0
        while index < steps.count {
            let step = steps[index]
            var choices: [(places: [Int], set: ByteSet, isSplit: Bool)] = [([], .all, step.isSplit)]
            for (lane, place) in step.places.enumerated() {
                var next: [(places: [Int], set: ByteSet, isSplit: Bool)] = []
                for choice in choices {
                    for follower in self.followers[place] {
                        self.work += 1
                        guard self.work < PatternLoops.maximumWork else { return nil }
                        let target = follower.position
                        if staying[lane], self.component[target] != self.component[place] { continue }
                        let set = choice.set.intersection(self.sets[target])
                        guard !set.isEmpty else { continue }
                        let isApart = lane > 0 && choice.places[0] != target
                        next.append((choice.places + [target], set, choice.isSplit || isApart || follower.isManifold))
                    }
                }
                choices = next
            }
            for choice in choices {
                let isSplit = wantsSplit && choice.isSplit
                guard seen.insert(choice.places + [isSplit ? 1 : 0]).inserted, let byte = choice.set.example else { continue }
                steps.append(Step(places: choice.places, isSplit: isSplit, byte: byte, parent: index))
                if choice.places == goal, isSplit == wantsSplit { return PatternLoops.text(of: steps) }
            }
            index += 1
        }
        return nil
    }

    private static func text(of steps: [Step]) -> [UInt8] {
        var text: [UInt8] = []
        var index = steps.count - 1
        while index > 0 {
            text.append(steps[index].byte)
            index = steps[index].parent
        }
        return text.reversed()
    }

    // MARK: - Suspicions

    private mutating func exponential() -> [PatternPump] {
        var found: [PatternPump] = []
        var done: Set<Int> = []
        for position in self.sets.indices where self.isLoop[position] && !done.contains(self.component[position]) {
            guard found.count < PatternLoops.maximumPumps else { break }
            guard
                let pump = self.way(from: [position, position], to: [position, position], staying: [true, true]),
                let prefix = self.prefix(to: position)
            else { continue }
            done.insert(self.component[position])
            found.append(PatternPump(growth: .exponential, prefix: prefix, pump: pump, tail: self.tail(from: position)))
        }
        return found
    }

    private mutating func polynomial() -> [PatternPump] {
        var found: [PatternPump] = []
        for first in self.sets.indices where self.isLoop[first] {
            for second in self.sets.indices where self.isLoop[second] && second != first {
                guard found.count < PatternLoops.maximumPumps, self.work < PatternLoops.maximumWork else { return found }
                guard
                    let pump = self.way(
                        from: [first, first, second],
                        to: [first, second, second],
                        staying: [true, false, true]
                    ),
                    let prefix = self.prefix(to: first)
                else { continue }
                found.append(PatternPump(growth: .polynomial, prefix: prefix, pump: pump, tail: self.tail(from: second)))
            }
        }
        return found
    }
}

extension PatternAutomaton.Edge {
    /// Where the edge leads without reading.
    fileprivate var freeTarget: Int? {
        switch self {
        case .free(let target), .assertion(_, let target), .ahead(_, let target), .notAhead(_, let target): target
        case .set: nil
        }
    }
}
