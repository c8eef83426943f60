/// Rules that are made of other rules.
extension RuleEvaluator {
    /// - Returns: false if the time was up before all were run.
    func runMetas(_ metas: MetaRules, _ views: MessageViews, _ context: EvalContext?, _ budget: EvaluationBudget) -> Bool {
        for (place, index) in metas.indices.enumerated() {
            // So are most.
            if metas.needsHit[place], !self.tally.isConcerned(index) { continue }
            guard !self.tally.isOff(index) else { continue }
            guard budget.spend(0) else { return false }
            if self.isLazy {
                // Of the rest most.
                if self.plan.lazy.doubtful.indices(of: index).isEmpty, !self.tally.mayHold(self.plan.lazy.conditions, of: index) {
                    continue
                }
                if self.putOff(index, upTo: .max) { continue }
            }
            guard self.workOut(metas.rules[place], views, context, budget) else { return false }
        }
        return true
    }

    /// Finds a meta's value, and counts it.
    /// - Returns: false if the time was up.
    func workOut(_ meta: MetaRule, _ views: MessageViews, _ context: EvalContext?, _ budget: EvaluationBudget) -> Bool {
        for place in self.plan.lazy.doubtful.indices(of: meta.index) {
            guard self.settle(self.plan.lazy.doubtful[place], views, context, budget) else { return false }
        }
        guard !self.tally.hasUnknown(among: meta.targets) else {
            self.tally.setUnknown(meta.index)
            return true
        }
        let value: Double
        if self.isLazy, self.tally.hasOpen(among: meta.targets) {
            guard let settled = self.settledValue(of: meta, views, context, budget) else { return false }
            value = settled
        } else {
            if meta.needsHit, !self.tally.hasHit(among: meta.targets) { return true }
            value = self.tally.value(of: meta, stack: &self.stack)
        }
        // Not `value > 0`: that something is not a number is a hit, as in Perl.
        guard value != 0 else { return true }
        guard meta.isActive else {
            self.tally.setUnknown(meta.index)
            return true
        }
        // A hit is at least one hit, also for an expression below zero.
        self.hit(meta.index, value: value <= 0 ? 1 : value, [])
        guard self.isLazy, !self.plan.lazy.isLazy[meta.index] else { return true }
        var done: Set<Int> = []
        return self.settleReasons(of: meta, views, context, budget, done: &done)
    }

    // MARK: - Places

    /// Where a rule has hit; a meta points to the first place of each rule that it asks for.
    func places(of rule: Int) -> [MatchPlace] {
        guard let meta = self.plan.metas[rule] else { return self.tally.places(of: rule) }
        var known: [Int: MatchPlace?] = [:]
        var found: [MatchPlace] = []
        for target in meta.targets {
            guard let first = self.firstPlace(of: target, &known), !found.contains(first) else { continue }
            found.append(first)
            if found.count == RuleTally.maximumPlaces { break }
        }
        return found
    }

    private func firstPlace(of rule: Int, _ known: inout [Int: MatchPlace?]) -> MatchPlace? {
        guard self.tally.values[rule] != 0 else { return nil }
        guard let meta = self.plan.metas[rule] else { return self.tally.places(of: rule).first }
        if let place = known[rule] { return place }
        var place: MatchPlace?
        for target in meta.targets where place == nil { place = self.firstPlace(of: target, &known) }
        known[rule] = .some(place)
        return place
    }
}
