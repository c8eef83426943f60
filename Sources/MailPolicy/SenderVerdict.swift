import MailTypes

/// What policy makes of the findings about a sender.
struct SenderVerdict: Hashable, Sendable {
    var action: SenderAction
    /// `DMARC of example.org, p=reject`
    var reason: String
    var reply: SMTPReply

    /// nil: nothing is held against the sender.
    init?(_ findings: AuthenticationFindings, _ policy: Policy) {
        if let verdict = Self.dmarc(findings, policy) {
            self = verdict
            return
        }
        guard findings.dmarc.result != .pass, findings.dmarc.result != .fail else { return nil }
        guard let spf = findings.mailFrom, spf.result == .fail, policy.spfFail != .none else { return nil }
        self.action = policy.spfFail
        self.reason = "SPF of \(spf.domain), fail"
        self.reply = PolicyReply.spf(spf.domain)
    }

    private init(action: SenderAction, reason: String, reply: SMTPReply) {
        self.action = action
        self.reason = reason
        self.reply = reply
    }

    private static func dmarc(_ findings: AuthenticationFindings, _ policy: Policy) -> SenderVerdict? {
        let dmarc = findings.dmarc
        guard dmarc.result == .fail, var wanted = dmarc.policy, let domain = dmarc.domain else { return nil }
        // Beyond `pct` the next weaker policy is in force (RFC 7489 §6.6.4).
        if let percentage = dmarc.record?.percentage, findings.sample >= percentage {
            wanted = wanted == .reject ? .quarantine : .none
        }
        guard let action = policy.dmarc[wanted], action != .none else { return nil }
        guard !self.isVouchedFor(findings.arc, policy) else { return nil }
        return SenderVerdict(action: action, reason: "DMARC of \(domain), p=\(wanted.rawValue)", reply: PolicyReply.dmarc(domain))
    }

    /// A trusted hop sealed the message, and DMARC had passed there.
    private static func isVouchedFor(_ arc: ARCFinding, _ policy: Policy) -> Bool {
        guard arc.result == .pass, let sealer = arc.lastSealer?.lowercased(), !policy.trustedSealers.isEmpty else { return false }
        guard policy.trustedSealers.contains(where: { $0.lowercased() == sealer }) else { return false }
        return arc.authenticationResults.last?.lowercased().contains("dmarc=pass") ?? false
    }
}
