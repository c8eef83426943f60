/// Rules that are made of other rules.
extension RuleEvaluator {
    /// - Returns: false if the time was up before all were run.
    func runMetas(_ metas: [MetaRule], _ budget: EvaluationBudget) -> Bool {
        for place in metas.indices {
            // So are most.
            if metas[place].needsHit, !self.tally.isConcerned(metas[place].index) { continue }
            let meta = metas[place]
            guard !self.tally.isOff(meta.index) else { continue }
            guard budget.spend(0) else { return false }
            guard !self.tally.hasUnknown(among: meta.targets) else {
                self.tally.setUnknown(meta.index)
                continue
            }
            if meta.needsHit, !self.tally.hasHit(among: meta.targets) { continue }
            let value = meta.expression.evaluate(stack: &self.stack) { name in
                meta.references[name].map { self.tally.values[$0] } ?? 0
            }
            // Not `value > 0`: that something is not a number is a hit, as in Perl.
            guard value != 0 else { continue }
            guard meta.isActive else {
                self.tally.setUnknown(meta.index)
                continue
            }
            // A hit is at least one hit, also for an expression below zero.
            self.hit(meta.index, value: value <= 0 ? 1 : value, self.places(of: meta.targets))
        }
        return true
    }

    /// A meta points to the first place of each rule it asks for.
    private func places(of targets: [Int]) -> [MatchPlace] {
        var found: [MatchPlace] = []
        for index in targets {
            guard let first = self.tally.firstPlace(of: index), !found.contains(first) else { continue }
            found.append(first)
            if found.count == RuleTally.maximumPlaces { break }
        }
        return found
    }
}
