/// Settings of rule files as the families of functions read them, made once for a rule set.
package struct FunctionSettings: Sendable {
    /// Languages whose character sets are welcome.
    let locales: CharsetLocales
    let shortcircuit: ShortcircuitScores
    /// Which hosts are whose.
    let relays: RelaySettings

    /// - Parameter problems: what is wrong with settings is added here.
    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        self.locales = CharsetLocales(settings.last("ok_locales")?.text)
        self.relays = RelaySettings(settings, problems: &problems)
        self.shortcircuit = ShortcircuitScores(settings, problems: &problems)
    }

    init() {
        var problems: [RuleProblem] = []
        self.init(problems: &problems)
    }
}
