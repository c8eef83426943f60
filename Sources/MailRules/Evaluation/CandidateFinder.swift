import PatternKit

/// Looks ahead over a message's texts for a rule set that has prefilters; without them every pattern may match.
struct CandidateFinder {
    private let scanner = PrefilterScanner()
    /// By group.
    private var tables: [CandidateTable?]
    /// By group: the message that the table is of.
    private var messages: [Int]
    private var message = 0

    init(_ prefilters: RulePrefilters, groups: [PatternGroup]) {
        self.tables = Array(repeating: nil, count: groups.count)
        self.messages = Array(repeating: 0, count: groups.count)
        for (group, filter) in prefilters.filters where self.scanner.prepare(for: filter) {
            self.tables[group] = CandidateTable(filter, patternCount: groups[group].patterns.count)
        }
    }

    /// A new message: nothing is known of it.
    mutating func begin() { self.message += 1 }

    /// Scans the texts of a group, once a message; where there is no prefilter nothing is done.
    /// - Returns: false if the time was up.
    mutating func scan(_ texts: some Sequence<[UInt8]>, forGroup group: Int?, _ budget: EvaluationBudget) -> Bool {
        guard let group, self.tables[group] != nil, self.messages[group] != self.message else { return true }
        self.messages[group] = self.message
        self.tables[group]?.begin()
        for text in texts {
            guard budget.spend(text.count) else { return false }
            self.tables[group]?.add(text, with: self.scanner)
        }
        self.tables[group]?.end()
        return true
    }

    /// Which patterns of a group, by number, may match any of the texts that were scanned; the others need not be looked at.
    func candidates(inGroup group: Int?) -> Candidates { Candidates(mayMatch: group.flatMap { self.tables[$0]?.mayMatch }) }

    struct Candidates {
        /// nil: nothing is known.
        fileprivate let mayMatch: [Bool]?

        func contains(_ number: Int) -> Bool { self.mayMatch.map { $0[number] } ?? true }
    }

    /// Among the texts that were scanned for the rule's group, the numbers of those that its pattern may match; nil for all.
    func texts(for rule: PatternRule) -> ArraySlice<Int>? {
        guard let place = rule.place else { return nil }
        return self.tables[place.group]?.texts(of: place.number)
    }
}
