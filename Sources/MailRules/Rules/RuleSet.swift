import MailMessage
import MailTypes
import PatternKit

/// Compiled rules, ready to be shared by all threads.
package final class RuleSet: Sendable {
    /// In the order of the files.
    package let rules: [Rule]
    /// Where each rule stands in `rules`.
    package let indices: [String: Int]
    /// For each meta (an index in `rules`), the rules behind its names; nil for a name without a rule.
    let metaReferences: [Int: [Int?]]
    /// What the files say beside rules.
    package let settings: FunctionSettings
    /// Metas (indices in `rules`), each behind those that it asks for.
    let metaOrder: [Int]
    let plan: EvaluationPlan
    /// Rules that ask the DNS.
    package let network: NetworkRules
    /// Whether a rule looks at who really sent a message: then rules wait for the answer.
    package let looksAtAuthentication: Bool
    /// Shared by all evaluators of the set.
    let strikes = RuleStrikes()

    /// Rules that rest because they ran over their limits on message after message, and for how many messages still.
    package var resting: [(name: String, messages: Int)] {
        self.strikes.rests.map { (self.rules[$0.rule].name, $0.messages) }
    }

    package var ruleCount: Int { self.rules.count }

    /// The views of a message, of the size that the rule files ask for.
    package func text(of message: ParsedMessage) -> MessageText {
        MessageText(message, limits: self.settings.evaluation.textLimits)
    }

    /// The patterns of active rules that can be looked for together, for prefilters.
    package var patternGroups: [PatternGroup] { self.plan.patternGroups }

    package subscript(name: String) -> Rule? { self.indices[name].map { self.rules[$0] } }

    /// What its rules ask the DNS about this message; nil: nothing.
    package func networkSubjects(of message: ParsedMessage, envelope: Envelope) -> NetworkSubjects? {
        guard !self.network.isEmpty else { return nil }
        let text = self.text(of: message)
        let matcher = PatternMatcher()
        self.settings.prepare(text, matcher)
        let context = EvalContext(text: text, envelope: envelope, settings: self.settings, matcher: matcher)
        return NetworkSubjects(context, tags: self.network.tags, rules: self.network.rules)
    }

    init(
        rules: [Rule],
        metaOrder: [Int],
        metaReferences: [Int: [Int?]],
        settings: FunctionSettings,
        network: NetworkRules
    ) {
        self.network = network
        self.rules = rules
        self.indices = Dictionary(rules.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
        self.metaReferences = metaReferences
        self.settings = settings
        self.looksAtAuthentication = rules.contains { rule in
            guard rule.isActive else { return false }
            if case .envelope(.authentication, _) = rule.test { return true }
            guard case .function(_, let call) = rule.test else { return false }
            return EvalCatalogue.functions[call.function].map { AuthenticationEval.plugins.contains($0.plugin) } ?? false
        }
        self.metaOrder = metaOrder
        self.plan = EvaluationPlan(
            rules: rules,
            metaOrder: metaOrder,
            references: metaReferences,
            shortcircuit: settings.shortcircuit
        )
    }
}
