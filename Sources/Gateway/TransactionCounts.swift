import MailTypes
import Synchronization

/// What became of messages since the start.
final class TransactionCounts: Sendable {
    private let deliver = Atomic(0)
    private let tag = Atomic(0)
    private let hold = Atomic(0)
    private let reject = Atomic(0)
    private let `defer` = Atomic(0)
    private let discard = Atomic(0)
    private let accepted = Atomic(0)
    private let postponed = Atomic(0)
    private let refused = Atomic(0)
    private let unchecked = Atomic(0)
    private let earlyRefusals = Atomic(0)

    func count(_ summary: TransactionSummary) {
        let decision = summary.judgement.decision
        switch decision.disposition {
        case .deliver: self.deliver.wrappingAdd(1, ordering: .relaxed)
        case .tag: self.tag.wrappingAdd(1, ordering: .relaxed)
        case .hold: self.hold.wrappingAdd(1, ordering: .relaxed)
        case .reject: self.reject.wrappingAdd(1, ordering: .relaxed)
        case .defer: self.defer.wrappingAdd(1, ordering: .relaxed)
        case .discard: self.discard.wrappingAdd(1, ordering: .relaxed)
        }
        if summary.reply.isPositive {
            self.accepted.wrappingAdd(1, ordering: .relaxed)
        } else if summary.reply.isPermanentFailure {
            self.refused.wrappingAdd(1, ordering: .relaxed)
        } else {
            self.postponed.wrappingAdd(1, ordering: .relaxed)
        }
        if !decision.unchecked.isEmpty { self.unchecked.wrappingAdd(1, ordering: .relaxed) }
    }

    func countEarlyRefusal() { self.earlyRefusals.wrappingAdd(1, ordering: .relaxed) }

    var figures: GatewayStatus.Messages {
        GatewayStatus.Messages(
            deliver: self.deliver.load(ordering: .relaxed),
            tag: self.tag.load(ordering: .relaxed),
            hold: self.hold.load(ordering: .relaxed),
            reject: self.reject.load(ordering: .relaxed),
            defer: self.defer.load(ordering: .relaxed),
            discard: self.discard.load(ordering: .relaxed),
            repliedPositive: self.accepted.load(ordering: .relaxed),
            repliedTransient: self.postponed.load(ordering: .relaxed),
            repliedPermanent: self.refused.load(ordering: .relaxed),
            unchecked: self.unchecked.load(ordering: .relaxed),
            refusedEarly: self.earlyRefusals.load(ordering: .relaxed)
        )
    }
}
