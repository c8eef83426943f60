import Foundation
import Gateway
import MailStore
import MailTypes

/// The outcome of `outpost check` for one file, for people and for programs.
struct CheckReportText {
    var file: String
    var opinion: Opinion

    // MARK: - JSON

    private struct Report: Encodable {
        struct RuleHit: Encodable {
            var rule: String
            var score: Double
            var description: String
            var file: String
            var line: Int
            var matches: [Match]

            init(_ hit: Hit) {
                self.rule = hit.rule
                self.score = hit.score
                self.description = hit.description
                self.file = hit.file
                self.line = hit.line
                self.matches = hit.locations.map { .init(view: $0.view, part: $0.part, offset: $0.offset, text: $0.text) }
            }
        }

        struct Match: Encodable {
            var view: String
            var part: String
            var offset: Int
            var text: String
        }

        struct Virus: Encodable {
            var status: String
            var signature: String?
            var signatures: [String]
            var engine: String?
            var reason: String?

            private enum Key: String, CodingKey {
                case status, signature, signatures, engine, reason
            }

            /// `signature` and `reason` are always there, null when there is none.
            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key.self)
                try container.encode(self.status, forKey: .status)
                try container.encode(self.signature, forKey: .signature)
                try container.encode(self.signatures, forKey: .signatures)
                try container.encode(self.engine, forKey: .engine)
                try container.encode(self.reason, forKey: .reason)
            }
        }

        struct Authentication: Encodable {
            struct SPF: Encodable {
                var result: String
                var identity: String
                var domain: String
                var mechanism: String?
                var explanation: String?
                var reason: String?
            }

            struct DKIM: Encodable {
                var result: String
                var domain: String?
                var selector: String?
                var algorithm: String?
                var reason: String?
                var testing: Bool
                var unsignedOctets: UInt64

                private enum Key: String, CodingKey {
                    case result, domain, selector, algorithm, reason, testing
                    case unsignedOctets = "unsigned_octets"
                }

                /// `reason` is always there, null when there is none.
                func encode(to encoder: any Encoder) throws {
                    var container = encoder.container(keyedBy: Key.self)
                    try container.encode(self.result, forKey: .result)
                    try container.encode(self.domain, forKey: .domain)
                    try container.encode(self.selector, forKey: .selector)
                    try container.encode(self.algorithm, forKey: .algorithm)
                    try container.encode(self.reason, forKey: .reason)
                    try container.encode(self.testing, forKey: .testing)
                    try container.encode(self.unsignedOctets, forKey: .unsignedOctets)
                }
            }

            struct DMARC: Encodable {
                var result: String
                var domain: String?
                var policy: String?
                var record: String?
                var reason: String?
            }

            struct ARC: Encodable {
                var result: String
                var sealers: [String]
                var reason: String?
            }

            /// The identity that decides: MAIL FROM.
            var spf: SPF
            var helo: SPF?
            var dkim: [DKIM]
            var dmarc: DMARC
            var arc: ARC
        }

        struct CheckEntry: Encodable {
            var check: String
            var result: String
            var microseconds: Int
        }

        var file: String
        var disposition: String
        var reply: String
        var policy: String
        var reason: String
        var score: Double
        var hits: [RuleHit]
        var subhits: [String]?
        /// Rules on trial that hit; they change nothing.
        var shadow_hits: [RuleHit]
        var virus: Virus
        var authentication: Authentication?
        var unchecked: [String]
        var suspended: [String]
        /// What of the message rules did not see, because a bound was reached.
        var cuts: [String]
        var checks: [CheckEntry]
        var microseconds: Int
    }

    func json(subrules: Bool) throws -> String {
        let findings = self.opinion.findings
        let report = Report(
            file: self.file,
            disposition: self.opinion.decision.disposition.rawValue,
            reply: self.opinion.reply.description,
            policy: self.opinion.decision.policy,
            reason: self.opinion.decision.reason,
            score: (self.opinion.decision.score * 1_000).rounded() / 1_000,
            hits: findings.hits.map(Report.RuleHit.init),
            subhits: subrules ? findings.rules.subhits : nil,
            shadow_hits: findings.rules.shadowHits.map(Report.RuleHit.init),
            virus: self.virus,
            authentication: findings.authentication.map(self.authentication),
            unchecked: self.opinion.decision.unchecked,
            suspended: findings.rules.suspended,
            cuts: findings.rules.cuts,
            checks: self.opinion.reports.map { .init(check: $0.check, result: $0.result, microseconds: $0.microseconds) },
            microseconds: self.opinion.microseconds
        )
        return try jsonLine(report)
    }

    private func authentication(_ findings: AuthenticationFindings) -> Report.Authentication {
        func spf(_ finding: SPFFinding) -> Report.Authentication.SPF {
            .init(
                result: finding.result.rawValue,
                identity: finding.identity.rawValue,
                domain: finding.domain,
                mechanism: finding.mechanism,
                explanation: finding.explanation,
                reason: finding.problem
            )
        }
        let unknown = SPFFinding(.none, identity: .mailfrom, domain: "", problem: "no client is known")
        return Report.Authentication(
            spf: spf(findings.mailFrom ?? unknown),
            helo: findings.helo.map(spf),
            dkim: findings.dkim.map { finding in
                .init(
                    result: finding.result.rawValue,
                    domain: finding.domain,
                    selector: finding.selector,
                    algorithm: finding.algorithm,
                    reason: finding.reason,
                    testing: finding.isTesting,
                    unsignedOctets: finding.unsignedOctets
                )
            },
            dmarc: .init(
                result: findings.dmarc.result.rawValue,
                domain: findings.dmarc.domain,
                policy: findings.dmarc.policy?.rawValue,
                record: findings.dmarc.recordDomain,
                reason: findings.dmarc.reason
            ),
            arc: .init(result: findings.arc.result.rawValue, sealers: findings.arc.sealers, reason: findings.arc.reason)
        )
    }

    private var virus: Report.Virus {
        let scan = self.opinion.findings.scan
        switch scan.status {
        case .clean:
            return .init(status: "clean", signature: nil, signatures: [], engine: scan.engine, reason: nil)
        case .found(let signatures):
            return .init(
                status: "infected",
                signature: signatures.first,
                signatures: signatures,
                engine: scan.engine,
                reason: nil
            )
        case .notScanned(.timedOut):
            return .init(status: "not_scanned", signature: nil, signatures: [], engine: scan.engine, reason: "timed out")
        case .notScanned(.overloaded):
            return .init(status: "not_scanned", signature: nil, signatures: [], engine: scan.engine, reason: "too busy")
        case .notScanned(.failed(let reason)):
            return .init(status: "not_scanned", signature: nil, signatures: [], engine: scan.engine, reason: reason)
        case .off:
            return .init(status: "not_scanned", signature: nil, signatures: [], engine: nil, reason: "switched off")
        }
    }

    // MARK: - Text

    var text: String {
        let decision = self.opinion.decision
        var lines = ["\(self.file): \(decision.disposition.rawValue)"]
        lines.append("  decided by  policy \(decision.policy): \(decision.reason)")
        lines.append("  reply       \(self.opinion.reply)")
        lines.append("  score       \(scoreText(decision.score))")
        let virus = self.virus
        let found = virus.signatures.isEmpty ? "" : ": " + virus.signatures.joined(separator: ", ")
        lines.append("  virus       \(virus.status)\(found)\(virus.reason.map { " (\($0))" } ?? "")")
        if !decision.unchecked.isEmpty { lines.append("  unchecked   \(decision.unchecked.joined(separator: ", "))") }
        for hit in self.opinion.findings.hits { lines += self.lines(hit) }
        let shadowHits = self.opinion.findings.rules.shadowHits
        if !shadowHits.isEmpty { lines.append("  on trial    these change nothing yet:") }
        for hit in shadowHits { lines += self.lines(hit) }
        for name in self.opinion.findings.rules.suspended {
            lines.append("  suspended   \(name) ran over its limits on this message")
        }
        for cut in self.opinion.findings.rules.cuts { lines.append("  cut off     \(cut)") }
        for report in self.opinion.reports {
            lines.append("  \(padded("\(report.microseconds)", 8)) µs \(report.check): \(report.result)")
        }
        return lines.joined(separator: "\n")
    }

    private func lines(_ hit: Hit) -> [String] {
        let place = hit.file.isEmpty ? "built in" : "\(hit.file):\(hit.line)"
        let first = "  \(padded(scoreText(hit.score), 8)) \(hit.rule)  \(hit.description)  [\(place)]"
        return [first]
            + hit.locations.map { location in
                let part = location.part.isEmpty ? "" : " part \(location.part)"
                return "             \(location.view)\(part) at \(location.offset): \"\(location.text)\""
            }
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func scoreText(_ value: Double) -> String { String(format: "%.2f", value) }
}
