/// Settings of rule files as the families of functions read them, made once for a rule set.
package struct FunctionSettings: Sendable {
    /// Which hosts are whose.
    let relays: RelaySettings

    /// - Parameter problems: what is wrong with settings is added here.
    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        self.relays = RelaySettings(settings, problems: &problems)
    }

    init() {
        var problems: [RuleProblem] = []
        self.init(problems: &problems)
    }
}
