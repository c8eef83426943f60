import MailMessage
import MailTypes

/// A sample message that a rule must hit, or must not.
///
/// The file's name says it all: `RULE.hit.eml`, `RULE.miss.eml`; for more samples of a rule anything may stand between, as
/// in `RULE.hit.2.eml`.
package struct RuleTestCase: Hashable, Sendable {
    package var rule: String
    package var mustHit: Bool
    /// The file's name as it was given.
    package var file: String

    package init(rule: String, mustHit: Bool, file: String) {
        self.rule = rule
        self.mustHit = mustHit
        self.file = file
    }

    /// The cases among a directory's file names, sorted; what is not named like a case is left out.
    package static func cases(among files: [String]) -> [RuleTestCase] {
        files.sorted().compactMap { file in
            let name = file.split(separator: "/").last.map(String.init) ?? file
            let pieces = name.split(separator: ".")
            guard pieces.count >= 3, pieces.last == "eml", pieces[1] == "hit" || pieces[1] == "miss" else { return nil }
            return RuleTestCase(rule: String(pieces[0]), mustHit: pieces[1] == "hit", file: file)
        }
    }

    /// Scored rules of the set that have no sample to hit or none to miss.
    package static func untested(in ruleSet: RuleSet, cases: [RuleTestCase]) -> [String] {
        let hits = Set(cases.filter(\.mustHit).map(\.rule))
        let misses = Set(cases.filter { !$0.mustHit }.map(\.rule))
        return ruleSet.rules.filter { !$0.isSubrule && $0.isActive && !(hits.contains($0.name) && misses.contains($0.name)) }.map(
            \.name
        )
    }

    /// How a case went.
    package struct Outcome: Hashable, Sendable {
        package var testCase: RuleTestCase
        /// There is such a rule.
        package var isKnown: Bool
        package var didHit: Bool
        package var findings: RuleFindings

        package var passed: Bool { self.isKnown && self.didHit == self.testCase.mustHit && self.findings.failure == nil }
    }

    /// Runs the rules over the sample as it would come in over SMTP, with CRLF as line end.
    package func run(_ sample: [UInt8], with evaluator: RuleEvaluator) -> Outcome {
        let message = ParsedMessage(withNetworkLineEnds(sample))
        let findings = evaluator.evaluate(evaluator.ruleSet.text(of: message), envelope: RuleTestCase.envelope)
        return Outcome(
            testCase: self,
            isKnown: evaluator.ruleSet[self.rule] != nil,
            didHit: findings.allHits.contains(self.rule),
            findings: findings
        )
    }

    /// Samples have no envelope of their own; this one is of documentation addresses (RFC 5737).
    static let envelope = Envelope(client: ClientIdentity(address: IPAddress(v4: 0xc000_0201)), reversePath: .null)
}

/// A message as it would come in over SMTP: every line end made CRLF (RFC 5321 §2.3.8).
package func withNetworkLineEnds(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 32)
    var copied = 0
    for index in bytes.indices where bytes[index] == 0x0a && (index == 0 || bytes[index - 1] != 0x0d) {
        result += bytes[copied..<index]
        result.append(0x0d)
        copied = index
    }
    result += bytes[copied...]
    return result
}
