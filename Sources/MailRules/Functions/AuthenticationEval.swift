import MailTypes

/// Functions about who really sent a message: what the plugins SPF, DKIM and DMARC of SpamAssassin have, answered from the
/// gateway's own findings. Without findings (nothing was asked of the DNS) none of them hits.
enum AuthenticationEval {
    static let functions: [EvalFunction] = spf + dkim + dmarc

    /// Plugins whose rules wait for the findings.
    static let plugins: Set<String> = Set(functions.map(\.plugin))

    private static func function(
        _ name: String,
        _ plugin: String,
        _ test: @escaping @Sendable (AuthenticationFindings, EvalContext) -> Bool
    ) -> EvalFunction {
        EvalFunction(name, plugin: plugin) { _ in
            { context in EvalOutcome(context.envelope.authentication.map { test($0, context) } ?? false) }
        }
    }

    private static var spf: [EvalFunction] {
        SPFResult.allCases.flatMap { result in
            [
                self.function("check_for_spf_\(result.rawValue)", "SPF") { findings, _ in findings.mailFrom?.result == result },
                self.function("check_for_spf_helo_\(result.rawValue)", "SPF") { findings, _ in findings.helo?.result == result },
            ]
        } + [
            self.function("check_spf_skipped_noenvfrom", "SPF") { _, context in context.addresses("EnvelopeFrom:addr").isEmpty },
            self.function("check_for_spf_welcomelist_from", "SPF", self.isWelcomeBySPF("")),
            self.function("check_for_spf_whitelist_from", "SPF", self.isWelcomeBySPF("")),
            self.function("check_for_def_spf_welcomelist_from", "SPF", self.isWelcomeBySPF("def_")),
            self.function("check_for_def_spf_whitelist_from", "SPF", self.isWelcomeBySPF("def_")),
        ]
    }

    private static var dkim: [EvalFunction] {
        [
            self.function("check_dkim_signed", "DKIM") { findings, _ in !findings.dkim.isEmpty },
            EvalFunction("check_dkim_valid", plugin: "DKIM", prepare: self.isValid),
            // Another name of the same.
            EvalFunction("check_dkim_verified", plugin: "DKIM", prepare: self.isValid),
            self.function("check_dkim_valid_author_sig", "DKIM") { findings, context in
                guard let author = context.domain(of: "From:addr") else { return false }
                return findings.dkimDomains.contains { self.covers($0, author) }
            },
            EvalFunction("check_dkim_adsp", plugin: "DKIM", prepare: self.practices),
            EvalFunction("check_dkim_signall", plugin: "DKIM") { _ throws(EvalArguments.Failure) in
                try self.practices(EvalArguments(["A"]))
            },
            // SpamAssassin kept the name of what it no longer does.
            self.function("check_dkim_signsome", "DKIM") { _, _ in false },
            self.function("check_for_dkim_welcomelist_from", "DKIM", self.isWelcomeByDKIM("")),
            self.function("check_for_dkim_whitelist_from", "DKIM", self.isWelcomeByDKIM("")),
            self.function("check_for_def_dkim_welcomelist_from", "DKIM", self.isWelcomeByDKIM("def_")),
            self.function("check_for_def_dkim_whitelist_from", "DKIM", self.isWelcomeByDKIM("def_")),
            self.function("check_dkim_valid_envelopefrom", "DKIM") { findings, context in
                guard let sender = context.domain(of: "EnvelopeFrom") else { return false }
                return findings.dkimDomains.contains { self.covers($0, sender) }
            },
            self.function("check_dkim_testing", "DKIM") { findings, _ in findings.dkim.contains(where: \.isTesting) },
            self.function("check_dkim_dependable", "DKIM") { findings, _ in !findings.dkimDomains.isEmpty },
            self.function("check_arc_signed", "DKIM") { findings, _ in findings.arc.result != .none },
            self.function("check_arc_valid", "DKIM") { findings, _ in findings.arc.result == .pass },
        ]
    }

    private static var dmarc: [EvalFunction] {
        func failing(_ policy: DMARCPolicy) -> @Sendable (AuthenticationFindings, EvalContext) -> Bool {
            { findings, _ in findings.dmarc.result == .fail && findings.dmarc.policy == policy }
        }
        return [
            self.function("check_dmarc_pass", "DMARC") { findings, _ in findings.dmarc.result == .pass },
            self.function("check_dmarc_reject", "DMARC", failing(.reject)),
            self.function("check_dmarc_quarantine", "DMARC", failing(.quarantine)),
            self.function("check_dmarc_none", "DMARC", failing(.none)),
            self.function("check_dmarc_missing", "DMARC") { findings, _ in findings.dmarc.result == .none },
        ]
    }

    /// Whether a signer is the author's domain or one above it.
    fileprivate static func covers(_ signer: String, _ author: DNSName) -> Bool {
        DNSName(signer).map { author.isWithin($0) } ?? false
    }
}

// MARK: - Lists of senders that are vouched for

extension AuthenticationEval {
    fileprivate typealias Question = @Sendable (AuthenticationFindings, EvalContext) -> Bool

    @Sendable
    fileprivate static func isValid(_ arguments: EvalArguments) -> EvalTest {
        let domains = Set(arguments.values.compactMap { $0?.lowercased() })
        return { context in
            let signers = (context.envelope.authentication?.dkimDomains ?? []).map { $0.lowercased() }
            return EvalOutcome(domains.isEmpty ? !signers.isEmpty : signers.contains { domains.contains($0) })
        }
    }

    /// `welcomelist_from_spf` and `welcomelist_auth`, or those that come with a rule set: the envelope's sender.
    fileprivate static func isWelcomeBySPF(_ prefix: String) -> Question {
        { findings, context in
            guard findings.mailFrom?.result == .pass, let sender = context.addresses("EnvelopeFrom:addr").first else {
                return false
            }
            let address = sender.map(\.lowercased)
            return ["welcomelist_from_spf", "welcomelist_auth"].contains {
                context.settings.addressLists[prefix + $0]?.contains(address) ?? false
            }
        }
    }

    /// `welcomelist_from_dkim` and `welcomelist_auth`: an author, with a signature of a domain that the list names or of the
    /// author's own.
    fileprivate static func isWelcomeByDKIM(_ prefix: String) -> Question {
        { findings, context in
            let signers = findings.dkim.filter { $0.result == .pass }.compactMap(\.signingHost)
            guard !signers.isEmpty else { return false }
            let lists = context.settings.addressLists
            let signed = prefix.isEmpty ? lists.fromSigners : lists.fromSignersByDefault
            return context.addresses("From:addr").contains { author in
                let address = author.map(\.lowercased)
                guard let at = address.lastIndex(of: 0x40) else { return false }
                let host = String(decoding: address[(at + 1)...], as: UTF8.self)
                if lists[prefix + "welcomelist_auth"]?.contains(address) ?? false, signers.contains(host) { return true }
                return signed.visit(address) { names in
                    names.contains { name in signers.contains { name.covers($0, author: host) } }
                }
            }
        }
    }

    /// `check_dkim_adsp('D', 'example.org', …)`: an author has no signature of its own that passes, and its domain's practice is
    /// one of these (`SigningPractices`).
    @Sendable
    fileprivate static func practices(_ arguments: EvalArguments) throws(EvalArguments.Failure) -> EvalTest {
        let letters = try arguments.required(0, "letters of practices, as 'D'")
        let wanted = letters == "*" ? "NAD123" : letters
        let domains = arguments.values.dropFirst().compactMap { $0?.lowercased() }.map(SignerName.init)
        return { context in
            guard let findings = context.envelope.authentication else { return false }
            let authors = context.headers("From:addr").compactMap { address -> String? in
                let host = address.split(separator: 0x40).last.map { String(decoding: $0, as: UTF8.self).lowercased() } ?? ""
                return address.contains(0x40) && host.contains(".") ? host : nil
            }
            let isPractised = authors.contains { author in
                guard let name = DNSName(author), !findings.dkimDomains.contains(where: { self.covers($0, name) }),
                    !findings.dkim.contains(where: { $0.result == .temperror && $0.signingHost == author })
                else { return false }
                return wanted.contains(context.settings.signing.practice(of: author).rawValue)
            }
            guard isPractised else { return false }
            return EvalOutcome(domains.isEmpty || authors.contains { author in domains.contains { $0.isOrCovers(author) } })
        }
    }
}

extension DKIMFinding {
    /// The host of `i=`, or `d=`; lower case.
    fileprivate var signingHost: String? {
        let host = self.identity?.split(separator: "@", omittingEmptySubsequences: false).last.map(String.init) ?? self.domain
        return host?.lowercased()
    }
}

extension EvalContext {
    /// The domain of the first address in a header text.
    fileprivate func domain(of selector: String) -> DNSName? {
        guard let text = self.header(selector) else { return nil }
        let address = text.split { $0 <= 0x20 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ">") }.first ?? []
        guard let at = address.lastIndex(of: UInt8(ascii: "@")) else { return nil }
        return DNSName(address[(at + 1)...])
    }
}
