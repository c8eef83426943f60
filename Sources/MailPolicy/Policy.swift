import MailTypes

/// What is done about a signature the virus engine found.
package enum VirusAction: String, Hashable, Sendable, CaseIterable {
    case reject
    case hold
    case tag
    case ignore
}

/// A signature-name pattern and its action; `*` stands for any characters, letters match in either case.
package struct SignatureRule: Hashable, Sendable {
    package var pattern: String
    package var action: VirusAction

    package init(pattern: String, action: VirusAction) {
        self.pattern = pattern
        self.action = action
    }
}

/// What the administrator wants for a group of recipients: the `policies:` section of the configuration.
package struct Policy: Hashable, Sendable {
    package var name: String
    /// Octets. Default 25 MiB.
    package var maxMessageSize = 25 * 1_048_576
    /// Scores from which a message is tagged, held, refused; nil switches the step off.
    package var tagScore: Double? = 5
    package var holdScore: Double? = 8
    package var rejectScore: Double? = 15
    /// Sum of the checks' ambiguity from which a message is held; nil switches the step off.
    package var ambiguityHoldScore: Double? = 4
    /// What archives may be like.
    package var archives = ArchiveLimits()
    /// For signatures that no rule below names.
    package var virus: VirusAction = .reject
    /// The first pattern that fits decides. The defaults keep heuristics and over-limit content reviewable.
    package var signatures: [SignatureRule] = [
        SignatureRule(pattern: "Heuristics.Limits.Exceeded*", action: .hold),
        SignatureRule(pattern: "Heuristics.Encrypted.*", action: .hold),
        SignatureRule(pattern: "Heuristics.*", action: .hold),
        SignatureRule(pattern: "PUA.*", action: .tag),
    ]
    /// A copy of refused mail stays reviewable in the quarantine.
    package var keepRejected = true
    /// Actions for rules and checks by name; they win over the score.
    package var ruleActions: [String: RuleAction] = [:]
    /// What is done when DMARC fails and the domain's owner asks for `p=reject` or `p=quarantine` (RFC 7489 §6.7 leaves it to
    /// the receiver).
    package var dmarc: [DMARCPolicy: SenderAction] = [.reject: .reject, .quarantine: .hold]
    /// What is done when SPF fails and DMARC says nothing of the message.
    package var spfFail: SenderAction = .none
    /// Domains whose seals count (RFC 8617 §7.2): mail that they passed on and that DMARC passed for at their place is not
    /// refused for what passing on broke.
    package var trustedSealers: [String] = []
    /// What happens when a check cannot be completed, by its name: `rules`, `authentication`, `virus` (without it the virus
    /// engine's own setting counts).
    package var onFailure: [String: FailurePolicy] = ["rules": .defer, "authentication": .accept]

    package init(name: String) {
        self.name = name
    }
}

/// What is done about a sender that is not who it says.
package enum SenderAction: String, Hashable, Sendable, CaseIterable {
    case reject
    case hold
    case tag
    case none
}

/// What the configuration says about one rule by name.
package enum RuleAction: String, Hashable, Sendable, CaseIterable {
    case tag
    case hold
    case reject
    case `defer`
    case discard
    /// The rule counts its score and asks for nothing.
    case none
}
