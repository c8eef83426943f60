import MailMessage
import MailTypes
import PatternKit

/// Rules that search the views of a message with a pattern. Each step returns false if the time was up before it was done.
extension RuleEvaluator {
    func runHeaders(_ groups: [HeaderGroup], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !groups.isEmpty else { return true }
        guard budget.look() else { return false }
        for group in groups {
            let view = views.header(group.selector)
            if view.exists {
                for rule in group.presence where !self.tally.isOff(rule) { self.hit(rule, []) }
            }
            for rule in group.patterns where !self.tally.isOff(rule.index) {
                let text = view.exists ? view.bytes : rule.ifUnset
                guard budget.spend(text.count) else { return false }
                self.test(rule, in: text) { range in
                    view.exists ? .header(group.selector, range) : self.told("header", "", range, text)
                }
            }
        }
        return true
    }

    func runBody(_ rules: [PatternRule], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        let segments = views.body
        for rule in rules where !self.tally.isOff(rule.index) {
            let isSubjectFirst = rule.skipsSubject && segments.first.map { $0.part == nil } ?? false
            let isDone = self.search(rule, segments, from: isSubjectFirst ? 1 : 0, budget) { .body($0, $1) }
            guard isDone else { return false }
        }
        return true
    }

    func runRawBody(_ rules: [PatternRule], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        let segments = views.rawBody
        for rule in rules where !self.tally.isOff(rule.index) {
            guard self.search(rule, segments, from: 0, budget, at: { .rawBody($0, $1) }) else { return false }
        }
        return true
    }

    private func search(
        _ rule: PatternRule,
        _ segments: [TextSegment],
        from first: Int,
        _ budget: EvaluationBudget,
        at place: (Int, Range<Int>) -> MatchPlace
    ) -> Bool {
        var number = first
        while number < segments.count {
            guard budget.spend(segments[number].bytes.count) else { return false }
            guard self.search(rule, in: segments[number].bytes, at: { place(number, $0) }) else { return true }
            number += 1
        }
        return true
    }

    func runLinks(_ rules: [PatternRule], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        let links = views.links
        for rule in rules where !self.tally.isOff(rule.index) {
            for (number, link) in links.enumerated() {
                guard budget.spend(link.bytes.count) else { return false }
                guard self.search(rule, in: link.bytes, at: { _ in .link(number) }) else { break }
            }
        }
        return true
    }

    func runFull(_ rules: [PatternRule], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        let text = views.full
        for rule in rules where !self.tally.isOff(rule.index) {
            guard budget.spend(text.count) else { return false }
            _ = self.search(rule, in: text) { .full($0) }
        }
        return true
    }

    // MARK: - One pattern

    /// `=~` or `!~` on one text.
    func test(_ rule: PatternRule, in text: [UInt8], at place: (Range<Int>) -> MatchPlace) {
        guard rule.isNegated else {
            _ = self.search(rule, in: text, at: place)
            return
        }
        switch self.matcher.search(rule.pattern, in: text) {
        case .match: break
        case .noMatch: self.hit(rule.index, [])
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
                self.hit(rule.index, [place(range)])
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
