/// What a domain's owner has published, as a report repeats it (RFC 7489 Appendix C, `policy_published`), and where reports are
/// to go.
package struct DMARCPublished: Hashable, Sendable, Codable {
    /// Where the record was found.
    package var domain: String
    package var policy: String
    package var subdomainPolicy: String
    package var isStrictForDKIM: Bool
    package var isStrictForSPF: Bool
    /// Missing in what was counted before these were told of.
    package var nonexistentPolicy: String?
    package var isTesting: Bool?
    package var percentage: Int
    package var failureOptions: String
    /// `rua`, as published.
    package var destinations: [String]

    /// Addresses of one record that count; RFC 7489 §6.3 asks for at least two.
    package static let maximumDestinations = 5
    /// Characters of `fo`: all its values together have seven.
    private static let maximumFailureOptions = 20

    package init(domain: String, record: DMARCRecord) {
        self.domain = domain.lowercased()
        self.policy = record.policy.rawValue
        self.subdomainPolicy = (record.subdomainPolicy ?? record.policy).rawValue
        self.isStrictForDKIM = record.isStrictForDKIM
        self.isStrictForSPF = record.isStrictForSPF
        self.nonexistentPolicy = record.nonexistentPolicy?.rawValue
        self.isTesting = record.isTesting
        self.percentage = record.percentage
        self.failureOptions = String(record.failureOptions.prefix(Self.maximumFailureOptions))
        self.destinations = record.aggregateReports.prefix(Self.maximumDestinations).map { DMARCReportRow.cut($0) }
    }
}

/// What is the same in all messages of one row of a report (RFC 7489 §7.2, Appendix C): all but their number.
///
/// The recipients' domain (`envelope_to`, optional) is left out: it tells the owner of a forged domain whom somebody else wrote to.
package struct DMARCReportRow: Hashable, Sendable, Codable {
    /// Why something else was done than the policy asks for (`PolicyOverrideType` of RFC 7489 and RFC 9990).
    package struct Reason: Hashable, Sendable, Codable {
        package enum Kind: String, Hashable, Sendable, Codable {
            case forwarded
            case sampledOut = "sampled_out"
            case trustedForwarder = "trusted_forwarder"
            case mailingList = "mailing_list"
            case localPolicy = "local_policy"
            /// The record says `t=y` (RFC 9990).
            case policyTestMode = "policy_test_mode"
            case other
        }

        package var kind: Kind
        package var comment: String?

        package init(_ kind: Kind, comment: String? = nil) {
            self.kind = kind
            self.comment = comment.map { DMARCReportRow.cut($0) }
        }
    }

    package struct DKIM: Hashable, Sendable, Codable {
        package var domain: String
        package var selector: String?
        package var result: String

        package init(domain: String, selector: String?, result: String) {
            self.domain = DMARCReportRow.cut(domain)
            self.selector = selector.map { DMARCReportRow.cut($0) }
            self.result = result
        }
    }

    package struct SPF: Hashable, Sendable, Codable {
        package enum Scope: String, Hashable, Sendable, Codable {
            case helo
            case mailFrom = "mfrom"
        }

        package var domain: String
        package var scope: Scope
        package var result: String

        package init(domain: String, scope: Scope, result: String) {
            self.domain = DMARCReportRow.cut(domain)
            self.scope = scope
            self.result = result
        }
    }

    /// The address of the host that sent, as text.
    package var source: String
    /// What was done because of DMARC; `none`, `quarantine` or `reject`.
    package var disposition: String
    package var reasons: [Reason]
    package var isDKIMAligned: Bool
    package var isSPFAligned: Bool
    package var headerFrom: String
    /// The domain of the reverse path; empty for the null path.
    package var envelopeFrom: String
    package var dkim: [DKIM]
    package var spf: [SPF]

    /// Characters of a text that a sender chose: a domain name has at most 253 (RFC 1035 §2.3.4).
    package static let maximumText = 255
    /// Signatures of one message that are told of; as many as are verified.
    package static let maximumSignatures = 10

    package init(
        source: IPAddress,
        disposition: DMARCPolicy,
        reasons: [Reason] = [],
        isDKIMAligned: Bool,
        isSPFAligned: Bool,
        headerFrom: String,
        envelopeFrom: String,
        dkim: [DKIM] = [],
        spf: [SPF] = []
    ) {
        self.source = "\(source)"
        self.disposition = disposition.rawValue
        self.reasons = reasons
        self.isDKIMAligned = isDKIMAligned
        self.isSPFAligned = isSPFAligned
        self.headerFrom = Self.cut(headerFrom.lowercased())
        self.envelopeFrom = Self.cut(envelopeFrom.lowercased())
        self.dkim = Array(dkim.prefix(Self.maximumSignatures))
        self.spf = spf
    }

    fileprivate static func cut(_ text: String) -> String {
        text.unicodeScalars.count <= Self.maximumText
            ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(Self.maximumText)))
    }
}

/// One message for the report of its domain.
package struct DMARCObservation: Hashable, Sendable {
    package var published: DMARCPublished
    package var row: DMARCReportRow

    package init(published: DMARCPublished, row: DMARCReportRow) {
        self.published = published
        self.row = row
    }
}

extension DMARCObservation {
    /// nil where there is nothing to report: nobody asks for reports, or DMARC was not decided. Mail from hosts of our own is
    /// left out, too: they pass on what others have sent, and their address says nothing about the sender.
    /// - Parameter handling: what was done because of DMARC.
    package init?(
        _ findings: AuthenticationFindings,
        client: IPAddress,
        reversePath: ReversePath,
        handling: (disposition: DMARCPolicy, reasons: [DMARCReportRow.Reason])
    ) {
        let dmarc = findings.dmarc
        guard dmarc.result == .pass || dmarc.result == .fail, let record = dmarc.record, !record.aggregateReports.isEmpty,
            let recordDomain = dmarc.recordDomain, let domain = dmarc.domain, let mailFrom = findings.mailFrom
        else { return nil }
        self.published = DMARCPublished(domain: recordDomain, record: record)
        self.row = DMARCReportRow(
            source: client,
            disposition: handling.disposition,
            reasons: handling.reasons,
            isDKIMAligned: !dmarc.alignedDKIM.isEmpty,
            isSPFAligned: dmarc.alignedSPF != nil,
            headerFrom: domain,
            envelopeFrom: reversePath.address?.domain ?? "",
            dkim: findings.dkim.compactMap { finding in
                finding.domain.map {
                    DMARCReportRow.DKIM(domain: $0.lowercased(), selector: finding.selector, result: finding.result.rawValue)
                }
            },
            spf: [
                DMARCReportRow.SPF(
                    domain: mailFrom.domain.lowercased(),
                    // Without a reverse path the client's name stands for it (RFC 7208 §2.4).
                    scope: reversePath == .null ? .helo : .mailFrom,
                    result: mailFrom.result.rawValue
                )
            ]
        )
    }
}
