import Foundation
import Gateway
import MailStore
import MailTypes

/// The outcome of `outpost check` for one file, for people and for programs.
struct CheckReportText {
    var file: String
    var opinion: Opinion

    // MARK: - JSON

    /// Members are in the order of their names, as `JSONLine` wants them.
    func json(subrules: Bool) -> String {
        let (opinion, decision, findings) = (self.opinion, self.opinion.decision, self.opinion.findings)
        return JSONLine.object { line in
            if let authentication = findings.authentication {
                line.member("authentication") { Self.write(authentication, to: &$0) }
            }
            line.list("checks") { line in
                for report in opinion.reports { line.element { Self.write(report, to: &$0) } }
            }
            // What of the message rules did not see, because a bound was reached.
            line.member("cuts", findings.rules.cuts)
            line.member("disposition", decision.disposition.rawValue)
            line.member("file", self.file)
            line.list("hits") { Self.write(findings.hits, to: &$0) }
            line.member("microseconds", opinion.microseconds)
            line.member("policy", decision.policy)
            line.member("reason", decision.reason)
            line.member("reply", opinion.reply.description)
            line.member("score", (decision.score * 1_000).rounded() / 1_000)
            // Rules on trial that hit; they change nothing.
            line.list("shadow_hits") { Self.write(findings.rules.shadowHits, to: &$0) }
            if subrules { line.member("subhits", findings.rules.subhits) }
            line.member("suspended", findings.rules.suspended)
            line.member("unchecked", decision.unchecked)
            line.member("virus") { self.virus.write(to: &$0) }
        }
    }

    private static func write(_ report: CheckReport, to line: inout JSONLine) {
        line.member("check", report.check)
        line.member("microseconds", report.microseconds)
        line.member("result", report.result)
    }

    private static func write(_ hits: [Hit], to list: inout JSONLine) {
        for hit in hits {
            list.element { line in
                line.member("description", hit.description)
                line.member("file", hit.file)
                line.member("line", hit.line)
                line.list("matches") { line in
                    for location in hit.locations { line.element { Self.write(location, to: &$0) } }
                }
                line.member("rule", hit.rule)
                line.member("score", hit.score)
            }
        }
    }

    private static func write(_ location: MatchLocation, to line: inout JSONLine) {
        line.member("offset", location.offset)
        line.member("part", location.part)
        line.member("text", location.text)
        line.member("view", location.view)
    }

    private static func write(_ findings: AuthenticationFindings, to line: inout JSONLine) {
        line.member("arc") {
            $0.member("reason", ifPresent: findings.arc.reason)
            $0.member("result", findings.arc.result.rawValue)
            $0.member("sealers", findings.arc.sealers)
        }
        line.list("dkim") { line in
            for finding in findings.dkim { line.element { Self.write(finding, to: &$0) } }
        }
        line.member("dmarc") {
            $0.member("domain", ifPresent: findings.dmarc.domain)
            $0.member("policy", ifPresent: findings.dmarc.policy?.rawValue)
            $0.member("reason", ifPresent: findings.dmarc.reason)
            $0.member("record", ifPresent: findings.dmarc.recordDomain)
            $0.member("result", findings.dmarc.result.rawValue)
        }
        if let helo = findings.helo { line.member("helo") { Self.write(helo, to: &$0) } }
        let unknown = SPFFinding(.none, identity: .mailfrom, domain: "", problem: "no client is known")
        // The identity that decides: MAIL FROM.
        line.member("spf") { Self.write(findings.mailFrom ?? unknown, to: &$0) }
    }

    private static func write(_ finding: DKIMFinding, to line: inout JSONLine) {
        line.member("algorithm", orNull: finding.algorithm)
        line.member("domain", orNull: finding.domain)
        line.member("reason", orNull: finding.reason)
        line.member("result", finding.result.rawValue)
        line.member("selector", orNull: finding.selector)
        line.member("testing", finding.isTesting)
        line.member("unsigned_octets", finding.unsignedOctets)
    }

    private static func write(_ finding: SPFFinding, to line: inout JSONLine) {
        line.member("domain", finding.domain)
        line.member("explanation", ifPresent: finding.explanation)
        line.member("identity", finding.identity.rawValue)
        line.member("mechanism", ifPresent: finding.mechanism)
        line.member("reason", ifPresent: finding.problem)
        line.member("result", finding.result.rawValue)
    }

    /// What the scanner says, in words.
    private struct Virus {
        var status: String
        var signatures: [String] = []
        var engine: String?
        var reason: String?

        func write(to line: inout JSONLine) {
            line.member("engine", orNull: self.engine)
            line.member("reason", orNull: self.reason)
            line.member("signature", orNull: self.signatures.first)
            line.member("signatures", self.signatures)
            line.member("status", self.status)
        }
    }

    private var virus: Virus {
        let scan = self.opinion.findings.scan
        return switch scan.status {
        case .clean: Virus(status: "clean", engine: scan.engine)
        case .found(let signatures): Virus(status: "infected", signatures: signatures, engine: scan.engine)
        case .notScanned(.timedOut): Virus(status: "not_scanned", engine: scan.engine, reason: "timed out")
        case .notScanned(.overloaded): Virus(status: "not_scanned", engine: scan.engine, reason: "too busy")
        case .notScanned(.failed(let reason)): Virus(status: "not_scanned", engine: scan.engine, reason: reason)
        case .off: Virus(status: "not_scanned", reason: "switched off")
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
