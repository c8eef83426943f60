import MailMessage
import PatternKit

/// Settings of rule files as the families of functions read them, made once for a rule set. A class: there are many, and who looks at
/// a message keeps them all.
package final class FunctionSettings: Sendable {
    /// How a message is read.
    package let evaluation: EvaluationSettings
    /// Languages whose character sets are welcome.
    let locales: CharsetLocales
    let shortcircuit: ShortcircuitScores
    /// Which hosts are whose.
    let relays: RelaySettings
    let registrars: RegistrarBoundaries
    let addressLists: AddressLists
    let hostLists: HostLists
    let subjectLists: SubjectLists
    let freemail: FreemailSettings
    let nameSpoof: NameSpoofSettings
    let shorteners: LinkShorteners
    let authenticationResults: AuthenticationResultsSettings
    let network: NetworkSettings
    let signing: SigningPractices
    /// What is looked into for macros.
    let oleMacro: OLEMacroSettings
    /// Which languages are welcome, and what they are told by.
    let languages: LanguageSettings

    /// - Parameters:
    ///   - problems: what is wrong with settings is added here.
    ///   - models: finds what languages are told by, if a rule needs it.
    init(
        _ settings: RuleSettings = RuleSettings(),
        problems: inout [RuleProblem],
        models: (LanguageSettings) -> LanguageModels? = { _ in nil }
    ) {
        self.evaluation = EvaluationSettings(settings, problems: &problems)
        self.locales = CharsetLocales(settings.last("ok_locales")?.text)
        self.relays = RelaySettings(settings, problems: &problems)
        self.shortcircuit = ShortcircuitScores(settings, problems: &problems)
        self.registrars = RegistrarBoundaries(settings, problems: &problems)
        self.addressLists = AddressLists(settings, problems: &problems)
        self.hostLists = HostLists(settings, problems: &problems)
        self.subjectLists = SubjectLists(settings)
        self.freemail = FreemailSettings(settings, problems: &problems)
        self.nameSpoof = NameSpoofSettings(settings, problems: &problems)
        self.shorteners = LinkShorteners(settings)
        self.authenticationResults = AuthenticationResultsSettings(settings, problems: &problems)
        self.network = NetworkSettings(settings, problems: &problems)
        self.signing = SigningPractices(settings, problems: &problems)
        self.oleMacro = OLEMacroSettings(settings, problems: &problems)
        var languages = LanguageSettings(settings, problems: &problems)
        languages.models = models(languages)
        self.languages = languages
    }

    /// Has a message's links told as the files want it; to be done before they are first asked for.
    func prepare(_ text: MessageText, _ matcher: PatternMatcher) {
        text.linkReading.boundaries = self.registrars
        text.linkReading.redirection = self.evaluation.redirectors.target(matcher)
        text.linkReading.includesSigners = self.evaluation.includesSigners
    }

    convenience init() {
        var problems: [RuleProblem] = []
        self.init(problems: &problems)
    }
}
