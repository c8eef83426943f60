import MailMessage
import MailTypes
import PatternKit

/// What functions can look at of one message. Each view is made once, when first asked for. For one thread at a time.
final class EvalContext {
    /// The views of the message: body, rawbody, links, HTML.
    let text: MessageText
    let envelope: Envelope
    /// What the rule files say beside rules.
    let settings: FunctionSettings
    /// For patterns among a rule's arguments.
    let matcher: PatternMatcher

    /// The views that rules with a pattern look at.
    let subject: MessageSubject
    private var headers: [String: HeaderView] = [:]

    init(text: MessageText, envelope: Envelope, settings: FunctionSettings, matcher: PatternMatcher) {
        self.text = text
        self.envelope = envelope
        self.settings = settings
        self.matcher = matcher
        self.subject = MessageSubject(text: text, envelope: envelope, settings: settings)
    }

    var message: ParsedMessage { self.text.message }
    /// The hops of the message, and how far they can be believed.
    var relays: RelayPath { self.subject.relays }

    /// One text for each field, address or name: what `header` runs together.
    func headers(_ selector: String) -> [[UInt8]] {
        (try? HeaderSelector(selector)).map { $0.values(of: self.subject, envelope: self.envelope) } ?? []
    }

    /// Header text as `header` rules see it, by the same names: `From:addr`, `ToCc`, `ALL:raw`. nil when there is no such field.
    func header(_ selector: String) -> [UInt8]? {
        if let known = self.headers[selector] { return known.exists ? known.bytes : nil }
        let view = (try? HeaderSelector(selector)).map { $0.view(of: self.subject, envelope: self.envelope) } ?? HeaderView()
        self.headers[selector] = view
        return view.exists ? view.bytes : nil
    }
}
