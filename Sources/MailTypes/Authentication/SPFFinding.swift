/// The outcome of `check_host()` (RFC 7208 §2.6).
package enum SPFResult: String, Hashable, Sendable, CaseIterable {
    case none
    case neutral
    case pass
    case fail
    case softfail
    case temperror
    case permerror
}

/// What was found out about one identity, and why.
package struct SPFFinding: Hashable, Sendable {
    /// Whose record was asked (RFC 7208 §2.3, §2.4).
    package enum Identity: String, Hashable, Sendable {
        case helo
        case mailfrom
    }

    package var result: SPFResult
    package var identity: Identity
    /// The domain whose record decided first, in the words of the client.
    package var domain: String
    /// The term that decided: `include:_spf.example.org`; nil when no term did.
    package var mechanism: String?
    /// For a failure, what the domain's owner wants its sender to be told (`exp=`); printable ASCII.
    package var explanation: String?
    /// For an error or none, what is wrong, in words for a log.
    package var problem: String?

    package init(
        _ result: SPFResult,
        identity: Identity,
        domain: String,
        mechanism: String? = nil,
        explanation: String? = nil,
        problem: String? = nil
    ) {
        self.result = result
        self.identity = identity
        self.domain = domain
        self.mechanism = mechanism
        self.explanation = explanation
        self.problem = problem
    }
}
