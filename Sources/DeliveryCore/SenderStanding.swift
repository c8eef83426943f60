import MailTypes

/// Whether a reverse path is that of who sent the message. Notices to a forged one hit somebody who has nothing to do with it
/// (RFC 5321 §6.2).
package enum SenderStanding: Hashable, Sendable {
    /// The domain of the reverse path stands for the message.
    case vouchedFor
    /// Nothing speaks for it and nothing against it.
    case unknown
    /// The domain's owner says that the message does not come from there.
    case forged

    /// The reverse path is what counts, since it gets the notice: SPF looks at just that, and so does a signature of its
    /// domain. A list that breaks the author's signatures fails DMARC and is still whom to tell.
    package init(_ reversePath: ReversePath, _ findings: AuthenticationFindings?) {
        guard let findings, let address = reversePath.address else {
            self = .unknown
            return
        }
        let domain = address.domain
        let isSigned = findings.dkimDomains.map { $0.lowercased() }
            .contains { !$0.isEmpty && (domain == $0 || domain.hasSuffix("." + $0)) }
        if findings.mailFrom?.result == .pass || isSigned {
            self = .vouchedFor
        } else if findings.mailFrom?.result == .fail || findings.dmarc.result == .fail {
            self = .forged
        } else {
            self = .unknown
        }
    }
}
