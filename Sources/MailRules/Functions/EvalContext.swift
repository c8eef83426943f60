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
    /// By type; each is a `Made`.
    private var facts: [ObjectIdentifier: AnyObject] = [:]

    /// Facts of one type. To tell the type of an object is cheap, that of anything is not.
    private final class Made<Facts> {
        let facts: Facts

        init(_ facts: Facts) {
            self.facts = facts
        }
    }

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
        if let known = self.facts[key] as? Made<Facts> { return known.facts }
        let made = Made(make(self))
        self.facts[key] = made
        return made.facts
    }

    /// The text that a function looks at that is called by a rule of that kind.
    func segments(for kind: RuleKind) -> [TextSegment] {
        kind == .rawBody ? self.text.rawBody : self.text.body
    }

    /// The hops of the message, and how far they can be believed.
    var relays: RelayPath { self.views.subject.relays }

    /// One text for each field, address or name: what `header` runs together.
    func headers(_ selector: String) -> [[UInt8]] {
        self.selectors[selector].map { self.views.header($0).values } ?? []
    }

    /// The first of `headers`; empty when there is none.
    func first(_ selector: String) -> [UInt8] {
        self.selectors[selector].flatMap { self.views.header($0).first } ?? []
    }

    /// Header text as `header` rules see it, by the same names: `From:addr`, `ToCc`, `ALL:raw`. nil when there is no such field.
    func header(_ selector: String) -> [UInt8]? {
        guard let selector = self.selectors[selector] else { return nil }
        let view = self.views.header(selector)
        return view.exists ? view.bytes : nil
    }
}
