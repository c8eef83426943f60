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
        }
    }

    private static var dkim: [EvalFunction] {
        [
            self.function("check_dkim_signed", "DKIM") { findings, _ in !findings.dkim.isEmpty },
            EvalFunction("check_dkim_valid", plugin: "DKIM") { arguments in
                let domains = Set(arguments.values.compactMap { $0?.lowercased() })
                return { context in
                    let signers = (context.envelope.authentication?.dkimDomains ?? []).map { $0.lowercased() }
                    return EvalOutcome(domains.isEmpty ? !signers.isEmpty : signers.contains { domains.contains($0) })
                }
            },
            self.function("check_dkim_valid_author_sig", "DKIM") { findings, context in
                guard let author = context.domain(of: "From:addr") else { return false }
                return findings.dkimDomains.contains { self.covers($0, author) }
            },
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
    private static func covers(_ signer: String, _ author: DNSName) -> Bool {
        DNSName(signer).map { author.isWithin($0) } ?? false
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
