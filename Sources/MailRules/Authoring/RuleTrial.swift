import MailTypes

/// Counts what rules hit in messages that are known to be wanted or not.
package struct RuleTrial: Sendable {
    package enum Class: String, Hashable, Sendable, CaseIterable {
        case ham
        case spam
    }

    private let tried: Set<String>
    private var totals: [Class: Int] = [:]
    private var hits: [String: [Class: Int]] = [:]
    /// For each rule on trial, how often others hit the same message.
    private var together: [String: [String: Int]] = [:]

    /// - Parameter rules: the names of the rules on trial.
    package init(rules: some Sequence<String>) {
        self.tried = Set(rules)
    }

    package mutating func add(_ findings: RuleFindings, _ kind: Class) {
        self.totals[kind, default: 0] += 1
        let names = Set(findings.allHits)
        for name in names { self.hits[name, default: [:]][kind, default: 0] += 1 }
        for name in names.intersection(self.tried) {
            for other in names where other != name { self.together[name, default: [:]][other, default: 0] += 1 }
        }
    }

    package mutating func merge(_ other: RuleTrial) {
        self.totals.merge(other.totals, uniquingKeysWith: +)
        for (name, counts) in other.hits { self.hits[name, default: [:]].merge(counts, uniquingKeysWith: +) }
        for (name, counts) in other.together { self.together[name, default: [:]].merge(counts, uniquingKeysWith: +) }
    }

    /// Another rule that hits the same messages.
    package struct Overlap: Hashable, Sendable {
        package var rule: String
        /// Messages that both hit.
        package var both: Int
        /// Those among the messages that either hit: 1 for two rules that always hit together (Jaccard).
        package var similarity: Double

        package init(rule: String, both: Int, similarity: Double) {
            self.rule = rule
            self.both = both
            self.similarity = similarity
        }
    }

    /// What the trial shows of one rule.
    package struct Result: Hashable, Sendable {
        package var rule: String
        package var ham: Proportion
        package var spam: Proportion
        /// The most similar first.
        package var overlaps: [Overlap]

        /// Of the rates of hits, the part that is spam: 1 for a rule that hits spam only; nil for one that hits nothing.
        package var spamShare: Double? {
            let sum = self.ham.rate + self.spam.rate
            return sum == 0 ? nil : self.spam.rate / sum
        }
    }

    /// Other rules that are told.
    private static let maximumOverlaps = 5

    /// - Parameter known: rules that are left out of the overlaps: those it is made of hit with it by themselves.
    package func result(of rule: String, without known: Set<String> = []) -> Result {
        let mine = self.count(rule)
        let overlaps = (self.together[rule] ?? [:]).filter { !known.contains($0.key) }.map { other, both in
            Overlap(rule: other, both: both, similarity: Double(both) / Double(max(1, mine + self.count(other) - both)))
        }
        return Result(
            rule: rule,
            ham: Proportion(self.hits[rule]?[.ham] ?? 0, of: self.totals[.ham] ?? 0),
            spam: Proportion(self.hits[rule]?[.spam] ?? 0, of: self.totals[.spam] ?? 0),
            overlaps: Array(
                overlaps.sorted { ($1.similarity, $0.rule) < ($0.similarity, $1.rule) }.prefix(RuleTrial.maximumOverlaps)
            )
        )
    }

    private func count(_ rule: String) -> Int { self.hits[rule]?.values.reduce(0, +) ?? 0 }
}

extension RuleFindings {
    /// The names of all rules that hit, whether they count or not.
    package var allHits: [String] { self.hits.map(\.rule) + self.subhits + self.shadowHits.map(\.rule) }
}
