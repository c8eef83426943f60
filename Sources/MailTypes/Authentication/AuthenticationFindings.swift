/// What is known of who really sent a message.
package struct AuthenticationFindings: Hashable, Sendable {
    /// The envelope's sender; nil when it was not checked: no client is known.
    package var mailFrom: SPFFinding?
    /// The name the client gave.
    package var helo: SPFFinding?
    /// One for each signature, from the top.
    package var dkim: [DKIMFinding]
    package var arc: ARCFinding
    package var dmarc: DMARCFinding
    package var microseconds: Int

    package init(
        mailFrom: SPFFinding? = nil,
        helo: SPFFinding? = nil,
        dkim: [DKIMFinding] = [],
        arc: ARCFinding = ARCFinding(.none),
        dmarc: DMARCFinding = DMARCFinding(.none),
        microseconds: Int = 0
    ) {
        self.mailFrom = mailFrom
        self.helo = helo
        self.dkim = dkim
        self.arc = arc
        self.dmarc = dmarc
        self.microseconds = microseconds
    }

    /// Domains of signatures that pass.
    package var dkimDomains: [String] { self.dkim.filter { $0.result == .pass }.compactMap(\.domain) }

    /// Something could not be asked for, and another try may say more.
    package var isTemporary: Bool {
        self.mailFrom?.result == .temperror || self.dkim.contains { $0.result == .temperror } || self.dmarc.result == .temperror
            || self.arc.isTemporary
    }
}
