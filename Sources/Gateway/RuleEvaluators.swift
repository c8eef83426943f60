import MailMessage
import MailRules
import MailTypes
import PatternKit
import Synchronization

/// One evaluator for each thread that inspects, quick or slow: its buffers are used again from message to message.
final class RuleEvaluators: Sendable {
    private final class Slot: Sendable {
        let evaluator: Mutex<RuleEvaluator>

        init(_ rules: RuleSet, _ limits: PatternLimits) {
            self.evaluator = Mutex(RuleEvaluator(ruleSet: rules, limits: limits))
        }
    }

    private let slots: [Slot]

    /// - Parameter threads: how many messages are inspected at once.
    init(_ rules: RuleSet, limits: PatternLimits, threads: Int) {
        self.slots = (0..<max(1, threads)).map { _ in Slot(rules, limits) }
    }

    /// Takes prefilters into use; waits for the messages that are being looked at.
    func use(_ prefilters: RulePrefilters) {
        for slot in self.slots { slot.evaluator.withLock { $0.use(prefilters) } }
    }

    func evaluate(
        _ message: ParsedMessage,
        envelope: Envelope,
        goal: EvaluationGoal,
        deadline: ContinuousClock.Instant
    ) -> RuleFindings {
        func findings(_ evaluator: RuleEvaluator) -> RuleFindings {
            evaluator.evaluate(
                evaluator.ruleSet.text(of: message),
                envelope: envelope,
                goal: goal,
                isTimeUp: { ContinuousClock.now > deadline }
            )
        }
        for slot in self.slots {
            if let result = slot.evaluator.withLockIfAvailable({ findings($0) }) { return result }
        }
        // More callers than threads: one waits.
        return self.slots[0].evaluator.withLock { findings($0) }
    }
}
