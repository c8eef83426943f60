import MailMessage
import MailTypes
import PatternKit

/// Rules that search the views of a message with a pattern. Each step returns false if the time was up before it was done.
extension RuleEvaluator {
    func runHeaders(_ groups: [HeaderGroup], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !groups.isEmpty else { return true }
        guard budget.look() else { return false }
        for number in groups.indices {
            let view = views.header(groups[number].selector)
            if view.exists {
                for rule in groups[number].presence where !self.tally.isOff(rule) { self.hit(rule, []) }
            }
            guard !groups[number].patterns.rules.isEmpty else { continue }
            guard view.exists ? self.run(groups, number, view, budget) : self.runUnset(groups, number, view, budget) else {
                return false
            }
        }
        return true
    }

    /// - Parameter number: of the group: a copy would cost a retain for each of its lists.
    private func run(_ groups: [HeaderGroup], _ number: Int, _ view: HeaderView, _ budget: EvaluationBudget) -> Bool {
        let group = groups[number].patterns.group
        guard self.finder.scan(CollectionOfOne(view.bytes), forGroup: group, budget) else { return false }
        let candidates = self.finder.candidates(inGroup: group)
        for place in groups[number].patterns.indices.indices {
            let index = groups[number].patterns.indices[place]
            if candidates.contains(groups[number].patterns.numbers[place]) {
                if self.tally.isOff(index) || self.putOff(index, upTo: groups[number].patterns.maximumHits[place]) { continue }
                let rule = groups[number].patterns.rules[place]
                guard self.testHeader(rule, groups[number].selector, view, budget) else { return false }
            } else if groups[number].patterns.isNegated[place], !self.tally.isOff(index) {
                self.hit(index, [])
            }
        }
        return true
    }

    /// Where there is no such field.
    private func runUnset(_ groups: [HeaderGroup], _ number: Int, _ view: HeaderView, _ budget: EvaluationBudget) -> Bool {
        for place in groups[number].patterns.withoutText {
            let rule = groups[number].patterns.rules[place]
            if self.tally.isOff(rule.index) { continue }
            if !rule.mayMatchUnset {
                self.hit(rule.index, [])
            } else if !self.putOff(rule.index, upTo: rule.maximumHits) {
                guard self.testHeader(rule, groups[number].selector, view, budget) else { return false }
            }
        }
        return true
    }

    func testHeader(_ rule: PatternRule, _ selector: HeaderSelector, _ view: HeaderView, _ budget: EvaluationBudget) -> Bool {
        let text = view.exists ? view.bytes : rule.ifUnset
        guard budget.spend(text.count) else { return false }
        self.test(rule, in: text) { range in
            view.exists ? .header(selector, range) : self.told("header", "", range, text)
        }
        return true
    }

    func runBody(_ rules: PatternRules, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.rules.isEmpty else { return true }
        let segments = views.body
        guard budget.look(), self.finder.scan(segments.lazy.map(\.bytes), forGroup: rules.group, budget) else {
            return false
        }
        return self.allCandidates(of: rules) { self.searchBody($0, views, budget) }
    }

    func searchBody(_ rule: PatternRule, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        let segments = views.body
        let isSubjectFirst = segments.first.map { $0.part == nil } ?? false
        let start = rule.skipsSubject && isSubjectFirst ? 1 : 0
        return self.search(rule, count: segments.count, from: start, budget, at: { .body($0, $1) }) { segments[$0].bytes }
    }

    func runRawBody(_ rules: PatternRules, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.rules.isEmpty else { return true }
        let segments = views.rawBody
        guard budget.look(), self.finder.scan(segments.lazy.map(\.bytes), forGroup: rules.group, budget) else {
            return false
        }
        return self.allCandidates(of: rules) { self.searchRawBody($0, views, budget) }
    }

    func searchRawBody(_ rule: PatternRule, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        let segments = views.rawBody
        return self.search(rule, count: segments.count, budget, at: { .rawBody($0, $1) }) { segments[$0].bytes }
    }

    func runLinks(_ rules: PatternRules, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.rules.isEmpty else { return true }
        let links = views.links
        guard budget.look(), self.finder.scan(links.lazy.map(\.bytes), forGroup: rules.group, budget) else { return false }
        return self.allCandidates(of: rules) { self.searchLinks($0, views, budget) }
    }

    func searchLinks(_ rule: PatternRule, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        let links = views.links
        return self.search(rule, count: links.count, budget, at: { number, _ in .link(number) }) { links[$0].bytes }
    }

    func runFull(_ rules: PatternRules, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.rules.isEmpty else { return true }
        let text = views.full
        guard budget.look(), self.finder.scan([text], forGroup: rules.group, budget) else { return false }
        return self.allCandidates(of: rules) { self.searchFull($0, views, budget) }
    }

    func searchFull(_ rule: PatternRule, _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        let text = views.full
        return self.search(rule, count: 1, budget, at: { _, range in .full(range) }) { _ in text }
    }

    /// Calls `search` with each rule that may match one of the texts that were scanned, without those that are put off.
    /// - Returns: false if the time was up.
    private func allCandidates(of rules: PatternRules, _ search: (PatternRule) -> Bool) -> Bool {
        let candidates = self.finder.candidates(inGroup: rules.group)
        for (place, number) in rules.numbers.enumerated() where candidates.contains(number) {
            let index = rules.indices[place]
            if self.tally.isOff(index) || self.putOff(index, upTo: rules.maximumHits[place]) { continue }
            guard search(rules.rules[place]) else { return false }
        }
        return true
    }

    // MARK: - One rule

    /// Searches texts until the rule has hits enough; those that cannot match are left out.
    /// - Returns: false if the time was up.
    private func search(
        _ rule: PatternRule,
        count: Int,
        from first: Int = 0,
        _ budget: EvaluationBudget,
        at place: (Int, Range<Int>) -> MatchPlace,
        in text: (Int) -> [UInt8]
    ) -> Bool {
        if let candidates = self.finder.texts(for: rule) {
            for number in candidates where number >= first {
                let text = text(number)
                guard budget.spend(text.count) else { return false }
                guard self.search(rule, in: text, at: { place(number, $0) }) else { return true }
            }
            return true
        }
        var number = first
        while number < count {
            let text = text(number)
            guard budget.spend(text.count) else { return false }
            guard self.search(rule, in: text, at: { place(number, $0) }) else { return true }
            number += 1
        }
        return true
    }

    /// The text does not match, without a search.
    private func noMatch(_ rule: PatternRule) {
        if rule.isNegated { self.hit(rule.index, []) }
    }

    /// `=~` or `!~` on one text.
    func test(_ rule: PatternRule, in text: [UInt8], at place: (Range<Int>) -> MatchPlace) {
        guard rule.isNegated else {
            _ = self.search(rule, in: text, at: place)
            return
        }
        switch self.matcher.search(rule.pattern, in: text) {
        case .match: break
        case .noMatch: self.noMatch(rule)
        case .limitExceeded, .failed: self.suspend(rule.index)
        }
    }

    /// Counts matches in one text, as Perl's `while (/…/g)` finds them.
    /// - Returns: whether the rule wants to see more texts.
    func search(_ rule: PatternRule, in text: [UInt8], at place: (Range<Int>) -> MatchPlace) -> Bool {
        var offset = 0
        var notEmpty = false
        while true {
            switch self.matcher.search(rule.pattern, in: text, from: offset, notEmpty: notEmpty) {
            case .noMatch:
                return true
            case .limitExceeded, .failed:
                self.suspend(rule.index)
                return false
            case .match(let range):
                if self.tally.hasRoom(forPlaceOf: rule.index) {
                    self.hit(rule.index, [place(range)])
                } else {
                    self.hitAgain(rule.index)
                }
                if self.isDone(rule) { return false }
                offset = max(range.upperBound, offset)
                notEmpty = range.isEmpty
            }
        }
    }

    func isDone(_ rule: PatternRule) -> Bool { Int(self.tally.values[rule.index]) >= rule.maximumHits }

    func told(_ view: String, _ part: String, _ range: Range<Int>, _ text: [UInt8]) -> MatchPlace {
        .told(MatchLocation(view: view, part: part, offset: range.lowerBound, text: printable(text[range])))
    }
}
