import MailMessage
import MailTypes

extension RuleEvaluator {
    /// Measures each rule by itself on one message. Views are made before; what they cost belongs to no rule.
    ///
    /// This is the cost of a rule whose pattern is searched for with PCRE2, as it is when nothing finds candidates before. It is
    /// done beside the ordinary evaluation, which is not slowed down by it.
    /// - Parameters:
    ///   - clock: nanoseconds of a clock that only goes forward.
    ///   - add: called with each rule's index in the set and its nanoseconds.
    package func measure(_ text: MessageText, envelope: Envelope, clock: () -> Int64, add: (Int, Int64) -> Void) {
        let views = MessageViews(
            MessageSubject(text: text, envelope: envelope, settings: self.ruleSet.settings),
            envelope: envelope
        )
        let budget = EvaluationBudget()
        let context = EvalContext(
            text: text,
            envelope: envelope,
            settings: self.ruleSet.settings,
            matcher: self.matcher,
            views: views,
            budget: budget
        )
        self.tally.reset()
        _ = (views.body.count, views.rawBody.count, views.links.count, views.full.count, views.partHeaders.count)
        func time(_ index: Int, _ work: () -> Void) {
            let start = clock()
            work()
            add(index, clock() - start)
        }
        for stage in self.plan.stages {
            for group in stage.headers.groups {
                _ = views.header(group.selector)
                for rule in group.patterns.rules {
                    let alone = HeaderGroups(rule, group.selector).groups
                    time(rule.index) { _ = self.runHeaders(alone, views, budget) }
                }
            }
            for group in stage.mimeHeaders.groups {
                for rule in group.patterns.rules {
                    let alone = HeaderGroups(rule, group.selector).groups
                    time(rule.index) { _ = self.runMIMEHeaders(alone, views, budget) }
                }
            }
            for rule in stage.attachments { time(rule.rule.index) { _ = self.runAttachments([rule], views, budget) } }
            for rule in stage.envelope { time(rule.rule.index) { _ = self.runEnvelope([rule], views, budget) } }
            for rule in stage.body.rules { time(rule.index) { _ = self.runBody(PatternRules(rule), views, budget) } }
            for rule in stage.links.rules { time(rule.index) { _ = self.runLinks(PatternRules(rule), views, budget) } }
            for rule in stage.rawBody.rules { time(rule.index) { _ = self.runRawBody(PatternRules(rule), views, budget) } }
            for rule in stage.full.rules { time(rule.index) { _ = self.runFull(PatternRules(rule), views, budget) } }
            for function in stage.functions { time(function.index) { _ = function.test(context) } }
            for meta in stage.metas.rules { time(meta.index) { _ = self.runMetas(MetaRules([meta]), views, context, budget) } }
        }
    }
}

extension HeaderGroups {
    /// One rule alone.
    fileprivate init(_ rule: PatternRule, _ selector: HeaderSelector) {
        self.init()
        self.add(rule, selector)
    }
}
