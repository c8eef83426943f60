/// Settings of rule files as the families of functions read them, made once for a rule set.
package struct FunctionSettings: Sendable {
    /// Languages whose character sets are welcome.
    let locales: CharsetLocales
    /// What is looked into for macros.
    let oleMacro: OLEMacroSettings

    /// - Parameter problems: what is wrong with settings is added here.
    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        self.locales = CharsetLocales(settings.last("ok_locales")?.text)
        self.oleMacro = OLEMacroSettings(settings, problems: &problems)
    }

    init() {
        var problems: [RuleProblem] = []
        self.init(problems: &problems)
    }
}
