/// What became of one signature (RFC 8601 §2.7.1).
package struct DKIMFinding: Hashable, Sendable {
    package enum Result: String, Hashable, Sendable, CaseIterable {
        case pass
        /// It does not verify: something was changed, or it was never right.
        case fail
        /// The key could not be fetched; perhaps next time.
        case temperror
        /// It can never be verified: the signature or the key is wrong.
        case permerror
        /// There was a signature that was not looked at: too many of them.
        case neutral
    }

    package var result: Result
    /// `d=`, as written; nil if it could not be read.
    package var domain: String?
    package var selector: String?
    /// `i=`, or `@d`.
    package var identity: String?
    /// `rsa-sha256`
    package var algorithm: String?
    /// What is wrong, in words for a log.
    package var reason: String?
    /// The domain tests its signing (`t=y`).
    package var isTesting: Bool
    /// Octets at the end of the body that the signature leaves open (`l=`): anybody may have added them.
    package var unsignedOctets: UInt64
    /// The first characters of `b=`, to tell signatures apart (RFC 6008).
    package var signatureStart: String

    package init(
        _ result: Result,
        domain: String? = nil,
        selector: String? = nil,
        identity: String? = nil,
        algorithm: String? = nil,
        reason: String? = nil,
        isTesting: Bool = false,
        unsignedOctets: UInt64 = 0,
        signatureStart: String = ""
    ) {
        self.result = result
        self.domain = domain
        self.selector = selector
        self.identity = identity
        self.algorithm = algorithm
        self.reason = reason
        self.isTesting = isTesting
        self.unsignedOctets = unsignedOctets
        self.signatureStart = signatureStart
    }
}
