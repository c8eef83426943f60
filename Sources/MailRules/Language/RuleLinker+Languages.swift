/// The models that languages are told by.
extension RuleLinker {
    /// Read only when a rule needs them; without them it is told which rules do.
    /// - Parameter load: reads their file; nil where there is none.
    mutating func languageModels(_ settings: LanguageSettings, load: () -> RuleSource?) -> LanguageModels? {
        guard self.reader.environment.isLoaded(pluginNamed: LanguageFunctions.plugin) else { return nil }
        let asking = self.rules.indices.filter { index in
            self.rules[index].isActive && Self.asksForLanguage(self.reader.definitions[index].test, settings)
        }
        guard !asking.isEmpty else { return nil }
        if let file = load() {
            if let models = LanguageModels(file.bytes) { return models }
            let problem = RuleProblem(.warning, file: file.file, line: 0, message: "there is no language model in this file")
            self.problems.append(problem)
        }
        for index in asking {
            let rule = self.rules[index]
            let consequence = rule.calls(LanguageFunctions.byModels) ? "; it never hits" : ""
            self.report(
                .warning,
                self.reader.definitions[index].place,
                "\(rule.name) asks for the language of the text, and there are no language models\(consequence)",
                hint: "put SpamAssassin's file '\(LanguageModels.fileName)' beside the rule files"
            )
        }
        return nil
    }

    private static func asksForLanguage(_ test: RuleTest, _ settings: LanguageSettings) -> Bool {
        switch test {
        case .function(_, let call): call.function == LanguageFunctions.byModels && !settings.acceptsAll
        case .header(let selector, _), .headerExists(let selector): LanguageSettings.fields.contains(selector.source)
        default: false
        }
    }
}

extension Rule {
    fileprivate func calls(_ function: String) -> Bool {
        if case .function(_, let call) = self.test { call.function == function } else { false }
    }
}

extension LanguageModels {
    /// Whether a path is of a file of models, which has no lines of rules.
    static func isFile(_ path: String) -> Bool { path == self.fileName || path.hasSuffix("/" + self.fileName) }

    /// The file of the last directory that has one: what stands later replaces what stood earlier.
    static func file(beside sources: [RuleSource], load: (String) -> RuleSource?) -> RuleSource? {
        var paths: [String] = []
        for source in sources {
            let path = source.file.lastIndex(of: "/").map { source.file[...$0] + self.fileName } ?? self.fileName
            if paths.last != path { paths.append(path) }
        }
        for path in paths.reversed() {
            if let file = load(path) { return RuleSource(file: path, bytes: file.bytes) }
        }
        return nil
    }
}
