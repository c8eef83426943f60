/// What one message's evaluation has found so far, rule by rule. Its memory is kept from message to message.
///
/// A class: asked some thousand times a message, and a copy for a question would retain each of its lists.
final class RuleTally {
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
    private let askers: Rows<Int>

    /// Places of one hit that are told; the first ones say what a reader wants to know.
    static let maximumPlaces = 5

    /// - Parameter askers: for each rule, the metas that ask for it.
    init(ruleCount: Int, askers: Rows<Int>) {
        self.askers = askers
        self.values = Array(repeating: 0, count: ruleCount)
        self.isOff = Array(repeating: false, count: ruleCount)
        self.isUnknown = Array(repeating: false, count: ruleCount)
        self.isConcerned = Array(repeating: false, count: ruleCount)
        self.isOpen = Array(repeating: false, count: ruleCount)
        self.bounds = Array(repeating: .unbounded, count: ruleCount)
        self.places = Array(repeating: [], count: ruleCount)
    }

    func reset() {
        for rule in self.hits { self.places[rule].removeAll(keepingCapacity: true) }
        // Each list by itself, which is one sweep over memory.
        for index in self.values.indices { self.values[index] = 0 }
        for index in self.isOff.indices { self.isOff[index] = false }
        for index in self.isUnknown.indices { self.isUnknown[index] = false }
        for index in self.isConcerned.indices { self.isConcerned[index] = false }
        for index in self.isOpen.indices { self.isOpen[index] = false }
        self.hasUnknown = false
        self.hits.removeAll(keepingCapacity: true)
        self.suspended.removeAll(keepingCapacity: true)
        self.score = 0
    }

    func isOff(_ rule: Int) -> Bool { self.isOff[rule] }

    func turnOff(_ rule: Int) { self.isOff[rule] = true }

    /// Counts hits of a rule.
    func add(_ rule: Int, value: Double, score: Double, places: [MatchPlace]) {
        if self.values[rule] == 0 {
            self.hits.append(rule)
            self.concern(rule)
        }
        self.values[rule] += value
        self.score += score
        guard !places.isEmpty else { return }
        let room = RuleTally.maximumPlaces - self.places[rule].count
        if room > 0 { self.places[rule] += places.prefix(room) }
    }

    /// Counts another hit of a rule, which neither scores nor is told.
    func count(_ rule: Int) { self.values[rule] += 1 }

    /// Whether the place of another hit would be told.
    func hasRoom(forPlaceOf rule: Int) -> Bool { self.places[rule].count < RuleTally.maximumPlaces }

    /// Leaves a rule alone for the rest of the message; what it found so far does not count.
    /// - Parameter score: what its hits have added to the score.
    func suspend(_ rule: Int, score: Double) {
        self.isOff[rule] = true
        self.suspended.append(rule)
        guard self.values[rule] != 0 else { return }
        self.values[rule] = 0
        self.score -= score
        self.hits.removeAll { $0 == rule }
        self.places[rule] = []
    }

    func setUnknown(_ rule: Int) {
        self.isUnknown[rule] = true
        self.hasUnknown = true
        self.concern(rule)
    }

    /// Of those who ask for the rule.
    private func concern(_ rule: Int) {
        for place in self.askers.indices(of: rule) { self.isConcerned[self.askers[place]] = true }
    }

    /// Whether a rule that the meta asks for has hit, may hit, or is a meta of unknown value; else the meta is what it is without hits.
    func isConcerned(_ meta: Int) -> Bool { self.isConcerned[meta] }

    /// Leaves a rule for later.
    func leaveOpen(_ rule: Int, _ bounds: ValueBounds) {
        self.isOpen[rule] = true
        self.bounds[rule] = bounds
        self.concern(rule)
    }

    func close(_ rule: Int) { self.isOpen[rule] = false }

    func isOpen(_ rule: Int) -> Bool { self.isOpen[rule] }

    private func bounds(of rule: Int) -> ValueBounds {
        self.isOpen[rule] ? self.bounds[rule] : ValueBounds(exactly: self.values[rule])
    }

    /// The value of a meta's expression, where nothing that it asks for is open.
    func value(of meta: MetaRule, stack: inout [Double]) -> Double {
        meta.expression.evaluate(stack: &stack) { self.values[$0] }
    }

    /// Between which numbers the value of a meta's expression lies, whatever is open.
    func bounds(of meta: MetaRule, stack: inout [ValueBounds]) -> ValueBounds {
        meta.expression.bounds(stack: &stack) { self.bounds(of: $0) }
    }

    /// Whether a condition is met, or not known yet.
    func mayHold(_ condition: MetaCondition) -> Bool {
        self.isOpen[condition.rule] || (self.values[condition.rule] != 0) == condition.mustHit
    }

    /// The same for all that a meta needs.
    func mayHold(_ conditions: Rows<MetaCondition>, of meta: Int) -> Bool {
        for place in conditions.indices(of: meta) where !self.mayHold(conditions[place]) { return false }
        return true
    }

    func hasUnknown(among rules: [Int]) -> Bool { self.hasUnknown && rules.contains { self.isUnknown[$0] } }

    func hasOpen(among rules: [Int]) -> Bool { rules.contains { self.isOpen[$0] } }

    func hasHit(among rules: [Int]) -> Bool { rules.contains { self.values[$0] != 0 } }

    /// Of a rule that is no meta.
    func places(of rule: Int) -> [MatchPlace] { self.places[rule] }
}
