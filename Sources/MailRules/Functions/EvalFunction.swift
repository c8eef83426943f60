import MailTypes

/// A function that `eval:` rules call, under the name that SpamAssassin gave it: `check_for_mime`, `html_range`.
struct EvalFunction: Sendable {
    var name: String
    /// The plugin that has it, without `Mail::SpamAssassin::Plugin::`; `ifplugin` sees it.
    var plugin: String
    /// Makes a test of a rule's arguments: once for a rule, so that patterns are compiled once.
    var prepare: @Sendable (EvalArguments) throws(EvalArguments.Failure) -> EvalTest

    init(
        _ name: String,
        plugin: String,
        prepare: @escaping @Sendable (EvalArguments) throws(EvalArguments.Failure) -> EvalTest
    ) {
        self.name = name
        self.plugin = plugin
        self.prepare = prepare
    }
}

/// Looks at one message.
typealias EvalTest = @Sendable (EvalContext) -> EvalOutcome

/// What a function found.
struct EvalOutcome: Sendable, ExpressibleByBooleanLiteral {
    /// 0: no hit. More than one counts for metas and `tflags multiple`.
    var hits: Int
    /// Where, as far as it can be told.
    var locations: [MatchLocation]

    init(hits: Int, locations: [MatchLocation] = []) {
        self.hits = hits
        self.locations = locations
    }

    init(_ isHit: Bool) {
        self.init(hits: isHit ? 1 : 0)
    }

    init(booleanLiteral value: Bool) {
        self.init(value)
    }
}

/// The arguments of a call, as written: `("0.40", "undef")` gives `0.40` and nil.
struct EvalArguments: Hashable, Sendable {
    /// Why a rule's arguments cannot be used.
    struct Failure: Error {
        /// Which argument, counted from 0.
        var argument: Int
        var message: String
        var hint: String?
    }

    /// Quotes are taken off; nil is Perl's `undef`.
    var values: [String?]
    /// Of the rule: some functions look at the text that rules of its kind look at.
    var kind = RuleKind.body

    init(_ values: [String?] = []) {
        self.values = values
    }

    var count: Int { self.values.count }

    /// The text at a place; nil when it is not there or `undef`.
    subscript(index: Int) -> String? {
        self.values.indices.contains(index) ? self.values[index] : nil
    }

    /// The number at a place as Perl would read it (`0400` is 400, `inf` is infinite); nil when it is not there or `undef`.
    func number(_ index: Int) throws(Failure) -> Double? {
        guard let text = self[index] else { return nil }
        guard let number = Double(text), !number.isNaN else {
            throw Failure(argument: index, message: "'\(text)' is no number")
        }
        return number
    }

    /// The text at a place that must be there.
    func required(_ index: Int, _ what: String) throws(Failure) -> String {
        guard let text = self[index] else { throw Failure(argument: index, message: "\(what) is missing") }
        return text
    }
}
