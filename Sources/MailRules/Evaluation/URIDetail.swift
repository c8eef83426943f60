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
            self.text.uris.contains { link in
                conditions.allSatisfy { condition in
                    self.values(of: condition.key, link).contains { value in
                        switch self.matcher.search(condition.pattern, in: value) {
                        case .match: !condition.isNegated
                        case .noMatch: condition.isNegated
                        case .limitExceeded, .failed: false
                        }
                    }
                }
            }
        )
    }

    private func values(of key: URIDetailCondition.Key, _ link: MessageURI) -> [[UInt8]] {
        switch key {
        case .raw, .cleaned: [link.bytes]
        case .type, .text, .domain, .host: []
        }
    }
}
