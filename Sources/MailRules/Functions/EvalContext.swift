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
    /// The message as pattern rules see it.
    let views: MessageViews
    /// For functions that may take long: `spend` says whether to go on.
    let budget: EvaluationBudget

    private let selectors: HeaderSelectors
    private var facts: [ObjectIdentifier: Any] = [:]
    /// By selector.
    private var headerValues: [String: [[UInt8]]] = [:]

    init(
        text: MessageText,
        envelope: Envelope,
        settings: FunctionSettings,
        matcher: PatternMatcher,
        views: MessageViews? = nil,
        budget: EvaluationBudget = EvaluationBudget(),
        selectors: HeaderSelectors = HeaderSelectors()
    ) {
        self.selectors = selectors
        self.text = text
        self.envelope = envelope
        self.settings = settings
        self.matcher = matcher
        self.views =
            views
            ?? MessageViews(
                MessageSubject(text: text, envelope: envelope, settings: settings),
                envelope: envelope
            )
        self.budget = budget
        text.linkReading.boundaries = settings.registrars
    }

    var message: ParsedMessage { self.text.message }

    /// The message as SpamAssassin takes it apart.
    var filterMessage: FilterMessage { self.text.reading }

    /// What a family of functions works out of a message, once, when the first of them is called.
    func facts<Facts>(_ make: (EvalContext) -> Facts) -> Facts {
        let key = ObjectIdentifier(Facts.self)
        if let known = self.facts[key] as? Facts { return known }
        let made = make(self)
        self.facts[key] = made
        return made
    }

    /// The text that a function looks at that is called by a rule of that kind.
    func segments(for kind: RuleKind) -> [TextSegment] {
        kind == .rawBody ? self.text.rawBody : self.text.body
    }

    /// The hops of the message, and how far they can be believed.
    var relays: RelayPath { self.views.subject.relays }

    /// One text for each field, address or name: what `header` runs together.
    func headers(_ selector: String) -> [[UInt8]] {
        if let known = self.headerValues[selector] { return known }
        let values = self.selectors[selector].map { $0.values(of: self.views.subject, envelope: self.envelope) } ?? []
        self.headerValues[selector] = values
        return values
    }

    /// Header text as `header` rules see it, by the same names: `From:addr`, `ToCc`, `ALL:raw`. nil when there is no such field.
    func header(_ selector: String) -> [UInt8]? {
        guard let selector = self.selectors[selector] else { return nil }
        let view = self.views.header(selector)
        return view.exists ? view.bytes : nil
    }
}
