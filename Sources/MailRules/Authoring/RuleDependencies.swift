/// What rules ask for, and who asks for them.
package struct RuleDependencies: Sendable {
    /// A rule in a tree.
    package struct Line: Hashable, Sendable {
        package var depth: Int
        package var name: String
        /// nil when there is no such rule.
        package var rule: Int?
        /// The rule was told before, with all below it.
        package var isRepeated: Bool
    }

    private let ruleSet: RuleSet
    private var users: [Int: [Int]] = [:]

    package init(_ ruleSet: RuleSet) {
        self.ruleSet = ruleSet
        for (index, references) in ruleSet.metaReferences.sorted(by: { $0.key < $1.key }) {
            for case let reference? in references { self.users[reference, default: []].append(index) }
        }
    }

    /// Lines of a tree that are told; what is below is rarely read.
    private static let maximumLines = 200

    /// All that a rule asks for, directly and further down.
    package func needs(of rule: Int) -> [Line] {
        self.tree(rule) { index in
            guard case .meta(let expression) = self.ruleSet.rules[index].test else { return [] }
            return zip(expression.names, self.ruleSet.metaReferences[index] ?? []).map { ($0, $1) }
        }
    }

    /// All that ask for a rule, directly and further up.
    package func users(of rule: Int) -> [Line] {
        self.tree(rule) { (self.users[$0] ?? []).map { (self.ruleSet.rules[$0].name, $0) } }
    }

    private func tree(_ root: Int, _ next: (Int) -> [(String, Int?)]) -> [Line] {
        var lines: [Line] = []
        var seen: Set<Int> = [root]
        var open: [(depth: Int, name: String, rule: Int?)] = next(root).reversed().map { (0, $0.0, $0.1) }
        while let (depth, name, rule) = open.popLast(), lines.count < RuleDependencies.maximumLines {
            let children = rule.map(next) ?? []
            let isNew = rule.map { seen.insert($0).inserted } ?? true
            lines.append(Line(depth: depth, name: name, rule: rule, isRepeated: !isNew && !children.isEmpty))
            if isNew { open += children.reversed().map { (depth + 1, $0.0, $0.1) } }
        }
        return lines
    }
}
