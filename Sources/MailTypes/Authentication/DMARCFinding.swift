/// What DMARC says of a message (RFC 7489 §6.6).
package struct DMARCFinding: Hashable, Sendable {
    /// RFC 7489 §11.2
    package enum Result: String, Hashable, Sendable, CaseIterable {
        case none
        case pass
        case fail
        case temperror
        case permerror
    }

    package var result: Result
    /// The domain of From; nil if there is not just one.
    package var domain: String?
    /// Where the record was found.
    package var recordDomain: String?
    package var record: DMARCRecord?
    /// What the record asks for mail of this domain, `pct` not counted in.
    package var policy: DMARCPolicy?
    /// The domains that vouch for From.
    package var alignedDKIM: [String]
    package var alignedSPF: String?
    package var reason: String?

    /// How much the owner wants: 2 for refusal, 0 for nothing.
    package var strictness: Int { self.policy == .reject ? 2 : self.policy == .quarantine ? 1 : 0 }

    package init(_ result: Result, domain: String? = nil, reason: String? = nil) {
        self.result = result
        self.domain = domain
        self.alignedDKIM = []
        self.reason = reason
    }
}
