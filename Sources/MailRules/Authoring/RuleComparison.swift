import MailTypes

/// A message that two rule sets do different things with.
package struct DispositionChange: Hashable, Sendable {
    /// What one rule set made of the message.
    package struct Verdict: Hashable, Sendable {
        package var disposition: Disposition
        package var score: Double
        /// The scores of the rules that hit.
        package var hits: [String: Double]

        package init(disposition: Disposition, score: Double, hits: [Hit]) {
            self.disposition = disposition
            self.score = score
            self.hits = Dictionary(hits.map { ($0.rule, $0.score) }, uniquingKeysWith: +)
        }
    }

    /// A rule that hits, or counts, in only one of the sets, or otherwise than in the other; nil where it does not hit.
    package struct Difference: Hashable, Sendable {
        package var rule: String
        package var old: Double?
        package var new: Double?

        package init(rule: String, old: Double?, new: Double?) {
            self.rule = rule
            self.old = old
            self.new = new
        }
    }

    package var message: String
    /// nil when nobody has said what the message is.
    package var kind: RuleTrial.Class?
    package var old: Verdict
    package var new: Verdict

    package init(message: String, kind: RuleTrial.Class?, old: Verdict, new: Verdict) {
        self.message = message
        self.kind = kind
        self.old = old
        self.new = new
    }

    package var isChange: Bool { self.old.disposition != self.new.disposition }

    /// The rules that made the difference, the one that moves the score most first.
    package var differences: [Difference] {
        let names = Set(self.old.hits.keys).union(self.new.hits.keys)
        return names.map { Difference(rule: $0, old: self.old.hits[$0], new: self.new.hits[$0]) }
            .filter { $0.old != $0.new }
            .sorted { left, right in
                let weights = (abs((left.new ?? 0) - (left.old ?? 0)), abs((right.new ?? 0) - (right.old ?? 0)))
                return weights.0 != weights.1 ? weights.0 > weights.1 : left.rule < right.rule
            }
    }

    /// Steps towards what nobody wants: for spam that it gets through, for all else that it does not. Below 0 for the better.
    package var harm: Int {
        let step = self.new.disposition.harshness - self.old.disposition.harshness
        return self.kind == .spam ? -step : step
    }

    /// Worst first: what gets worse before what gets better, ham before mail that nobody has judged, spam last, great steps
    /// before small ones, great changes of the score before small ones.
    package static func isWorse(_ left: DispositionChange, _ right: DispositionChange) -> Bool {
        func key(_ change: DispositionChange) -> (Int, Int, Int, Double, String) {
            let order = change.kind == .ham ? 0 : change.kind == nil ? 1 : 2
            return (change.harm > 0 ? 0 : 1, order, -change.harm, -abs(change.new.score - change.old.score), change.message)
        }
        return key(left) < key(right)
    }
}

extension Disposition {
    /// How far a message is kept from its reader. A discarded message is gone without a word; a refused one is known to its
    /// sender; a deferred one may still come.
    fileprivate var harshness: Int {
        switch self {
        case .deliver: 0
        case .tag: 1
        case .hold: 2
        case .defer: 3
        case .reject: 4
        case .discard: 5
        }
    }
}
