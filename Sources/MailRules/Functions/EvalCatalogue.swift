/// All functions that `eval:` rules can call here.
enum EvalCatalogue {
    /// By name.
    static let functions: [String: EvalFunction] = Dictionary(
        families.joined().map { ($0.name, $0) },
        uniquingKeysWith: { $1 }
    )

    /// A family is what one plugin of SpamAssassin has.
    private static let families: [[EvalFunction]] = [
        MIMEFunctions.all,
        BodyFunctions.all,
        ImageFunctions.all,
        AuthenticationEval.functions,
        HTMLEvalFunctions.all,
        HeaderFunctions.all,
        RelayFunctions.all,
        PDFFunctions.all,
        WelcomelistFunctions.all,
        SubjectFunctions.all,
        BounceFunctions.all,
        FreemailFunctions.all,
        NameSpoofFunctions.all,
        LinkFunctions.all,
        AntiVirusFunctions.all,
        AuthenticationResultsFunctions.all,
        OLEMacroFunctions.all,
        LanguageFunctions.all,
        NetworkFunctions.all,
        // Never hits, as in SpamAssassin: the report shows a rule of it when a hit has ended evaluation.
        [EvalFunction("check_shortcircuit", plugin: "Shortcircuit") { _ in { _ in false } }],
    ]
}
