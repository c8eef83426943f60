/// What one message's evaluation has found so far, rule by rule. Its memory is kept from message to message.
struct RuleTally {
    /// Of every rule: how often it hit; for a meta what its expression gave.
    private(set) var values: [Double]
    /// Rules that hit, in the order of their first hits.
    private(set) var hits: [Int] = []
    /// Rules that blew their limits.
    private(set) var suspended: [Int] = []
    /// Sum of the scores of what has hit and counts.
    private(set) var score = 0.0
    /// Rules that are left alone on this message: skipped ones, and suspended ones.
    private var isOff: [Bool]
    /// Metas whose value is unknown, and so those that ask for them; see `MetaOrder`.
    private var isUnknown: [Bool]
    private var hasUnknown = false
    /// Metas that ask for a rule that hit or may hit, or whose value is unknown.
    private var isConcerned: [Bool]
    /// Rules that have not run and may still be asked for.
    private var isOpen: [Bool]
    /// By rule: what its value may be while it is open.
    private var bounds: [ValueBounds]
    /// By rule.
    private var places: [[MatchPlace]]
    /// For each rule, the metas that ask for it.
    private let askers: [[Int]]

    /// Places of one hit that are told; the first ones say what a reader wants to know.
    static let maximumPlaces = 5

    /// - Parameter askers: for each rule, the metas that ask for it.
    init(askers: [[Int]]) {
        self.askers = askers
        self.values = Array(repeating: 0, count: askers.count)
        self.isOff = Array(repeating: false, count: askers.count)
        self.isUnknown = Array(repeating: false, count: askers.count)
        self.isConcerned = Array(repeating: false, count: askers.count)
        self.isOpen = Array(repeating: false, count: askers.count)
        self.bounds = Array(repeating: .unbounded, count: askers.count)
        self.places = Array(repeating: [], count: askers.count)
    }

    mutating func reset() {
        for rule in self.hits { self.places[rule].removeAll(keepingCapacity: true) }
        for index in self.values.indices {
            self.values[index] = 0
            self.isOff[index] = false
            self.isUnknown[index] = false
            self.isConcerned[index] = false
            self.isOpen[index] = false
        }
        self.hasUnknown = false
        self.hits.removeAll(keepingCapacity: true)
        self.suspended.removeAll(keepingCapacity: true)
        self.score = 0
    }

    func isOff(_ rule: Int) -> Bool { self.isOff[rule] }

    mutating func turnOff(_ rule: Int) { self.isOff[rule] = true }

    /// Counts hits of a rule.
    mutating func add(_ rule: Int, value: Double, score: Double, places: [MatchPlace]) {
        if self.values[rule] == 0 {
            self.hits.append(rule)
            for meta in self.askers[rule] { self.isConcerned[meta] = true }
        }
        self.values[rule] += value
        self.score += score
        guard !places.isEmpty else { return }
        let room = RuleTally.maximumPlaces - self.places[rule].count
        if room > 0 { self.places[rule] += places.prefix(room) }
    }

    /// Whether the place of another hit would be told.
    func hasRoom(forPlaceOf rule: Int) -> Bool { self.places[rule].count < RuleTally.maximumPlaces }

    /// Leaves a rule alone for the rest of the message; what it found so far does not count.
    /// - Parameter score: what its hits have added to the score.
    mutating func suspend(_ rule: Int, score: Double) {
        self.isOff[rule] = true
        self.suspended.append(rule)
        guard self.values[rule] != 0 else { return }
        self.values[rule] = 0
        self.score -= score
        self.hits.removeAll { $0 == rule }
        self.places[rule] = []
    }

    mutating func setUnknown(_ rule: Int) {
        self.isUnknown[rule] = true
        self.hasUnknown = true
        for meta in self.askers[rule] { self.isConcerned[meta] = true }
    }

    /// Whether a rule that the meta asks for has hit, may hit, or is a meta of unknown value; else the meta is what it is without hits.
    func isConcerned(_ meta: Int) -> Bool { self.isConcerned[meta] }

    /// Leaves a rule for later.
    mutating func leaveOpen(_ rule: Int, _ bounds: ValueBounds) {
        self.isOpen[rule] = true
        self.bounds[rule] = bounds
        for meta in self.askers[rule] { self.isConcerned[meta] = true }
    }

    mutating func close(_ rule: Int) { self.isOpen[rule] = false }

    func isOpen(_ rule: Int) -> Bool { self.isOpen[rule] }

    private func bounds(of rule: Int) -> ValueBounds {
        self.isOpen[rule] ? self.bounds[rule] : ValueBounds(exactly: self.values[rule])
    }

    /// Of those that are open the one that costs least.
    func cheapestOpen(among rules: [Int], _ costs: [Int]) -> Int? {
        var best: Int?
        for rule in rules where self.isOpen[rule] && best.map({ costs[rule] < costs[$0] }) ?? true { best = rule }
        return best
    }

    /// The value of a meta's expression, where nothing that it asks for is open.
    func value(of meta: MetaRule, stack: inout [Double]) -> Double {
        meta.expression.evaluate(stack: &stack) { name in meta.references[name].map { self.values[$0] } ?? 0 }
    }

    /// Between which numbers the value of a meta's expression lies, whatever is open.
    func bounds(of meta: MetaRule, stack: inout [ValueBounds]) -> ValueBounds {
        meta.expression.bounds(stack: &stack) { name in
            meta.references[name].map { self.bounds(of: $0) } ?? ValueBounds(exactly: 0)
        }
    }

    /// Whether a condition is met, or not known yet.
    func mayHold(_ condition: MetaCondition) -> Bool {
        self.isOpen[condition.rule] || (self.values[condition.rule] != 0) == condition.mustHit
    }

    func mayHold(_ conditions: [MetaCondition]) -> Bool { conditions.allSatisfy { self.mayHold($0) } }

    func hasUnknown(among rules: [Int]) -> Bool { self.hasUnknown && rules.contains { self.isUnknown[$0] } }

    func hasOpen(among rules: [Int]) -> Bool { rules.contains { self.isOpen[$0] } }

    func hasHit(among rules: [Int]) -> Bool { rules.contains { self.values[$0] != 0 } }

    /// Of a rule that is no meta.
    func places(of rule: Int) -> [MatchPlace] { self.places[rule] }
}
