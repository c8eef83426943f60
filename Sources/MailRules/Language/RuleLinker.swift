/// Puts together what the files say about each rule, and checks what can only be checked when all is read.
struct RuleLinker {
    private let reader: RuleReader
    private(set) var problems: [RuleProblem]
    private var rules: [Rule] = []
    private var indices: [String: Int] = [:]
    private var order: [Int] = []
    private var references: [Int: [Int?]] = [:]
    private var state: [VisitState] = []
    private var spelling = Spelling([])

    private enum VisitState {
        case new
        case open
        case done
    }

    /// A rule's score when no file gives one (as in SpamAssassin).
    private static let defaultScore = 1.0
    /// The same for rules on trial, `T_…`.
    private static let trialScore = 0.01

    init(_ reader: RuleReader) {
        self.reader = reader
        self.problems = reader.problems
    }

    mutating func link() -> RuleSet {
        self.rules = self.reader.definitions.map(self.rule)
        for (index, rule) in self.rules.enumerated() { self.indices[rule.name] = index }
        self.spelling = Spelling(self.indices.keys.sorted())
        self.checkNames()
        self.state = Array(repeating: .new, count: self.rules.count)
        for index in self.rules.indices { self.resolve(index) }
        for index in self.rules.indices { self.visit(index) }
        return RuleSet(
            rules: self.rules,
            metaOrder: self.order,
            metaReferences: self.references,
            settings: FunctionSettings(self.reader.settings, problems: &self.problems)
        )
    }

    private func rule(_ definition: RuleDefinition) -> Rule {
        let name = definition.name
        let flags = self.reader.flags[name] ?? []
        var score = name.hasPrefix("T_") ? RuleLinker.trialScore : RuleLinker.defaultScore
        if flags.contains("nice") { score = -score }
        return Rule(
            name: name,
            test: definition.test,
            definition: definition.text,
            score: self.reader.scores[name]?.score ?? score,
            description: self.reader.descriptions[name] ?? "",
            file: definition.place.file,
            line: definition.place.line,
            flags: flags,
            priority: self.reader.priorities[name] ?? 0,
            action: self.reader.actions[name]?.action
        )
    }

    /// Scores and actions of rules that are nowhere defined.
    private mutating func checkNames() {
        for (name, score) in self.reader.scores where self.indices[name] == nil {
            self.warnOfMissingRule(name, "a score for \(name), and there is no such rule", score.place)
        }
        for (name, action) in self.reader.actions where self.indices[name] == nil {
            self.warnOfMissingRule(name, "an action for \(name), and there is no such rule", action.place)
        }
    }

    private mutating func warnOfMissingRule(_ name: String, _ message: String, _ place: RulePlace) {
        self.report(
            .warning,
            place,
            message,
            hint: self.spelling.nearest(to: name).map { "did you mean \($0)?" }
        )
    }

    private mutating func report(_ severity: RuleProblem.Severity, _ place: RulePlace, _ message: String, hint: String? = nil) {
        self.problems.append(
            RuleProblem(severity, file: place.file, line: place.line, column: place.column, message: message, hint: hint)
        )
    }

    // MARK: - Metas

    private mutating func resolve(_ index: Int) {
        guard case .meta(let expression) = self.rules[index].test else { return }
        let definition = self.reader.definitions[index]
        self.references[index] = expression.names.map { self.indices[$0] }
        for (position, name) in expression.names.enumerated() {
            var place = definition.place
            place.column = definition.nameColumns[position]
            guard let target = self.indices[name] else {
                let hint = self.spelling.nearest(to: name).map { "did you mean \($0)?" }
                self.report(
                    .warning,
                    place,
                    "\(self.rules[index].name) asks for \(name), and there is no such rule; it counts as 0",
                    hint: hint
                )
                continue
            }
            if !self.rules[target].isActive {
                let message = "\(self.rules[index].name) asks for \(name), which scores 0 and so is switched off; it counts as 0"
                self.report(.warning, place, message, hint: "name it __\(name) to have it run without a score")
            }
        }
    }

    /// Depth first, without recursion: chains of metas can be long.
    private mutating func visit(_ root: Int) {
        guard self.references[root] != nil, self.state[root] == .new else { return }
        var path: [(index: Int, next: Int)] = [(root, 0)]
        self.state[root] = .open
        while let (index, next) = path.last {
            let targets = self.references[index] ?? []
            guard next < targets.count else {
                self.state[index] = .done
                self.order.append(index)
                path.removeLast()
                continue
            }
            path[path.count - 1].next += 1
            guard let target = targets[next], self.references[target] != nil else { continue }
            switch self.state[target] {
            case .done: continue
            case .new:
                self.state[target] = .open
                path.append((target, 0))
            case .open:
                self.reportCycle(path.map(\.index), back: target)
            }
        }
    }

    private mutating func reportCycle(_ path: [Int], back target: Int) {
        let cycle = path.drop { $0 != target }.map { self.rules[$0].name } + [self.rules[target].name]
        let place = self.reader.definitions[target].place
        self.report(.error, place, "a meta asks for itself: \(cycle.joined(separator: " → "))")
    }
}
