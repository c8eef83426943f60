import MailMessage
import MailTypes
import PatternKit

/// Runs a rule set over messages, one after the other; keeps its working memory. For one thread at a time.
///
/// Rules run in the order of their priorities, within one priority by what they look at (`EvaluationStage.Step`). A rule on trial
/// (`stage shadow`) runs with the others, and its hits are kept apart: they score nothing, end nothing, and are seen only by metas
/// that are on trial themselves.
package final class RuleEvaluator {
    package let ruleSet: RuleSet

    let plan: EvaluationPlan
    let matcher: PatternMatcher
    var finder: CandidateFinder
    let tally: RuleTally
    var earlyEnd: EarlyEnd?
    /// What the rule that ended evaluation adds to the score.
    var shortcircuitScore = 0.0
    private let selectors = HeaderSelectors()
    /// Subrules wait until a meta asks for them.
    private(set) var isLazy = false
    /// Working memory of metas.
    var stack: [Double] = []
    var boundsStack: [ValueBounds] = []

    package init(ruleSet: RuleSet, limits: PatternLimits = PatternLimits()) {
        self.ruleSet = ruleSet
        self.plan = ruleSet.plan
        self.matcher = PatternMatcher(limits: limits)
        self.finder = CandidateFinder(RulePrefilters(), groups: ruleSet.patternGroups)
        self.tally = RuleTally(ruleCount: ruleSet.plan.traits.count, askers: ruleSet.plan.askers)
    }

    /// Takes prefilters into use, which change how fast rules are run and not what they find.
    /// - Parameter prefilters: of this evaluator's rule set.
    package func use(_ prefilters: RulePrefilters) {
        self.finder = CandidateFinder(prefilters, groups: self.ruleSet.patternGroups)
    }

    /// What the rules find in a message.
    /// - Parameters:
    ///   - skipping: names of rules that do not count this time.
    ///   - goal: when the caller has learnt enough.
    ///   - isTimeUp: asked now and then; once it says yes, what was found so far is returned as `.timedOut`.
    package func evaluate(
        _ text: MessageText,
        envelope: Envelope,
        skipping: Set<String> = [],
        goal: EvaluationGoal = .complete,
        isTimeUp: @escaping () -> Bool = { false }
    ) -> RuleFindings {
        self.ruleSet.settings.prepare(text, self.matcher)
        let views = MessageViews(
            MessageSubject(text: text, envelope: envelope, settings: self.ruleSet.settings),
            envelope: envelope
        )
        let budget = EvaluationBudget(isTimeUp: isTimeUp)
        let context = EvalContext(
            text: text,
            envelope: envelope,
            settings: self.ruleSet.settings,
            matcher: self.matcher,
            views: views,
            budget: budget,
            selectors: self.selectors
        )
        return self.evaluate(views, context, budget, skipping: skipping, goal: goal)
    }

    /// The same for any source of views. Functions look at whole messages and do not run here.
    package func evaluate(
        _ subject: some RuleSubject,
        envelope: Envelope,
        skipping: Set<String> = [],
        goal: EvaluationGoal = .complete,
        isTimeUp: @escaping () -> Bool = { false }
    ) -> RuleFindings {
        let views = MessageViews(subject, envelope: envelope)
        return self.evaluate(views, nil, EvaluationBudget(isTimeUp: isTimeUp), skipping: skipping, goal: goal)
    }

    private func evaluate(
        _ views: MessageViews,
        _ context: EvalContext?,
        _ budget: EvaluationBudget,
        skipping: Set<String>,
        goal: EvaluationGoal
    ) -> RuleFindings {
        self.tally.reset()
        self.finder.begin()
        self.earlyEnd = nil
        self.isLazy = !goal.tellsSubrules
        for name in skipping { if let index = self.ruleSet.indices[name] { self.tally.turnOff(index) } }
        let resting = self.ruleSet.strikes.resting
        for rule in resting { self.tally.turnOff(rule) }
        let isWhole = self.run(views, context, budget, goal)
        self.ruleSet.strikes.record(blown: self.tally.suspended)
        var findings = self.findings(views, isWhole: isWhole, resting: resting)
        findings.cuts = context.map { $0.text.cuts.map(\.rawValue).sorted() } ?? []
        return findings
    }

    /// - Returns: false if the time was up before all was done.
    private func run(_ views: MessageViews, _ context: EvalContext?, _ budget: EvaluationBudget, _ goal: EvaluationGoal) -> Bool {
        for stage in self.plan.stages.indices {
            for step in EvaluationStage.Step.allCases {
                guard self.run(step, of: stage, views, context, budget) else { return false }
                if self.earlyEnd == nil, self.isReached(goal, behind: step, of: stage) { self.earlyEnd = .decided }
                if self.earlyEnd != nil { return true }
            }
        }
        return true
    }

    /// - Parameter stage: by number: a copy would cost a retain for each of its lists.
    private func run(
        _ step: EvaluationStage.Step,
        of stage: Int,
        _ views: MessageViews,
        _ context: EvalContext?,
        _ budget: EvaluationBudget
    ) -> Bool {
        switch step {
        case .mimeHeaders: self.runMIMEHeaders(self.plan.stages[stage].mimeHeaders.groups, views, budget)
        case .attachments: self.runAttachments(self.plan.stages[stage].attachments, views, budget)
        case .envelope: self.runEnvelope(self.plan.stages[stage].envelope, views, budget)
        case .headers: self.runHeaders(self.plan.stages[stage].headers.groups, views, budget)
        case .headerFunctions: self.runFunctions(self.plan.stages[stage].headerFunctions, context, budget)
        case .body: self.runBody(self.plan.stages[stage].body, views, budget)
        case .links: self.runLinks(self.plan.stages[stage].links, views, budget)
        case .bodyFunctions: self.runFunctions(self.plan.stages[stage].bodyFunctions, context, budget)
        case .rawBody: self.runRawBody(self.plan.stages[stage].rawBody, views, budget)
        case .rawBodyFunctions: self.runFunctions(self.plan.stages[stage].rawBodyFunctions, context, budget)
        case .full: self.runFull(self.plan.stages[stage].full, views, budget)
        case .fullFunctions: self.runFunctions(self.plan.stages[stage].fullFunctions, context, budget)
        case .metas: self.runMetas(self.plan.stages[stage].metas, views, context, budget)
        }
    }

    private func isReached(_ goal: EvaluationGoal, behind step: EvaluationStage.Step, of stage: Int) -> Bool {
        if goal.endsAtRefusal, self.tally.hits.contains(where: { self.plan.traits[$0].asksForRefusal }) { return true }
        guard let score = goal.decisiveScore else { return false }
        return self.tally.score + self.plan.stages[stage].lowestScore(behind: step) >= score
    }

    private func runFunctions(_ functions: FunctionRules, _ context: EvalContext?, _ budget: EvaluationBudget) -> Bool {
        guard let context, !functions.rules.isEmpty else { return true }
        guard budget.look() else { return false }
        for (place, index) in functions.indices.enumerated() where !self.tally.isOff(index) {
            if self.putOff(index, upTo: .max) { continue }
            guard self.call(functions.rules[place], context, budget) else { return false }
        }
        return true
    }

    func call(_ function: FunctionRule, _ context: EvalContext, _ budget: EvaluationBudget) -> Bool {
        guard budget.spend(RuleEvaluator.functionCost) else { return false }
        let outcome = function.test(context)
        if outcome.hits > 0 { self.hit(function.index, value: Double(outcome.hits), outcome.locations.map { .told($0) }) }
        return true
    }

    /// What a call of a function costs, in octets searched: a guess that has the clock asked every few calls.
    private static let functionCost = 16 * 1_024

    // MARK: - Hits

    /// Counts a hit and ends evaluation where the rule, or the score before it, says so.
    func hit(_ rule: Int, value: Double = 1, _ places: [MatchPlace]) {
        let traits = self.plan.traits[rule]
        if traits.isLive, self.earlyEnd == nil {
            let scores = self.plan.shortcircuit
            if let kind = traits.shortcircuit {
                self.earlyEnd = .shortcircuit(rule: self.ruleSet.rules[rule].name)
                self.shortcircuitScore = scores.score(kind, ruleScore: traits.score)
            } else if scores.isBeyond(self.tally.score) {
                self.earlyEnd = .shortcircuit(rule: nil)
                self.shortcircuitScore = scores.score(.on, ruleScore: self.tally.score)
            }
        }
        let adds = traits.isLive && !traits.isSubrule && (traits.scoresEachMatch || self.tally.values[rule] == 0)
        self.tally.add(rule, value: value, score: adds ? traits.score : 0, places: places)
    }

    /// Counts another hit of a rule of which enough is told: rules that count letters have hundreds.
    func hitAgain(_ rule: Int) {
        // What scores nothing more ends nothing, either.
        if self.plan.traits[rule].isSubrule { self.tally.count(rule) } else { self.hit(rule, []) }
    }

    /// A rule that blew its limits is left out of this message, alone.
    func suspend(_ rule: Int) {
        let traits = self.plan.traits[rule]
        let times = traits.scoresEachMatch ? self.tally.values[rule] : 1
        self.tally.suspend(rule, score: traits.isLive && !traits.isSubrule ? traits.score * times : 0)
    }
}
