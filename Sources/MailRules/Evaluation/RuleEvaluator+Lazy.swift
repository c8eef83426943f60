import PatternKit

/// Subrules that run when a meta asks for them. Each step returns false if the time was up before it was done.
extension RuleEvaluator {
    /// Leaves a rule to the metas that ask for it.
    /// - Returns: false for one that runs now.
    func putOff(_ rule: Int, upTo hits: Int) -> Bool {
        guard self.isLazy, self.plan.lazy.isLazy[rule] else { return false }
        self.tally.leaveOpen(rule, ValueBounds(0, Double(hits)))
        return true
    }

    /// Works out what a rule that was put off has to say.
    func settle(_ rule: Int, _ views: MessageViews, _ context: EvalContext?, _ budget: EvaluationBudget) -> Bool {
        guard self.tally.isOpen(rule), let test = self.plan.lazy.tests[rule] else { return true }
        self.tally.close(rule)
        switch test {
        case .header(let selector, let rule): return self.testHeader(rule, selector, views.header(selector), budget)
        case .body(let rule): return self.searchBody(rule, views, budget)
        case .links(let rule): return self.searchLinks(rule, views, budget)
        case .rawBody(let rule): return self.searchRawBody(rule, views, budget)
        case .full(let rule): return self.searchFull(rule, views, budget)
        case .function(let function): return context.map { self.call(function, $0, budget) } ?? true
        case .meta(let meta): return self.workOut(meta, views, context, budget)
        }
    }

    /// Works out what a meta asks for, as far as that can still change its value.
    /// - Returns: its value; nil if the time was up.
    func settledValue(of meta: MetaRule, _ views: MessageViews, _ context: EvalContext?, _ budget: EvaluationBudget) -> Double? {
        let conditions = self.plan.lazy.conditions
        // What is known costs nothing, and decides most.
        guard self.tally.mayHold(conditions, of: meta.index) else { return 0 }
        for place in conditions.indices(of: meta.index) where self.tally.isOpen(conditions[place].rule) {
            guard self.settle(conditions[place].rule, views, context, budget) else { return nil }
            guard self.tally.mayHold(conditions[place]) else { return 0 }
        }
        // Each look at the bounds costs as much as some settled rules: with many open ones it is worth it now and then.
        var settled = 0
        var nextLook = 0
        for place in self.plan.lazy.targets.indices(of: meta.index) where self.tally.isOpen(self.plan.lazy.targets[place]) {
            if settled == nextLook {
                if let value = self.tally.bounds(of: meta, stack: &self.boundsStack).exactValue { return value }
                nextLook = max(1, 2 * settled)
            }
            guard self.settle(self.plan.lazy.targets[place], views, context, budget) else { return nil }
            settled += 1
        }
        return self.tally.value(of: meta, stack: &self.stack)
    }

    /// Works out all that a meta asks for, and they in turn, so that a hit can be told with all its reasons.
    func settleReasons(
        of meta: MetaRule,
        _ views: MessageViews,
        _ context: EvalContext?,
        _ budget: EvaluationBudget,
        done: inout Set<Int>
    ) -> Bool {
        for target in meta.targets where done.insert(target).inserted {
            guard self.settle(target, views, context, budget) else { return false }
            guard let asked = self.plan.metas[target], self.tally.values[target] != 0 else { continue }
            guard self.settleReasons(of: asked, views, context, budget, done: &done) else { return false }
        }
        return true
    }
}
