import MailTypes

/// Turns findings into the decision on a message. Pure: the same findings and policy give the same decision.
///
/// Lines are looked at in this order; the first that applies decides (`PolicyDecider.Line`):
/// 1. a virus whose action is reject
/// 2. the deny list
/// 3. a rule or check that asks for refusal
/// 4. a sender that is not who it says (DMARC, SPF), then score >= reject_score
/// 5. a check that failed where `on_failure` says reject, or a rule that asks to defer, or `on_failure: defer`
/// 6. a rule that asks to discard
/// 7. hold: a virus, a rule, the sender, ambiguity >= ambiguity_hold_score, score >= hold_score
/// 8. tag: a virus, a rule, the sender, score >= tag_score
/// 9. deliver
///
/// Why so: a message that is refused for a definite reason need not come again (1 to 4 before 5); nothing is thrown away or
/// delivered while a check is missing (5 before 6 to 9), because a virus that was not looked for may be in it; discarding is the
/// administrator's express wish and goes before a hold that only keeps what nobody wants to see (6 before 7).
///
/// An allow-list hit switches off what content alone says: the score, requests of rules and of the configuration, and the deny
/// list. It does not switch off the virus scan, nor a check's failure, nor what a built-in check itself refuses: a message that
/// goes in circles does so whoever sent it.
package struct PolicyDecider: Sendable {
    package let policy: Policy
    /// What happens without a virus verdict where the policy says nothing of its own: `antivirus.on_failure`.
    package let virusOnFailure: FailurePolicy

    package init(policy: Policy, virusOnFailure: FailurePolicy = .defer) {
        self.policy = policy
        self.virusOnFailure = virusOnFailure
    }

    /// - Parameters:
    ///   - allowed: the allow-list entry that fits the sender, if one does.
    ///   - denied: the deny-list entry that fits; `allowed` wins.
    package func decide(
        findings: Findings,
        allowed: ListMatch? = nil,
        denied: ListMatch? = nil
    ) -> PolicyDecision {
        let input = DecisionInput(decider: self, findings: findings, allowed: allowed, denied: denied)
        let line = input.firstLine()
        return PolicyDecision(
            disposition: line.disposition,
            policy: self.policy.name,
            reason: line.reason,
            score: findings.score,
            reply: line.reply,
            keepsCopy: line.disposition == .reject && self.policy.keepRejected,
            unchecked: input.unchecked
        )
    }

    /// - Parameter match: the entry of the lists that decides.
    package func decide(findings: Findings, match: ListMatch?) -> PolicyDecision {
        self.decide(
            findings: findings,
            allowed: match?.entry.action == .allow ? match : nil,
            denied: match?.entry.action == .deny ? match : nil
        )
    }

    /// Whether a message is doubtful enough that its sender is asked to send it again: it would be delivered, all checks have
    /// spoken, and its score is in the range. What a list allows is beyond doubt.
    package func isDoubtful(_ decision: PolicyDecision, allowed: ListMatch?, greylist: GreylistSettings) -> Bool {
        guard decision.disposition == .deliver || decision.disposition == .tag, allowed == nil else { return false }
        return decision.score >= greylist.fromScore && decision.score < greylist.toScore
    }

    /// The decision on a doubtful message once it is known whether it was here before.
    package func decide(_ decision: PolicyDecision, greylist verdict: GreylistVerdict) -> PolicyDecision {
        guard case .delay(let seconds) = verdict else { return decision }
        var delayed = decision
        delayed.disposition = .defer
        delayed.reason = "greylist: come again in \(seconds) s; \(decision.reason)"
        delayed.reply = PolicyReply.greylisted(seconds: seconds)
        return delayed
    }

    /// The action for a signature: the first pattern that fits, else the policy's own.
    package func action(forSignature signature: String) -> VirusAction {
        self.policy.signatures.first { SignaturePattern.matches($0.pattern, signature) }?.action ?? self.policy.virus
    }
}

/// The decision's line: what is done, why, and what the sender is told.
private struct Line {
    var disposition: Disposition
    var reason: String
    var reply: SMTPReply?
}

/// An action that a hit or the configuration asks for.
private struct Request {
    var rule: String
    var action: RequestedAction
    /// What a check of our own has to say about it, for the reason.
    var detail = ""
    /// A check asks for it by itself, not the configuration.
    var isBuiltIn: Bool
}

/// One message's findings while they are looked at.
private struct DecisionInput {
    let policy: Policy
    let isAllowed: Bool
    let allowed: ListMatch?
    let denied: ListMatch?
    let score: Double
    let ambiguity: Double
    /// Checks that found the message ambiguous, the strongest first.
    let ambiguous: [String]
    /// The strictest action of the signatures that were found, and the signature.
    let virus: (action: VirusAction, signature: String)?
    let requests: [Request]
    let sender: SenderVerdict?
    let failures: [(check: String, failure: CheckFailure, action: FailurePolicy)]

    init(decider: PolicyDecider, findings: Findings, allowed: ListMatch?, denied: ListMatch?) {
        let policy = decider.policy
        self.policy = policy
        self.isAllowed = allowed != nil
        self.allowed = allowed
        self.denied = denied
        self.score = findings.score
        self.ambiguity = findings.ambiguity
        self.ambiguous = findings.checks.hits.filter { $0.ambiguity > 0 }.sorted { $0.ambiguity > $1.ambiguity }.map(\.rule)
        self.virus = DecisionInput.virus(decider, findings.scan)
        func requests(_ hits: [Hit], areChecks: Bool) -> [Request] {
            hits.compactMap { hit in
                DecisionInput.action(of: hit, policy).map {
                    Request(
                        rule: hit.rule,
                        action: $0,
                        detail: hit.detail.isEmpty ? "" : " (\(hit.detail))",
                        isBuiltIn: areChecks && policy.ruleActions[hit.rule] == nil
                    )
                }
            }
        }
        self.requests =
            requests(findings.checks.hits, areChecks: true)
            + requests((findings.reputation?.hits ?? []) + findings.rules.hits, areChecks: false)
        self.sender = findings.authentication.flatMap { SenderVerdict($0, policy) }
        var failures: [(String, CheckFailure, FailurePolicy)] = []
        if case .notScanned(let failure) = findings.scan.status {
            failures.append(("virus", failure, policy.onFailure["virus"] ?? decider.virusOnFailure))
        }
        if let failure = findings.rules.failure {
            failures.append(("rules", failure, policy.onFailure["rules"] ?? .defer))
        }
        if let failure = findings.authenticationFailure ?? (findings.authentication?.isTemporary == true ? .timedOut : nil) {
            failures.append(("authentication", failure, policy.onFailure["authentication"] ?? .accept))
        }
        // Whoever sends much at once must not get mail through unchecked by that, nor have others refused.
        self.failures = failures.map { $0.1 == .overloaded ? ($0.0, $0.1, .defer) : $0 }
    }

    private static func virus(_ decider: PolicyDecider, _ scan: ScanFindings) -> (action: VirusAction, signature: String)? {
        guard case .found(let signatures) = scan.status else { return nil }
        let found = signatures.map { (action: decider.action(forSignature: $0), signature: $0) }
        for action in [VirusAction.reject, .hold, .tag] {
            if let first = found.first(where: { $0.action == action }) { return first }
        }
        // Infected without a name is infected all the same.
        return signatures.isEmpty ? (decider.policy.virus, "unnamed") : nil
    }

    /// The configuration's word on a rule wins over the rule's own.
    private static func action(of hit: Hit, _ policy: Policy) -> RequestedAction? {
        guard let configured = policy.ruleActions[hit.rule] else { return hit.action }
        switch configured {
        case .none: return nil
        case .tag: return .tag
        case .hold: return .hold
        case .discard: return .discard
        case .reject:
            if case .reject = hit.action { return hit.action }
            return .reject(text: nil)
        case .defer:
            if case .defer = hit.action { return hit.action }
            return .defer(text: nil)
        }
    }

    /// Checks that are missing although the message may go its way.
    var unchecked: [String] {
        self.failures.filter { $0.action == .accept }.map(\.check)
    }

    // MARK: - The lines

    func firstLine() -> Line {
        if let line = self.virusLine(.reject) { return line }
        if self.isAllowed {
            if let line = self.refusal(among: self.requests.filter(\.isBuiltIn)) { return line }
        } else {
            if let denied = self.denied {
                return Line(disposition: .reject, reason: "deny list: \(denied)", reply: PolicyReply.denied)
            }
            if let line = self.refusal(among: self.requests) ?? self.senderLine(.reject) ?? self.scoreLine(.reject) {
                return line
            }
        }
        if let line = self.failureLine() ?? self.deferralByRule() { return line }
        if let line = self.requestLine(.discard) { return line }
        for disposition in [Disposition.hold, .tag] {
            let action: VirusAction = disposition == .hold ? .hold : .tag
            if let line = self.virusLine(action) ?? self.requestLine(disposition)
                ?? self.senderLine(disposition == .hold ? .hold : .tag)
                ?? (disposition == .hold ? self.ambiguityLine() : nil) ?? self.scoreLine(disposition)
            {
                return line
            }
        }
        return Line(disposition: .deliver, reason: self.deliveryReason, reply: nil)
    }

    private var deliveryReason: String {
        if let allowed { return "allow list: \(allowed)" }
        guard let threshold = self.policy.tagScore ?? self.policy.holdScore ?? self.policy.rejectScore else {
            return "no threshold is set"
        }
        let name = self.policy.tagScore != nil ? "tag_score" : self.policy.holdScore != nil ? "hold_score" : "reject_score"
        return "score \(self.score.plain) < \(name) \(threshold.plain)"
    }

    private func virusLine(_ action: VirusAction) -> Line? {
        guard let virus, virus.action == action else { return nil }
        let reason = "virus \(virus.signature): \(action.rawValue)"
        switch action {
        case .reject: return Line(disposition: .reject, reason: reason, reply: PolicyReply.virus(virus.signature))
        case .hold: return Line(disposition: .hold, reason: reason, reply: nil)
        case .tag: return Line(disposition: .tag, reason: reason, reply: nil)
        case .ignore: return nil
        }
    }

    private func senderLine(_ action: SenderAction) -> Line? {
        guard !self.isAllowed, let sender, sender.action == action else { return nil }
        let disposition: Disposition =
            switch action {
            case .reject: .reject
            case .hold: .hold
            case .tag, .none: .tag
            }
        return Line(
            disposition: disposition,
            reason: "\(sender.reason): \(action.rawValue)",
            reply: action == .reject ? sender.reply : nil
        )
    }

    private func refusal(among requests: [Request]) -> Line? {
        for request in requests {
            guard case .reject(let text) = request.action else { continue }
            return Line(
                disposition: .reject,
                reason: "rule \(request.rule): reject\(request.detail)",
                reply: PolicyReply.refused(text: text)
            )
        }
        return nil
    }

    /// A definite refusal comes before a deferral among the failures, too.
    private func failureLine() -> Line? {
        for action in [FailurePolicy.reject, .defer] {
            guard let failure = self.failures.first(where: { $0.action == action }) else { continue }
            if failure.failure == .overloaded {
                return Line(
                    disposition: .defer,
                    reason: "\(failure.check) check \(failure.failure.words)",
                    reply: PolicyReply.overloaded
                )
            }
            let reason = "\(failure.check) check \(failure.failure.words): on_failure \(action.rawValue)"
            return action == .reject
                ? Line(disposition: .reject, reason: reason, reply: PolicyReply.uncheckedRefused(failure.check))
                : Line(disposition: .defer, reason: reason, reply: PolicyReply.uncheckedDeferred(failure.check))
        }
        return nil
    }

    private func deferralByRule() -> Line? {
        guard !self.isAllowed else { return nil }
        for request in self.requests {
            guard case .defer(let text) = request.action else { continue }
            return Line(disposition: .defer, reason: "rule \(request.rule): defer", reply: PolicyReply.deferred(text: text))
        }
        return nil
    }

    private func requestLine(_ disposition: Disposition) -> Line? {
        let wanted: RequestedAction? =
            switch disposition {
            case .discard: .discard
            case .hold: .hold
            case .tag: .tag
            case .deliver, .reject, .defer: nil
            }
        guard !self.isAllowed, let wanted, let request = self.requests.first(where: { $0.action == wanted }) else { return nil }
        return Line(
            disposition: disposition,
            reason: "rule \(request.rule): \(disposition.rawValue)\(request.detail)",
            reply: nil
        )
    }

    /// Names of checks that a reason tells.
    private static let toldChecks = 3

    private func ambiguityLine() -> Line? {
        guard !self.isAllowed, let threshold = self.policy.ambiguityHoldScore, self.ambiguity >= threshold, self.ambiguity > 0
        else { return nil }
        let names = self.ambiguous.prefix(Self.toldChecks).joined(separator: ", ")
        return Line(
            disposition: .hold,
            reason: "ambiguity \(self.ambiguity.plain) >= ambiguity_hold_score \(threshold.plain): \(names)",
            reply: nil
        )
    }

    private func scoreLine(_ disposition: Disposition) -> Line? {
        let step: (String, Double?) =
            switch disposition {
            case .reject: ("reject_score", self.policy.rejectScore)
            case .hold: ("hold_score", self.policy.holdScore)
            case .tag: ("tag_score", self.policy.tagScore)
            case .deliver, .defer, .discard: ("", nil)
            }
        guard !self.isAllowed, let threshold = step.1, self.score >= threshold else { return nil }
        return Line(
            disposition: disposition,
            reason: "score \(self.score.plain) >= \(step.0) \(threshold.plain)",
            reply: disposition == .reject ? PolicyReply.spam : nil
        )
    }
}

extension CheckFailure {
    fileprivate var words: String {
        switch self {
        case .timedOut: "timed out"
        case .overloaded: "was not begun, too much waits"
        case .failed: "failed"
        }
    }
}

extension Double {
    /// For reading: without a fraction where there is none, else at most three digits of it, rounded towards zero so that
    /// 4.9999 is not said to be 5 and yet below 5.
    fileprivate var plain: String {
        guard self.isFinite, abs(self) < 1e12 else { return "\(self)" }
        // Sums of decimal scores carry noise in the last bits.
        let thousandths = (self * 1_000 + (self < 0 ? -1e-6 : 1e-6)).rounded(.towardZero)
        return thousandths.truncatingRemainder(dividingBy: 1_000) == 0 ? "\(Int(thousandths / 1_000))" : "\(thousandths / 1_000)"
    }
}
