import MailTypes

/// What was found, told for those who decide and for people.
extension RuleEvaluator {
    func findings(_ views: MessageViews, isWhole: Bool, resting: [Int]) -> RuleFindings {
        var findings = RuleFindings()
        for index in self.tally.hits.sorted() {
            let traits = self.plan.traits[index]
            if traits.isSubrule {
                if traits.isLive { findings.subhits.append(self.ruleSet.rules[index].name) }
                // An action on a subrule is a hit that asks for something and scores nothing.
                if !traits.hasAction { continue }
            }
            let hit = self.hit(index, self.ruleSet.rules[index], views)
            if traits.isLive { findings.hits.append(hit) } else { findings.shadowHits.append(hit) }
        }
        if case .shortcircuit(let rule) = self.earlyEnd { findings.hits.append(self.shortcircuitHit(of: rule)) }
        findings.earlyEnd = self.earlyEnd
        findings.suspended = (self.tally.suspended + resting).sorted().map { self.ruleSet.rules[$0].name }
        findings.failure = isWhole ? nil : .timedOut
        return findings
    }

    private func hit(_ index: Int, _ rule: Rule, _ views: MessageViews) -> Hit {
        // SpamAssassin adds the score once for every match of `tflags multiple`.
        let times = self.plan.traits[index].scoresEachMatch ? self.tally.values[index] : 1
        return Hit(
            rule: rule.name,
            score: rule.isSubrule ? 0 : rule.score * times,
            description: rule.description,
            file: rule.file,
            line: rule.line,
            locations: self.places(of: index).map(views.location(of:)),
            action: rule.action
        )
    }

    /// SpamAssassin's own mark of an evaluation that was cut short; its files describe it.
    private func shortcircuitHit(of rule: String?) -> Hit {
        let mark = self.ruleSet["SHORTCIRCUIT"]
        return Hit(
            rule: "SHORTCIRCUIT",
            score: self.shortcircuitScore,
            description: mark?.description ?? "Not all rules were run, because \(rule ?? "the score") said enough",
            file: mark?.file ?? "",
            line: mark?.line ?? 0
        )
    }
}
