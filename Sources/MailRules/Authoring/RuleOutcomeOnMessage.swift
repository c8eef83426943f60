import MailMessage
import MailTypes

/// What one rule did with one message, and why.
package struct RuleOutcomeOnMessage: Sendable {
    package var value: Double
    package var isSuspended: Bool
    /// Why it did not hit, where that can be told.
    package var reason: String?
    package var locations: [MatchLocation]
    /// The start of the texts that it looked at, for a rule that did not hit.
    package var texts: [String]
    /// The value of every rule on this message, by index in the set.
    package var values: [Double]
}

extension RuleEvaluator {
    /// Texts that are shown.
    private static let maximumTexts = 5

    /// Runs all rules over a message and tells what one of them did.
    package func explain(_ index: Int, on text: MessageText, envelope: Envelope) -> RuleOutcomeOnMessage {
        let findings = self.evaluate(text, envelope: envelope)
        let rule = self.ruleSet.rules[index]
        let views = MessageViews(
            MessageSubject(text: text, envelope: envelope, settings: self.ruleSet.settings),
            envelope: envelope
        )
        let isHit = self.tally.values[index] != 0
        let texts = isHit ? [] : self.texts(of: rule, views)
        var outcome = RuleOutcomeOnMessage(
            value: self.tally.values[index],
            isSuspended: findings.suspended.contains(rule.name),
            reason: nil,
            locations: self.tally.places(of: index).map(views.location(of:)),
            texts: texts.prefix(RuleEvaluator.maximumTexts).map { printable($0[...]) },
            values: self.ruleSet.rules.indices.map { self.tally.values[$0] }
        )
        if !isHit { outcome.reason = self.reason(rule, findings, hasText: !texts.isEmpty) }
        return outcome
    }

    private func reason(_ rule: Rule, _ findings: RuleFindings, hasText: Bool) -> String? {
        if rule.stage == .draft { return "it is a draft and is not run" }
        if !rule.isActive { return "it scores 0 and is switched off" }
        if case .shortcircuit(let other) = findings.earlyEnd { return "\(other ?? "the score") ended evaluation before" }
        switch rule.test {
        case .unavailable: return "it asks for something that is not available"
        case .meta: return "its expression is 0"
        case .function: return "its function found nothing"
        case .headerExists: return "there is no such field"
        default: return hasText ? (rule.test.isAffirmed ? "nothing matches" : "something matches") : "there is no such text in it"
        }
    }

    private func texts(of rule: Rule, _ views: MessageViews) -> [[UInt8]] {
        switch rule.test {
        case .body: return views.body.map(\.bytes)
        case .rawBody: return views.rawBody.map(\.bytes)
        case .full: return [views.full]
        case .uri: return views.links.map(\.bytes)
        case .header(let selector, let match):
            let view = views.header(selector)
            return view.exists ? [view.bytes] : match.ifUnset.isEmpty ? [] : [match.ifUnset]
        case .mimeHeader(let selector, _): return views.partHeaders.compactMap { selector.text(of: $0) }
        case .envelope(let field, _): return [field.text(of: views.envelope)]
        case .attachment(let field, _):
            return views.parts.enumerated().filter { $0.element.isAttachment }.flatMap { number, part in
                field.texts(of: part, field.looksInside ? views.attachmentContent(ofPart: number) : nil)
            }
        case .headerExists, .meta, .function, .unavailable: return []
        }
    }
}
