import MailTypes

/// The lines that say more about rules, and those that change how files are read.
extension RuleReader {
    // MARK: - Scores

    mutating func readScore(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "score", at: column) else { return }
        let words = line.words()
        guard words.count == 1 || words.count == 4 else {
            let hint = "one number, or four: local, with network, with Bayes, with both"
            return self.report(.error, words.last?.column ?? name.column, "a score has one value or four", hint: hint)
        }
        var values: [Double] = []
        var isRelative = false
        for word in words {
            var text = word.text
            if text.hasPrefix("("), text.hasSuffix(")") {
                isRelative = true
                text = String(text.dropFirst().dropLast())
            }
            guard let value = Double(text), value.isFinite, text.utf8.allSatisfy({ $0.isDigit || "+-.".utf8.contains($0) }) else {
                return self.report(.error, word.column, "'\(word.text)' is no score", hint: "a decimal number, as 2.5")
            }
            values.append(value)
        }
        var scores = RuleScores(values)
        if isRelative {
            guard let earlier = self.scores[name.text] else {
                return self.report(.error, words[0].column, "a score in parentheses changes an earlier one, and there is none")
            }
            scores = earlier.values.adding(scores)
        }
        self.scores[name.text] = (scores, self.place(name.column))
    }

    // MARK: - Words about rules

    mutating func readDescription(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "describe", at: column) else { return }
        self.descriptions[name.text] = line.rest().text
    }

    mutating func readFlags(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "tflags", at: column) else { return }
        let words = line.words()
        for word in words where word.text.hasPrefix("maxhits=") && (Int(word.text.dropFirst("maxhits=".count)) ?? 0) < 1 {
            self.report(.error, word.column, "'maxhits' needs a number above 0")
        }
        for word in words where !RuleKeywords.flags.contains(word.text) && !word.text.contains("=") {
            let near = nearest(to: word.text, among: RuleKeywords.flags.sorted()).map { "did you mean '\($0)'?" }
            self.report(.warning, word.column, "unknown flag '\(word.text)'", hint: near)
        }
        self.flags[name.text] = words.map(\.text)
    }

    mutating func readPriority(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "priority", at: column) else { return }
        let word = line.rest()
        guard let priority = Int(word.text) else {
            return self.report(.error, word.column, "a priority is a whole number")
        }
        self.priorities[name.text] = priority
    }

    /// `shortcircuit NAME ham|spam|on|off` (Mail::SpamAssassin::Plugin::Shortcircuit)
    mutating func readShortcircuit(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "shortcircuit", at: column) else { return }
        let word = line.rest()
        if word.text == "off" {
            self.shortcircuits[name.text] = nil
            return
        }
        guard let kind = Shortcircuit(rawValue: word.text) else {
            return self.report(.error, word.column, "'shortcircuit' needs one of ham, spam, on and off")
        }
        self.shortcircuits[name.text] = kind
        guard kind != .on else { return }
        if self.priorities[name.text] ?? 0 == 0 { self.priorities[name.text] = RuleReader.shortcircuitPriority }
        self.flags[name.text, default: []] += kind == .ham ? ["nice", "noautolearn"] : ["noautolearn"]
    }

    /// What decides about a whole message runs before all else.
    private static let shortcircuitPriority = -200

    /// `test NAME ok|fail TEXT`
    mutating func readTextCase(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "test", at: column) else { return }
        let word = line.word()
        guard let word, word.text == "ok" || word.text == "fail", !line.isAtEnd else {
            return self.report(
                .error,
                word?.column ?? name.column,
                "'test' needs 'ok' or 'fail' and a text",
                hint: "as in test \(name.text) ok a text that it hits"
            )
        }
        let text = Array(line.rest().bytes)
        let place = self.place(name.column)
        self.textCases.append(
            RuleTextCase(rule: name.text, mustHit: word.text == "ok", text: text, file: place.file, line: place.line)
        )
    }

    /// `reuse NAME …` takes hits over from an earlier check, which is not done here. A rule that is nowhere defined exists all
    /// the same, and never hits.
    mutating func readReuse(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "reuse", at: column) else { return }
        guard !self.isDefined(name.text) else { return }
        self.define(
            RuleDefinition(
                name: name.text,
                test: .unavailable(.meta),
                text: "",
                place: self.place(name.column),
                isEmpty: true
            )
        )
    }

    mutating func readReplacement(_ keyword: String, at column: Int, _ line: inout RuleLine) {
        guard let first = line.word() else { return self.report(.error, column, "'\(keyword)' needs a value") }
        switch keyword {
        case "replace_rules":
            for word in [first] + line.words() { self.replacements.add(rule: word.text, self.place(word.column)) }
        case "replace_start": self.replacements.start = Array(first.bytes)
        case "replace_end": self.replacements.end = Array(first.bytes)
        default:
            guard let kind = ReplacementTags.Kind(rawValue: keyword), !line.isAtEnd else {
                return self.report(.error, first.column, "'\(keyword)' needs a name and an expression")
            }
            self.replacements.set(kind, first.bytes, line.rest().bytes)
        }
    }

    // MARK: - Our additions

    mutating func readAction(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "action", at: column) else { return }
        guard let word = line.word() else {
            return self.report(.error, name.column, "'action' needs one of reject, hold, tag, defer, discard")
        }
        let rest = line.rest()
        let text = rest.isEmpty ? nil : rest.text
        let action: RequestedAction
        switch word.text.lowercased() {
        case "reject": action = .reject(text: text)
        case "defer": action = .defer(text: text)
        case "hold": action = .hold
        case "tag": action = .tag
        case "discard": action = .discard
        default:
            let near = nearest(to: word.text, among: ["reject", "hold", "tag", "defer", "discard"])
            let hint = near.map { "did you mean '\($0)'?" } ?? "known are reject, hold, tag, defer and discard"
            return self.report(.error, word.column, "unknown action '\(word.text)'", hint: hint)
        }
        if text != nil, action == .hold || action == .tag || action == .discard {
            self.report(.error, rest.column, "'\(word.text)' takes no text", hint: "only reject and defer answer the sender")
        }
        self.actions[name.text] = (action, self.place(name.column))
    }

    /// `stage NAME draft|shadow|live`
    mutating func readStage(_ line: inout RuleLine, at column: Int) {
        guard let name = self.ruleName(&line, keyword: "stage", at: column) else { return }
        let word = line.rest()
        guard let stage = RuleStage(rawValue: word.text.lowercased()) else {
            let near = nearest(to: word.text, among: RuleStage.allCases.map(\.rawValue)).map { "did you mean '\($0)'?" }
            let hint = near ?? "known are draft, shadow and live"
            return self.report(
                .error,
                word.isEmpty ? name.column : word.column,
                word.isEmpty ? "'stage' needs one of draft, shadow and live" : "unknown stage '\(word.text)'",
                hint: word.isEmpty ? nil : hint
            )
        }
        self.stages[name.text] = (stage, self.place(name.column))
    }

    // MARK: - What files are read with

    mutating func readPlugin(_ keyword: String, at column: Int, _ line: inout RuleLine) {
        guard let word = line.word() else { return self.report(.error, column, "'\(keyword)' needs a plugin's name") }
        guard word.bytes.allSatisfy({ $0.isWord || $0 == UInt8(ascii: ":") }) else {
            return self.report(
                .error,
                word.column,
                "'\(word.text)' is no plugin's name",
                hint: "as in \(keyword) Mail::SpamAssassin::Plugin::HTMLEval"
            )
        }
        if let file = line.word() {
            self.report(.warning, file.column, "'\(file.text)' is not run: plugins of Perl have no meaning here")
        }
        let name = word.text.split(separator: ":").last.map(String.init) ?? word.text
        if let near = KnownFunctions.suggestion(forPlugin: name) {
            self.report(.warning, word.column, "there is no plugin \(name)", hint: "did you mean \(near)?")
        }
        self.environment.load(plugin: word.text)
    }

    mutating func readCompatibility(_ line: inout RuleLine, at column: Int) {
        guard let word = line.word() else { return self.report(.error, column, "'enable_compat' needs a name") }
        self.environment.enable(compatibility: word.text)
    }

    /// `require_version 4.000001`: what follows in the file is for that version only.
    mutating func readRequiredVersion(_ line: inout RuleLine, at column: Int) {
        let word = line.rest()
        guard !word.isEmpty else { return self.report(.error, column, "'require_version' needs a version") }
        // Left by an installation that did not fill it in: any version.
        guard word.text != "@@VERSION@@" else { return }
        let tolerance = 0.000_000_1
        if let version = Double(word.text), abs(version - self.environment.version) < tolerance { return }
        self.report(
            .warning,
            word.column,
            "the rest of this file is for version \(word.text) and is not read",
            hint: "this is the language of SpamAssassin 4.0.1: write 4.000001, or ask with 'if (version >= …)'"
        )
        self.leaveFile()
    }
}
