import PatternKit

extension RuleCompiler {
    /// All that is to be said about rule files: what compiling reports, and what only an author wants to hear.
    package func lint(_ sources: [RuleSource], load: (String) -> RuleSource? = { _ in nil }) -> [RuleProblem] {
        let compilation = self.compile(sources, load: load)
        guard let ruleSet = compilation.ruleSet else { return compilation.problems }
        let matcher = PatternMatcher()
        return compilation.problems
            + ruleSet.rules.flatMap { rule -> [RuleProblem] in
                var problems: [RuleProblem] = []
                if !rule.isSubrule, rule.isActive, rule.description.isEmpty {
                    let message = "rule \(rule.name) has no description"
                    problems.append(
                        RuleProblem(
                            .note,
                            file: rule.file,
                            line: rule.line,
                            message: message,
                            hint: "add 'describe \(rule.name) …'"
                        )
                    )
                }
                if let pattern = rule.test.affirmedPattern, case .match = matcher.search(pattern, in: []) {
                    let message = "the pattern of \(rule.name) matches an empty text, so it matches everything"
                    problems.append(RuleProblem(.warning, file: rule.file, line: rule.line, message: message))
                }
                return problems
            }
    }
}

extension RuleTest {
    /// The pattern that must match for a hit. Patterns on headers are left out: a header may well be asked to be empty.
    fileprivate var affirmedPattern: Pattern? {
        switch self {
        case .body(let pattern), .rawBody(let pattern), .full(let pattern), .uri(let pattern): pattern
        case .header, .headerExists, .mimeHeader, .envelope, .attachment, .meta, .function, .unavailable: nil
        }
    }
}
