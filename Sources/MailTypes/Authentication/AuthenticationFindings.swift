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
    /// A number of 0 to 99 that is the same for the same message: a policy for `pct=30` is for those below 30.
    package var sample: Int
    package var microseconds: Int

    package init(
        mailFrom: SPFFinding? = nil,
        helo: SPFFinding? = nil,
        dkim: [DKIMFinding] = [],
        arc: ARCFinding = ARCFinding(.none),
        dmarc: DMARCFinding = DMARCFinding(.none),
        sample: Int = 0,
        microseconds: Int = 0
    ) {
        self.sample = sample
        self.mailFrom = mailFrom
        self.helo = helo
        self.dkim = dkim
        self.arc = arc
        self.dmarc = dmarc
        self.microseconds = microseconds
    }

    /// Domains of signatures that pass.
    package var dkimDomains: [String] { self.dkim.filter { $0.result == .pass }.compactMap(\.domain) }

    /// The results in a line: `spf=pass dkim=pass,fail dmarc=pass arc=none`.
    package var summary: String {
        let spf = self.mailFrom.map { "spf=\($0.result.rawValue) " } ?? ""
        let dkim = self.dkim.isEmpty ? "none" : self.dkim.map(\.result.rawValue).joined(separator: ",")
        return "\(spf)dkim=\(dkim) dmarc=\(self.dmarc.result.rawValue) arc=\(self.arc.result.rawValue)"
    }

    /// Something could not be asked for, and another try may say more.
    package var isTemporary: Bool {
        self.mailFrom?.result == .temperror || self.dkim.contains { $0.result == .temperror } || self.dmarc.result == .temperror
            || self.arc.isTemporary
    }
}
