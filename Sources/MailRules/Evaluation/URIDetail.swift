import MailMessage
import PatternKit

/// One condition of a `uri_detail` rule.
struct URIDetailCondition: Sendable {
    enum Key: String, Sendable, CaseIterable {
        /// As it stands in the message.
        case raw
        /// The HTML element it comes from, or `parsed` for a link in plain text.
        case type
        /// Made canonical, in each of its forms.
        case cleaned
        /// What a reader sees of it.
        case text
        /// The registered domain.
        case domain
        case host
    }

    var key: Key
    var pattern: Pattern
    var isNegated: Bool
}

extension EvalContext {
    /// Whether there is a link that meets all conditions. One that has nothing of a kind does not meet a condition on it, also a
    /// negated one.
    func hasLink(meeting conditions: [URIDetailCondition]) -> EvalOutcome {
        EvalOutcome(
            self.text.links.contains { link in
                conditions.allSatisfy { condition in
                    self.values(of: condition.key, link).contains { self.meets($0, condition) }
                }
            }
        )
    }

    private func meets(_ value: [UInt8], _ condition: URIDetailCondition) -> Bool {
        guard self.budget.spend(value.count) else { return false }
        return switch self.matcher.search(condition.pattern, in: value) {
        case .match: !condition.isNegated
        case .noMatch: condition.isNegated
        case .limitExceeded, .failed: false
        }
    }

    private func values(of key: URIDetailCondition.Key, _ link: MessageLink) -> [[UInt8]] {
        switch key {
        case .raw: [link.raw]
        case .type: link.types.sorted().map { Array($0.utf8) }
        case .cleaned: link.cleaned
        case .text: link.anchorTexts
        case .domain: link.domains
        case .host: link.hosts.map(\.name)
        }
    }
}
