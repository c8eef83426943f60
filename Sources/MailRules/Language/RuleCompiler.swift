/// Makes a rule set of rule files in SpamAssassin's language (Mail::SpamAssassin::Conf).
package struct RuleCompiler: Sendable {
    package var environment: RuleEnvironment
    /// Lines behind `lang xx` count for this language: `en` takes `en` and `en_US`.
    package var language = "en"
    /// Which of four scores counts.
    package var scoreSet = ScoreSet.local

    package init(environment: RuleEnvironment = RuleEnvironment()) {
        self.environment = environment
    }

    /// Reads the sources in order, those named `*.pre` before all others: they say which plugins the others can ask for. What
    /// stands later replaces what stood earlier.
    /// - Parameter load: reads a file that another one includes, by a path made relative to the including file's, or the
    ///   language models beside the sources, when a rule needs them; nil when it cannot be read.
    package func compile(_ sources: [RuleSource], load: (String) -> RuleSource? = { _ in nil }) -> RuleCompilation {
        var environment = self.environment
        if sources.contains(where: \.loadsPlugins) { environment.unloadPlugins() }
        var reader = RuleReader(environment: environment, language: self.language)
        for source in sources where source.file.hasSuffix(".pre") { reader.read(source, load: load) }
        for source in sources where !source.file.hasSuffix(".pre") { reader.read(source, load: load) }
        var linker = RuleLinker(reader, scoreSet: self.scoreSet)
        let ruleSet = linker.link { LanguageModels.file(beside: sources, load: load) }
        let problems = RuleCompiler.sorted(linker.problems)
        let hasErrors = problems.contains { $0.severity == .error }
        return RuleCompilation(ruleSet: hasErrors ? nil : ruleSet, problems: problems, textCases: reader.textCases)
    }

    /// By file as first mentioned, then by line and column.
    static func sorted(_ problems: [RuleProblem]) -> [RuleProblem] {
        var files: [String: Int] = [:]
        for problem in problems where files[problem.file] == nil { files[problem.file] = files.count }
        return problems.enumerated().sorted { left, right in
            let leftKey = (files[left.element.file] ?? 0, left.element.line, left.element.column, left.offset)
            let rightKey = (files[right.element.file] ?? 0, right.element.line, right.element.column, right.offset)
            return leftKey < rightKey
        }.map(\.element)
    }
}

extension RuleSource {
    /// Has `loadplugin` lines: then only what the files load counts as loaded.
    fileprivate var loadsPlugins: Bool {
        self.bytes.split(separator: 0x0a).contains { line in
            let line = line.drop(while: \.isBlank)
            return ["loadplugin", "tryplugin"].contains {
                line.starts(with: $0.utf8) && line.dropFirst($0.utf8.count).first?.isBlank ?? false
            }
        }
    }
}

/// Where something stands.
struct RulePlace: Hashable {
    var file: String
    var line: Int
    var column: Int
}

/// A rule as its own line defines it.
struct RuleDefinition {
    var name: String
    var test: RuleTest
    var text: String
    var place: RulePlace
    /// For a meta: the column of each name in the expression.
    var nameColumns: [Int] = []
    /// The pattern as written, for rules whose pattern is changed when all files are read (`replace_rules`).
    var literal: PatternLiteral?
    /// Stands for a rule that is defined elsewhere (`reuse`); any definition replaces it.
    var isEmpty = false
}
