/// The outcome of a chain's validation (RFC 8617 §4.4, §5.2).
package struct ARCFinding: Hashable, Sendable {
    package enum Result: String, Hashable, Sendable, CaseIterable {
        case none
        case pass
        case fail
    }

    package var result: Result
    /// The domains that sealed (`d=` of each ARC-Seal), the first hop first; filled as far as they could be read.
    package var sealers: [String]
    /// The content of the ARC-Authentication-Results of each instance, the first hop first.
    package var authenticationResults: [String]
    /// Why it fails, in words for a log.
    package var reason: String?
    /// A key could not be fetched: another try may pass.
    package var isTemporary: Bool

    package init(
        _ result: Result,
        sealers: [String] = [],
        authenticationResults: [String] = [],
        reason: String? = nil,
        isTemporary: Bool = false
    ) {
        self.result = result
        self.sealers = sealers
        self.authenticationResults = authenticationResults
        self.reason = reason
        self.isTemporary = isTemporary
    }

    /// The hop that sealed last: the one whose word counts (RFC 8617 §7.2).
    package var lastSealer: String? { self.sealers.last }
}
