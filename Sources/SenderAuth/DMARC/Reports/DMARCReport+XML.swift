import MailTypes

extension DMARCReport {
    /// RFC 7489 Appendix C or RFC 9990 Appendix A, elements in the schema's order.
    package var xml: [UInt8] {
        var document = XMLText()
        document.element("feedback", namespace: self.schema == .rfc9990 ? Self.namespace : nil) { feedback in
            feedback.element("version", "1.0")
            feedback.element("report_metadata") { metadata in
                metadata.element("org_name", self.reporter.organization)
                metadata.element("email", self.reporter.email)
                if let contact = self.reporter.contact { metadata.element("extra_contact_info", contact) }
                metadata.element("report_id", self.id)
                metadata.element("date_range") { range in
                    range.element("begin", "\(self.begin)")
                    range.element("end", "\(self.end)")
                }
                for error in self.errors { metadata.element("error", error) }
            }
            feedback.element("policy_published", self.writePolicy)
            for record in self.records { self.write(record, to: &feedback) }
        }
        return document.bytes
    }

    private static let namespace = "urn:ietf:params:xml:ns:dmarc-2.0"

    private func writePolicy(to policy: inout XMLText) {
        policy.element("domain", self.published.domain)
        switch self.schema {
        case .rfc7489:
            policy.element("adkim", self.published.isStrictForDKIM ? "s" : "r")
            policy.element("aspf", self.published.isStrictForSPF ? "s" : "r")
            policy.element("p", self.published.policy)
            policy.element("sp", self.published.subdomainPolicy)
            policy.element("pct", "\(self.published.percentage)")
            policy.element("fo", self.published.failureOptions)
        case .rfc9990:
            policy.element("discovery_method", self.discovery.rawValue)
            policy.element("p", self.published.policy)
            policy.element("sp", self.published.subdomainPolicy)
            // Without `np`, `sp` is in force (RFC 9989).
            policy.element("np", self.published.nonexistentPolicy ?? self.published.subdomainPolicy)
            policy.element("fo", self.published.failureOptions)
            policy.element("adkim", self.published.isStrictForDKIM ? "s" : "r")
            policy.element("aspf", self.published.isStrictForSPF ? "s" : "r")
            policy.element("testing", self.published.isTesting == true ? "y" : "n")
        }
    }

    private func write(_ record: Record, to feedback: inout XMLText) {
        let row = record.row
        feedback.element("record") { element in
            element.element("row") { part in
                part.element("source_ip", row.source)
                part.element("count", "\(record.count)")
                part.element("policy_evaluated") { policy in
                    policy.element("disposition", self.disposition(of: row))
                    policy.element("dkim", row.isDKIMAligned ? "pass" : "fail")
                    policy.element("spf", row.isSPFAligned ? "pass" : "fail")
                    for reason in row.reasons { self.write(reason, to: &policy) }
                }
            }
            element.element("identifiers") { part in
                switch self.schema {
                case .rfc7489:
                    part.element("envelope_from", row.envelopeFrom)
                    part.element("header_from", row.headerFrom)
                case .rfc9990:
                    part.element("header_from", row.headerFrom)
                    part.element("envelope_from", row.envelopeFrom)
                }
            }
            element.element("auth_results") { part in
                for dkim in row.dkim {
                    // RFC 9990 wants a selector; a signature without one cannot be told of.
                    guard self.schema == .rfc7489 || dkim.selector != nil else { continue }
                    part.element("dkim") { result in
                        result.element("domain", dkim.domain)
                        if let selector = dkim.selector { result.element("selector", selector) }
                        result.element("result", dkim.result)
                    }
                }
                for spf in row.spf {
                    part.element("spf") { result in
                        result.element("domain", spf.domain)
                        // What stands for the null path is a MAIL FROM, too (RFC 7208 §2.4), and RFC 9990 knows no other.
                        result.element("scope", (self.schema == .rfc9990 ? .mailFrom : spf.scope).rawValue)
                        result.element("result", spf.result)
                    }
                }
            }
        }
    }

    /// RFC 9990 has a word of its own for mail that passes although the policy is strict.
    private func disposition(of row: DMARCReportRow) -> String {
        let passes = row.isDKIMAligned || row.isSPFAligned
        guard self.schema == .rfc9990, passes, row.disposition == DMARCPolicy.none.rawValue,
            self.published.policy != DMARCPolicy.none.rawValue
        else { return row.disposition }
        return "pass"
    }

    /// Reasons that a schema has no word for are `other`, and the comment says what they are.
    private func write(_ reason: DMARCReportRow.Reason, to policy: inout XMLText) {
        let isKnown =
            switch reason.kind {
            case .policyTestMode: self.schema == .rfc9990
            case .forwarded, .sampledOut: self.schema == .rfc7489
            case .trustedForwarder, .mailingList, .localPolicy, .other: true
            }
        let kind = isKnown ? reason.kind : .other
        let comment = isKnown ? reason.comment : [reason.kind.rawValue, reason.comment].compactMap { $0 }.joined(separator: ": ")
        policy.element("reason") { part in
            part.element("type", kind.rawValue)
            if let comment { part.element("comment", comment) }
        }
    }
}
