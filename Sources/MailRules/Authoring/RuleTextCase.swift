import MailMessage
import MailTypes

/// A text that a rule must hit, or must not: a `test NAME ok|fail TEXT` line of a rule file.
package struct RuleTextCase: Hashable, Sendable {
    package var rule: String
    package var mustHit: Bool
    package var text: [UInt8]
    package var file: String
    package var line: Int

    package init(rule: String, mustHit: Bool, text: [UInt8], file: String = "", line: Int = 0) {
        self.rule = rule
        self.mustHit = mustHit
        self.text = text
        self.file = file
        self.line = line
    }
}

extension RuleTextCase {
    /// Whether the rule hits a message that is made of the text: the field that a header rule looks at, or a line of text for
    /// all others.
    /// - Returns: nil when there is no such rule, or it is not run: a draft, or one that scores 0.
    package func didHit(with evaluator: RuleEvaluator) -> Bool? {
        guard let index = evaluator.ruleSet.indices[self.rule] else { return nil }
        let rule = evaluator.ruleSet.rules[index]
        guard rule.isActive else { return nil }
        let message = ParsedMessage(withNetworkLineEnds(self.message(for: rule)))
        let findings = evaluator.evaluate(MessageText(message), envelope: RuleTestCase.envelope)
        return findings.allHits.contains(self.rule)
    }

    private func message(for rule: Rule) -> [UInt8] {
        let field: String?
        switch rule.test {
        case .header(let selector, _), .headerExists(let selector): field = selector.sampleField
        default: field = nil
        }
        guard let field else { return Array("Content-Type: text/plain; charset=utf-8\n\n".utf8) + self.text + Array("\n".utf8) }
        return Array("\(field): ".utf8) + self.text + Array("\n\n".utf8)
    }
}

extension HeaderSelector {
    /// A field that the selector looks at.
    fileprivate var sampleField: String {
        switch self.source {
        case .field(let name): String(decoding: name.octets, as: UTF8.self)
        case .toCc: "To"
        case .messageID: "Message-ID"
        case .envelopeFrom: "Return-Path"
        default: "Subject"
        }
    }
}
