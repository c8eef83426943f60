import MailMessage

/// Which languages are welcome, and how they are told (`ok_languages` and its relatives), with the models that rules need.
struct LanguageSettings: Sendable {
    /// Welcome ones; `all` among them stands for every one.
    private var welcome = ["all"]
    /// Not looked for unless they are welcome: rare, and easily taken for others.
    private var inactive = Set("bs cy eo et eu fy ga gd is la lt lv rm sa sco sl yi".split(separator: " ").map(String.init))
    /// Languages that one text may be in before it counts as in none.
    private var maximumLanguages = 3
    /// N-grams must be more frequent.
    private var optimalNGrams = 0
    /// N-grams of a text that are compared; the penalty of one that a language does not have, too.
    private var maximumNGrams = 400
    /// Languages count that are as far from a text as this times the nearest.
    private var acceptableScore = 1.02
    /// nil where no rule needs them, or there are none.
    var models: LanguageModels?

    /// Names of `header` fields that stand for what is told of the language.
    static let fields: Set<HeaderSelector.Source> = [.field(names), .field(length)]
    fileprivate static let names: HeaderName = "x-languages"
    fileprivate static let length: HeaderName = "x-languages-length"
    /// Octets below which a text says nothing of its language.
    static let minimumLength = 256
    /// More n-grams than `LanguageText.maximumLength` octets can have.
    private static let largestNumber = 100_000

    init(_ settings: RuleSettings = RuleSettings(), problems: inout [RuleProblem]) {
        if let line = settings.last("ok_languages") {
            self.welcome = line.words
            for word in line.words where word.contains(".") {
                problems.append(
                    RuleProblem(
                        .warning,
                        file: line.file,
                        line: line.line,
                        column: line.column,
                        message: "'\(word)' fits no text: languages are compared without what stands behind the dot",
                        hint: "write \(LanguageModels.short(word))"
                    )
                )
            }
        }
        if let line = settings.last("inactive_languages") { self.inactive = Set(line.words) }
        let numbers: [(String, WritableKeyPath<LanguageSettings, Int>)] = [
            ("textcat_max_languages", \.maximumLanguages), ("textcat_optimal_ngrams", \.optimalNGrams),
            ("textcat_max_ngrams", \.maximumNGrams),
        ]
        for (keyword, path) in numbers {
            guard let line = settings.last(keyword) else { continue }
            if let number = Int(line.text), (0...Self.largestNumber).contains(number) {
                self[keyPath: path] = number
            } else {
                problems.append(Self.problem(line, "'\(keyword)' takes a number from 0 to \(Self.largestNumber)"))
            }
        }
        if let line = settings.last("textcat_acceptable_score") {
            if let score = Double(line.text), score.isFinite, score >= 0 {
                self.acceptableScore = score
            } else {
                problems.append(Self.problem(line, "'textcat_acceptable_score' takes a number, as 1.02"))
            }
        }
    }

    private static func problem(_ line: RuleSettings.Line, _ message: String) -> RuleProblem {
        RuleProblem(.error, file: line.file, line: line.line, column: line.column, message: message)
    }

    // MARK: - Languages of a text

    /// nil without models.
    /// - Parameter segments: those of `body`.
    func detect(_ segments: [TextSegment]) -> DetectedLanguages? {
        guard let models else { return nil }
        let text = LanguageText(segments).octets
        guard text.count >= Self.minimumLength else { return DetectedLanguages(length: text.count) }
        let profile = NGramProfile(text, above: self.optimalNGrams, limit: self.maximumNGrams)
        let distances = models.distances(
            of: profile,
            penalty: self.maximumNGrams,
            skipping: self.inactive.subtracting(self.welcome)
        )
        // A text without a word is as near to all.
        guard let best = distances.first?.distance, best > 0 else { return DetectedLanguages(length: text.count) }
        let limit = self.acceptableScore * Double(best)
        let near = distances.enumerated().prefix { $0.offset == 0 || Double($0.element.distance) < limit }
        guard near.count <= self.maximumLanguages else { return DetectedLanguages(length: text.count) }
        return DetectedLanguages(names: near.map(\.element.language), length: text.count)
    }

    // MARK: - Welcome and unwelcome

    var acceptsAll: Bool { self.welcome.contains("all") }

    /// Whether the text is in one of the welcome languages, or in none that could be told.
    func accepts(_ detected: DetectedLanguages) -> Bool {
        if detected.names.isEmpty || self.acceptsAll { return true }
        // In little text Scots is mostly English.
        let isShort = detected.length < 1_024 * detected.names.count
        func family(_ language: String) -> String { isShort && language == "sco" ? "en" : language }
        let welcome = Set(self.welcome.map(family))
        return detected.names.contains { welcome.contains(family(LanguageModels.short($0))) }
    }

    /// Text of the welcome languages may have many octets above ASCII in a row. Those that have are SpamAssassin's choice.
    var expectsHighOctets: Bool { !Self.highOctetLanguages.isDisjoint(with: self.welcome) }

    private static let highOctetLanguages = Set(
        "all am ar be bg cs el et fa fi he hi hy is ja ka ko mr pt ru ta th tr uk vi yi zh".split(separator: " ").map(String.init)
    )
}

/// What languages a message may be in.
package struct DetectedLanguages: Hashable, Sendable {
    /// As SpamAssassin calls them, the likeliest first: `en`, `ru.koi8-r`. None where the text is too short or could be in
    /// many.
    package var names: [String] = []
    /// Octets of text looked at.
    package var length: Int

    package init(names: [String] = [], length: Int) {
        self.names = names
        self.length = length
    }
}

extension RuleSubject {
    /// What `header` rules see of a field that the message does not have; nil: nothing.
    func standIn(forField name: HeaderName) -> [UInt8]? {
        switch name {
        case LanguageSettings.names: self.languages.map { Array($0.names.joined(separator: " ").utf8) }
        case LanguageSettings.length: self.languages.map { Array(String($0.length).utf8) }
        default: nil
        }
    }
}
