/// Compiled rules, ready to be shared by all threads.
package final class RuleSet: Sendable {
    /// In the order of the files.
    package let rules: [Rule]
    /// Where each rule stands in `rules`.
    package let indices: [String: Int]
    /// Metas, each behind those that it depends on.
    let metaOrder: [Int]
    /// For each meta (an index in `rules`), the rules behind its names; nil for a name without a rule.
    let metaReferences: [Int: [Int?]]
    /// Active header rules by what they look at, so that each text is made once.
    let headerGroups: [(selector: HeaderSelector, rules: [Int])]
    /// Active rules that call a function.
    let functions: [Int]
    /// What the files say beside rules.
    package let settings: FunctionSettings
    /// Active rules of the other kinds.
    private let groups: [RuleKind: [Int]]

    package var ruleCount: Int { self.rules.count }

    package subscript(name: String) -> Rule? { self.indices[name].map { self.rules[$0] } }

    func rules(of kind: RuleKind) -> [Int] { self.groups[kind] ?? [] }

    init(rules: [Rule], metaOrder: [Int], metaReferences: [Int: [Int?]], settings: FunctionSettings) {
        self.rules = rules
        self.indices = Dictionary(rules.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { $1 })
        self.metaOrder = metaOrder.filter { rules[$0].isActive }
        self.metaReferences = metaReferences
        var selectors: [HeaderSelector] = []
        var bySelector: [HeaderSelector: [Int]] = [:]
        var groups: [RuleKind: [Int]] = [:]
        var functions: [Int] = []
        for (index, rule) in rules.enumerated() where rule.isActive {
            switch rule.test {
            case .header(let selector, _), .headerExists(let selector):
                if bySelector[selector] == nil { selectors.append(selector) }
                bySelector[selector, default: []].append(index)
            case .unavailable, .meta:
                break
            case .function:
                functions.append(index)
            case .body, .rawBody, .full, .uri, .mimeHeader, .envelope, .attachment:
                groups[rule.kind, default: []].append(index)
            }
        }
        self.headerGroups = selectors.map { ($0, bySelector[$0] ?? []) }
        self.groups = groups
        self.functions = functions
        self.settings = settings
    }
}
