import MailMessage
import MailTypes

/// Tests of the language that a message is written in.
enum LanguageFunctions {
    static let plugin = "TextCat"
    /// The one that needs models.
    static let byModels = "check_language"

    static let all: [EvalFunction] = [
        EvalFunction(byModels, plugin: plugin) { _ in
            { context in
                let settings = context.settings.languages
                // Each octet begins several n-grams.
                guard !settings.acceptsAll, context.budget.spend(LanguageText.maximumLength * NGram.maximumLength),
                    let detected = context.views.subject.languages, !settings.accepts(detected)
                else { return false }
                let names = detected.names.joined(separator: " ")
                return EvalOutcome(hits: 1, locations: [MatchLocation(view: "body", part: "", offset: 0, text: names)])
            }
        },
        EvalFunction("check_body_8bits", plugin: plugin) { _ in
            { context in
                guard !context.settings.languages.expectsHighOctets else { return false }
                return EvalOutcome(context.text.body.contains { Self.hasRun($0.bytes) })
            }
        },
    ]

    /// Eight octets above ASCII in a row.
    private static func hasRun(_ text: [UInt8]) -> Bool {
        var run = 0
        for octet in text {
            run = octet >= 0x80 ? run + 1 : 0
            if run == 8 { return true }
        }
        return false
    }
}
