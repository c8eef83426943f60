import PatternKit

/// Puts together what the files say about each rule, and checks what can only be checked when all is read.
struct RuleLinker {
    let reader: RuleReader
    private let scoreSet: ScoreSet
    var problems: [RuleProblem]
    private(set) var rules: [Rule] = []
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

    init(_ reader: RuleReader, scoreSet: ScoreSet) {
        self.reader = reader
        self.scoreSet = scoreSet
        self.problems = reader.problems
    }

    /// - Parameter loadModels: reads the file of language models that belongs to the rules; nil where there is none.
    mutating func link(loadModels: () -> RuleSource? = { nil }) -> RuleSet {
        self.rules = self.reader.definitions.map(self.rule)
        for (index, rule) in self.rules.enumerated() { self.indices[rule.name] = index }
        self.replaceTags()
        self.connectCaptures()
        let networkRules = self.connectNetwork()
        self.spelling = Spelling(self.indices.keys.sorted())
        self.checkNames()
        self.state = Array(repeating: .new, count: self.rules.count)
        for index in self.rules.indices { self.resolve(index) }
        for index in self.rules.indices { self.visit(index) }
        var problems: [RuleProblem] = []
        let settings = FunctionSettings(self.reader.settings, problems: &problems) {
            self.languageModels($0, load: loadModels)
        }
        self.problems += problems
        return RuleSet(
            rules: self.rules,
            metaOrder: self.order,
            metaReferences: self.references,
            settings: settings,
            network: NetworkRules(networkRules, settings: settings)
        )
    }

    private func rule(_ definition: RuleDefinition) -> Rule {
        let name = definition.name
        let flags = self.reader.flags[name] ?? []
        let score = name.hasPrefix("T_") ? RuleLinker.trialScore : RuleLinker.defaultScore
        let scores = self.reader.scores[name]?.values ?? RuleScores([flags.contains("nice") ? -score : score])
        return Rule(
            name: name,
            test: definition.test,
            definition: definition.text,
            score: scores[self.scoreSet],
            scores: scores,
            description: self.reader.descriptions[name] ?? "",
            file: definition.place.file,
            line: definition.place.line,
            flags: flags,
            priority: self.reader.priorities[name] ?? 0,
            action: self.reader.actions[name]?.action,
            stage: self.reader.stages[name]?.stage ?? .live,
            shortcircuit: self.reader.shortcircuits[name]
        )
    }

    /// Scores and other settings of rules that are nowhere defined.
    private mutating func checkNames() {
        let named: [(what: String, places: [String: RulePlace])] = [
            ("a score", self.reader.scores.mapValues(\.place)),
            ("an action", self.reader.actions.mapValues(\.place)),
            ("a stage", self.reader.stages.mapValues(\.place)),
            ("tags to replace", self.reader.replacements.rules),
        ]
        for (what, places) in named {
            for (name, place) in places where self.indices[name] == nil {
                self.reportMissingRule(name, "\(what) for \(name)", consequence: "", place)
            }
        }
    }

    /// A rule that stands in a branch which was not read is missing by intent; any other may be a slip.
    private mutating func reportMissingRule(_ name: String, _ message: String, consequence: String, _ place: RulePlace) {
        if self.reader.broken.contains(name) { return }
        if let skipped = self.reader.skipped[name] {
            let message = "\(message), which is only there under '\(skipped.condition)'\(consequence)"
            return self.report(.note, place, message, hint: "\(skipped.place.file):\(skipped.place.line)")
        }
        let hint = self.spelling.nearest(to: name).map { "did you mean \($0)?" }
        self.report(.warning, place, "\(message), and there is no such rule\(consequence)", hint: hint)
    }

    // MARK: - Shared pieces of patterns

    /// Rules that capture what others ask for by `%{TAG}`, and those others.
    private mutating func connectCaptures() {
        var captured: Set<String> = []
        var templates: [Int: PatternTemplate] = [:]
        for (index, definition) in self.reader.definitions.enumerated() {
            guard let literal = definition.literal else { continue }
            if let template = PatternTemplate(literal) { templates[index] = template }
            guard literal.capturesTags else { continue }
            captured.formUnion((try? literal.compile().pattern.names.keys.filter { isTagName($0.utf8) }) ?? [])
        }
        for (index, template) in templates {
            for tag in template.tags where !captured.contains(tag) && !tag.hasPrefix("HEADER(") {
                let message = "\(self.rules[index].name) asks for %{\(tag)}, which no rule captures; it never hits"
                let hint = nearest(to: tag, among: captured.sorted()).map { "did you mean %{\($0)}?" }
                self.report(.warning, self.reader.definitions[index].place, message, hint: hint)
            }
        }
        for (index, rule) in self.rules.enumerated() {
            guard let capturing = CapturingRule(rule, template: templates[index]) else { continue }
            let call = EvalCall(
                function: "",
                arguments: EvalArguments(),
                test: { capturing.evaluate($0) },
                countsMatches: true,
                servesOthers: true
            )
            self.rules[index].test = .function(rule.kind, call)
        }
    }

    /// Rules that hit by what the DNS answers look that up under their own name.
    private mutating func connectNetwork() -> [NetworkRule] {
        var network: [NetworkRule] = []
        for (index, rule) in self.rules.enumerated() {
            guard case .function(let kind, var call) = rule.test,
                let asking = NetworkRule(
                    rule,
                    linkList: self.reader.linkLists[rule.name],
                    askDNS: self.reader.askDNSRules[rule.name]
                )
            else { continue }
            call.test = NetworkFunctions.test(of: rule.name)
            self.rules[index].test = .function(kind, call)
            network.append(asking)
        }
        return network
    }

    private mutating func replaceTags() {
        for (name, place) in self.reader.replacements.rules {
            guard let index = self.indices[name], let literal = self.reader.definitions[index].literal else { continue }
            let shown = "the tags in the pattern of \(name) are not replaced"
            let replacements = self.reader.replacements
            let expansions = [false, true].lazy.map { replacements.expanding(literal.source, sharing: $0) }
            var problem: PatternLiteral.Failure?
            // The plain form is the one that can be looked for together with others; PCRE2 does not take it at any length.
            for case let source? in expansions where source != literal.source {
                var expanded = literal
                expanded.source = source
                do {
                    self.rules[index].test.replacePattern(try expanded.compile().pattern)
                    problem = nil
                    break
                } catch {
                    problem = error
                }
            }
            if expansions.allSatisfy({ $0 == nil }) {
                self.report(.warning, place, "\(shown): it would be far too long")
            } else if let problem {
                self.report(.warning, place, "\(shown): \(problem.message)", hint: problem.hint)
            }
        }
    }

    mutating func report(_ severity: RuleProblem.Severity, _ place: RulePlace, _ message: String, hint: String? = nil) {
        self.problems.append(
            RuleProblem(severity, file: place.file, line: place.line, column: place.column, message: message, hint: hint)
        )
    }

    // MARK: - Metas

    private mutating func resolve(_ index: Int) {
        guard case .meta(var expression) = self.rules[index].test else { return }
        if !expression.globs.isEmpty {
            expression.expandGlobs { self.names(matching: $0, without: index) }
            self.rules[index].test = .meta(expression)
        }
        let definition = self.reader.definitions[index]
        self.references[index] = expression.names.map { self.indices[$0] }
        for (position, name) in expression.names.enumerated() {
            var place = definition.place
            // Names out of rules_matching() have no place of their own.
            if position < definition.nameColumns.count { place.column = definition.nameColumns[position] }
            guard let target = self.indices[name] else {
                self.reportMissingRule(
                    name,
                    "\(self.rules[index].name) asks for \(name)",
                    consequence: "; it counts as 0",
                    place
                )
                continue
            }
            if !self.rules[target].isActive {
                let message = "\(self.rules[index].name) asks for \(name), which scores 0 and so is switched off; it counts as 0"
                self.report(.warning, place, message, hint: "name it __\(name) to have it run without a score")
            }
        }
    }

    /// The names of `rules_matching(GLOB)`, sorted; a meta is not among its own.
    private func names(matching glob: String, without index: Int) -> [String] {
        let glob = Array(glob.utf8)
        return self.rules.indices.filter { $0 != index && RuleLinker.matches(Array(self.rules[$0].name.utf8)[...], glob[...]) }
            .map { self.rules[$0].name }.sorted()
    }

    private static func matches(_ name: ArraySlice<UInt8>, _ glob: ArraySlice<UInt8>) -> Bool {
        var (name, glob) = (name, glob)
        // Where to go on when more must go to the last `*`.
        var retry: (name: ArraySlice<UInt8>, glob: ArraySlice<UInt8>)?
        while let byte = name.first {
            if glob.first == UInt8(ascii: "*") {
                glob = glob.dropFirst()
                retry = (name.dropFirst(), glob)
            } else if let expected = glob.first, expected == byte || expected == UInt8(ascii: "?") {
                (name, glob) = (name.dropFirst(), glob.dropFirst())
            } else if let again = retry {
                (name, glob) = again
                retry = (name.dropFirst(), glob)
            } else {
                return false
            }
        }
        return glob.allSatisfy { $0 == UInt8(ascii: "*") }
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
