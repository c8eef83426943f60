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
        guard dmarc.result == .fail, let wanted = dmarc.policyInForce(findings.sample), let domain = dmarc.domain else {
            return nil
        }
        guard let action = policy.dmarc[wanted], action != .none else { return nil }
        guard !self.isVouchedFor(findings.arc, policy) else { return nil }
        return SenderVerdict(action: action, reason: "DMARC of \(domain), p=\(wanted.rawValue)", reply: PolicyReply.dmarc(domain))
    }

    /// A trusted hop sealed the message, and DMARC had passed there.
    fileprivate static func isVouchedFor(_ arc: ARCFinding, _ policy: Policy) -> Bool {
        guard arc.result == .pass, let sealer = arc.lastSealer?.lowercased(), !policy.trustedSealers.isEmpty else { return false }
        guard policy.trustedSealers.contains(where: { $0.lowercased() == sealer }) else { return false }
        return arc.authenticationResults.last?.lowercased().contains("dmarc=pass") ?? false
    }
}

extension DMARCFinding {
    /// What the owner asks for in this message: beyond `pct` the next weaker policy (RFC 7489 §6.6.4).
    fileprivate func policyInForce(_ sample: Int) -> DMARCPolicy? {
        guard let policy = self.policy, let percentage = self.record?.percentage, sample >= percentage else { return self.policy }
        return policy == .reject ? .quarantine : DMARCPolicy.none
    }
}

/// What was done because of DMARC and why it is not what the owner asks for, as a report tells it (RFC 7489 Appendix C,
/// `PolicyEvaluatedType`).
package struct DMARCHandling: Hashable, Sendable {
    package var disposition: DMARCPolicy
    package var reasons: [DMARCReportRow.Reason]

    /// - Parameter isAllowed: the sender is on the allow list.
    package init(_ findings: AuthenticationFindings, policy: Policy, isAllowed: Bool) {
        let dmarc = findings.dmarc
        self.disposition = .none
        self.reasons = []
        guard dmarc.result == .fail, let published = dmarc.policy, let wanted = dmarc.policyInForce(findings.sample) else {
            return
        }
        if dmarc.record?.isTesting == true, dmarc.record?.policy != DMARCPolicy.none {
            self.reasons.append(DMARCReportRow.Reason(.policyTestMode))
        }
        if wanted != published { self.reasons.append(DMARCReportRow.Reason(.sampledOut)) }
        guard wanted != .none else { return }
        if isAllowed {
            self.reasons.append(DMARCReportRow.Reason(.localPolicy, comment: "the sender is on a list of this site"))
        } else if SenderVerdict.isVouchedFor(findings.arc, policy) {
            self.reasons.append(DMARCReportRow.Reason(.localPolicy, comment: Self.comment(findings.arc)))
        } else {
            switch policy.dmarc[wanted] ?? .none {
            case .reject: self.disposition = .reject
            // Marked is what RFC 7489 §6.3 calls suspicious.
            case .hold, .tag: self.disposition = .quarantine
            case .none: self.disposition = .none
            }
            if self.disposition != wanted {
                self.reasons.append(
                    DMARCReportRow.Reason(.localPolicy, comment: "this site's own policy for p=\(wanted.rawValue)")
                )
            }
        }
    }

    /// RFC 8617 §7.2.2: `arc=pass as[2].d=b.example as[1].d=a.example`.
    private static func comment(_ arc: ARCFinding) -> String {
        let hops = arc.sealers.enumerated().reversed().map { "as[\($0.offset + 1)].d=\($0.element)" }
        return (["arc=\(arc.result.rawValue)"] + hops).joined(separator: " ")
    }
}
