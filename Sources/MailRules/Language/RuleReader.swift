import MailTypes

/// Reads rule files line by line and keeps what they say, until all are read and rules can be put together.
struct RuleReader {
    /// What `if` sees; grows with `loadplugin` and `enable_compat`.
    var environment: RuleEnvironment
    let language: String

    private(set) var problems: [RuleProblem] = []
    /// In the order of the files; a name that comes again replaces the earlier definition and keeps its place.
    private(set) var definitions: [RuleDefinition] = []
    private var definitionIndices: [String: Int] = [:]
    /// Rules that stand in a branch which was not read, and why.
    private(set) var skipped: [String: SkippedDefinition] = [:]
    /// Rules whose definition has an error, which says enough.
    var broken: Set<String> = []
    /// Settings that steer evaluation.
    var settings = RuleSettings()
    var replacements = ReplacementTags()
    var scores: [String: (values: RuleScores, place: RulePlace)] = [:]
    var descriptions: [String: String] = [:]
    var flags: [String: [String]] = [:]
    var priorities: [String: Int] = [:]
    var shortcircuits: [String: Shortcircuit] = [:]
    var actions: [String: (action: RequestedAction, place: RulePlace)] = [:]
    var stages: [String: (stage: RuleStage, place: RulePlace)] = [:]
    /// `test` lines.
    var textCases: [RuleTextCase] = []
    /// What rules of these names ask the DNS.
    var linkLists: [String: LinkListDeclaration] = [:]
    var askDNSRules: [String: AskDNSDeclaration] = [:]
    /// The pattern of the rule that is being read.
    var literal: PatternLiteral?

    /// The file and line that are being read.
    private(set) var file = ""
    private var line = 0
    private var conditions: [Condition] = []
    /// The file is included from inside `ifplugin Mail::SpamAssassin::Plugin::Outpost`.
    private var isIncludedByOwn = false
    private var includes: [String] = []
    private var notedSettings: Set<String> = []
    /// The rest of the file is for another version (`require_version`).
    private var isForOtherVersion = false

    /// Files that include each other.
    private static let maximumIncludeDepth = 16
    /// Octets of a rule's name (as in SpamAssassin).
    private static let maximumNameLength = 100

    /// A rule that is not there, but would be under a condition.
    struct SkippedDefinition {
        var place: RulePlace
        var condition: String
    }

    private struct Condition {
        var place: RulePlace
        /// As it stands in the file.
        var text: String
        /// Lines are read in this branch.
        var isActive: Bool
        /// Lines were read around the `if`.
        var wasActive: Bool
        var hasElse = false
        /// The branch is there for this gateway only.
        var isOwn: Bool
        /// The plugin that `ifplugin` names and no file loads.
        var missingPlugin: String?
        /// Rules in this branch that are not read.
        var skippedRules = 0
    }

    init(environment: RuleEnvironment, language: String) {
        self.environment = environment
        self.language = language
    }

    private var isInsideOwn: Bool { self.isIncludedByOwn || self.conditions.contains(where: \.isOwn) }

    // MARK: - Files

    mutating func read(_ source: RuleSource, load: (String) -> RuleSource?) {
        let outer = (self.file, self.line, self.conditions, self.isIncludedByOwn, self.isForOtherVersion)
        self.isIncludedByOwn = self.isInsideOwn
        self.file = source.file
        self.conditions = []
        self.isForOtherVersion = false
        self.includes.append(normalizedPath(source.file))
        for line in ruleLines(of: source.bytes) {
            self.line = line.number
            self.read(line, load: load)
        }
        for condition in self.conditions {
            self.problems.append(
                RuleProblem(
                    .error,
                    file: condition.place.file,
                    line: condition.place.line,
                    column: condition.place.column,
                    message: "this 'if' has no 'endif'",
                    hint: "it must end in the file it starts in"
                )
            )
        }
        self.includes.removeLast()
        (self.file, self.line, self.conditions, self.isIncludedByOwn, self.isForOtherVersion) = outer
    }

    private mutating func read(_ line: RuleLine, load: (String) -> RuleSource?) {
        var line = line
        guard var keyword = line.word() else { return }
        if keyword.text == "lang" {
            guard let language = line.word(), let next = line.word() else {
                return self.report(.error, keyword.column, "'lang' needs a language and a setting")
            }
            // `lang en` is for en_US, too.
            guard self.language.lowercased().hasPrefix(language.text.lowercased().prefix(2)) else { return }
            keyword = next
        }
        let name = keyword.text.lowercased().replacing("-", with: "_")
        if self.readConditional(name, at: keyword.column, &line) { return }
        guard self.conditions.last?.isActive ?? true else { return self.skip(name, &line) }
        guard !self.isForOtherVersion else { return }
        if name == "include" { return self.readInclude(&line, at: keyword.column, load: load) }
        if RuleKeywords.ownAdditions.contains(name), !self.isInsideOwn {
            return self.report(
                .error,
                keyword.column,
                "'\(name)' may only stand inside 'ifplugin \(RuleEnvironment.ownPlugin)'",
                hint: "SpamAssassin does not know it and would refuse the file"
            )
        }
        self.readSetting(name, at: keyword.column, &line)
    }

    private mutating func readSetting(_ name: String, at column: Int, _ line: inout RuleLine) {
        if let kind = LinkListDeclaration.Kind(rawValue: name) { return self.readLinkList(kind, at: column, &line) }
        switch name {
        case "header", "body", "rawbody", "full", "uri", "mimeheader", "uri_detail", "meta", "envelope", "attachment":
            self.readRule(name, at: column, &line)
        case "askdns": self.readAskDNS(&line, at: column)
        case "score": self.readScore(&line, at: column)
        case "describe": self.readDescription(&line, at: column)
        case "tflags": self.readFlags(&line, at: column)
        case "priority": self.readPriority(&line, at: column)
        case "shortcircuit": self.readShortcircuit(&line, at: column)
        case "action": self.readAction(&line, at: column)
        case "stage": self.readStage(&line, at: column)
        case "test": self.readTextCase(&line, at: column)
        case "reuse": self.readReuse(&line, at: column)
        case "replace_tag", "replace_pre", "replace_inter", "replace_post", "replace_rules", "replace_start", "replace_end":
            self.readReplacement(name, at: column, &line)
        case "require_version": self.readRequiredVersion(&line, at: column)
        case "loadplugin", "tryplugin": self.readPlugin(name, at: column, &line)
        case "enable_compat": self.readCompatibility(&line, at: column)
        case "file": break
        case _ where RuleKeywords.isSetting(name): self.keepSetting(name, at: column, line.rest())
        default:
            let hint = RuleKeywords.suggestion(for: name).map { "did you mean '\($0)'?" }
            self.report(.error, column, "unknown keyword '\(name)'", hint: hint)
        }
    }

    /// Remembers a rule that stands in a branch which is not read, so that those who miss it can be told where it is.
    private mutating func skip(_ keyword: String, _ line: inout RuleLine) {
        guard RuleKeywords.definitions.contains(keyword), let name = line.word(),
            let index = self.conditions.firstIndex(where: { !$0.isActive })
        else { return }
        self.conditions[index].skippedRules += 1
        let condition = self.conditions[index]
        let skipped = SkippedDefinition(place: self.place(name.column), condition: condition.text)
        self.skipped[name.text] = self.skipped[name.text] ?? skipped
    }

    /// Kept under today's name for those that read it: functions and the evaluation itself.
    private mutating func keepSetting(_ name: String, at column: Int, _ text: RuleWord) {
        let line = RuleSettings.Line(text: text.text, file: self.file, line: self.line, column: text.column)
        let current = RuleKeywords.currentName(of: name)
        self.settings.append(current, line)
        if !RuleKeywords.isHonoured(current) { self.noteSetting(name, at: column) }
    }

    /// Once for each setting: rule sets of SpamAssassin are full of them.
    mutating func noteSetting(_ name: String, at column: Int) {
        guard self.notedSettings.insert(name).inserted else { return }
        self.report(
            .note,
            column,
            "'\(name)' is a setting of SpamAssassin that has no meaning here",
            hint: RuleKeywords.counterparts[RuleKeywords.currentName(of: name)]
        )
    }

    // MARK: - Conditions and includes

    /// - Returns: whether the line was one of `if`, `ifplugin`, `else`, `endif`.
    private mutating func readConditional(_ name: String, at column: Int, _ line: inout RuleLine) -> Bool {
        switch name {
        case "if", "ifplugin":
            self.openCondition(name, at: column, line.rest())
        case "else":
            self.expectEnd(&line, behind: name)
            guard let last = self.conditions.indices.last, !self.conditions[last].hasElse else {
                let message = self.conditions.isEmpty ? "'else' without 'if'" : "a second 'else'"
                self.report(.error, column, message)
                return true
            }
            self.tellSkipped(self.conditions[last])
            self.conditions[last].missingPlugin = nil
            let wasActive = self.conditions[last].wasActive
            self.conditions[last].isActive = wasActive && !self.conditions[last].isActive
            self.conditions[last].hasElse = true
            self.conditions[last].text = "else of \(self.conditions[last].text)"
            self.conditions[last].isOwn = false
        case "endif":
            self.expectEnd(&line, behind: name)
            guard let last = self.conditions.popLast() else {
                self.report(.error, column, "'endif' without 'if'")
                return true
            }
            self.tellSkipped(last)
        default:
            return false
        }
        return true
    }

    private mutating func openCondition(_ name: String, at column: Int, _ text: RuleWord) {
        let wasActive = self.conditions.last?.isActive ?? true
        var holds = false
        let condition = name == "ifplugin" ? Array("plugin(".utf8) + text.bytes + [UInt8(ascii: ")")] : Array(text.bytes)
        if wasActive {
            do {
                holds = try RuleCondition.holds(condition, in: self.environment)
            } catch {
                let shift = name == "ifplugin" ? "plugin(".utf8.count : 0
                self.report(.error, text.column + max(error.offset - shift, 0), error.message, hint: error.hint)
            }
        }
        let isOwn = text.text.contains(RuleEnvironment.ownPlugin) && !text.text.contains("!")
        self.conditions.append(
            Condition(
                place: RulePlace(file: self.file, line: self.line, column: column),
                text: "\(name) \(text.text)",
                isActive: wasActive && holds,
                wasActive: wasActive,
                isOwn: isOwn && holds,
                missingPlugin: name == "ifplugin" && wasActive && !holds ? text.text : nil
            )
        )
    }

    /// Nothing of a file is left out in silence.
    private mutating func tellSkipped(_ condition: Condition) {
        guard let plugin = condition.missingPlugin, condition.skippedRules > 0 else { return }
        let rules = condition.skippedRules == 1 ? "1 rule is" : "\(condition.skippedRules) rules are"
        let name = plugin.split(separator: ":").last.map(String.init) ?? plugin
        let near = KnownFunctions.suggestion(forPlugin: name).map { "did you mean \($0)?" }
        self.problems.append(
            RuleProblem(
                .note,
                file: condition.place.file,
                line: condition.place.line,
                column: condition.place.column,
                message: "\(rules) not read: plugin \(name) is not there",
                hint: KnownFunctions.obstacle(ofPlugin: name)?.rawValue ?? near
            )
        )
    }

    private mutating func expectEnd(_ line: inout RuleLine, behind keyword: String) {
        if let word = line.word() { self.report(.error, word.column, "nothing may follow '\(keyword)'") }
    }

    private mutating func readInclude(_ line: inout RuleLine, at column: Int, load: (String) -> RuleSource?) {
        let name = line.rest()
        guard !name.isEmpty else { return self.report(.error, column, "'include' needs a file's name") }
        let path = relativePath(name.text, to: self.file)
        if self.includes.contains(normalizedPath(path)) {
            return self.report(
                .error,
                name.column,
                "'\(path)' includes itself: \((self.includes + [path]).joined(separator: " → "))"
            )
        }
        guard self.includes.count < RuleReader.maximumIncludeDepth else {
            return self.report(.error, name.column, "more than \(RuleReader.maximumIncludeDepth) files include each other")
        }
        guard let source = load(path) else {
            return self.report(
                .error,
                name.column,
                "'\(path)' cannot be read",
                hint: "the path is relative to the including file"
            )
        }
        self.read(RuleSource(file: path, bytes: source.bytes), load: load)
    }

    // MARK: - What the parts of a line share

    /// The rule's name at the start of a setting; nil when it is missing or impossible, which is reported.
    mutating func ruleName(_ line: inout RuleLine, keyword: String, at column: Int) -> RuleWord? {
        guard let word = line.word() else {
            self.report(.error, column, "'\(keyword)' needs a rule's name")
            return nil
        }
        let isValid = word.bytes.allSatisfy(\.isWord) && !(word.bytes.first?.isDigit ?? true)
        guard isValid, word.bytes.count <= RuleReader.maximumNameLength else {
            self.report(
                .error,
                word.column,
                "'\(word.text)' cannot be a rule's name",
                hint: "names are of letters, digits and _, at most \(RuleReader.maximumNameLength), and do not start with a digit"
            )
            return nil
        }
        return word
    }

    func place(_ column: Int) -> RulePlace {
        RulePlace(file: self.file, line: self.line, column: column)
    }

    mutating func report(_ severity: RuleProblem.Severity, _ column: Int, _ message: String, hint: String? = nil) {
        self.problems.append(
            RuleProblem(severity, file: self.file, line: self.line, column: column, message: message, hint: hint)
        )
    }

    /// The rest of the file is not read.
    mutating func leaveFile() {
        self.isForOtherVersion = true
    }

    func isDefined(_ name: String) -> Bool { self.definitionIndices[name] != nil }

    mutating func define(_ definition: RuleDefinition) {
        guard let index = self.definitionIndices[definition.name] else {
            self.definitionIndices[definition.name] = self.definitions.count
            self.definitions.append(definition)
            return
        }
        let earlier = self.definitions[index].place
        guard !self.definitions[index].isEmpty else {
            self.definitions[index] = definition
            return
        }
        self.report(
            .warning,
            definition.place.column,
            "rule \(definition.name) is defined again",
            hint: "this replaces the definition at \(earlier.file):\(earlier.line)"
        )
        self.definitions[index] = definition
    }
}

/// `name` as seen from the file that includes it.
private func relativePath(_ name: String, to file: String) -> String {
    guard !name.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return name }
    return String(file[...slash]) + name
}

/// `a/./b/../c` is `a/c`; so that a file cannot include itself under another spelling.
private func normalizedPath(_ path: String) -> String {
    var pieces: [Substring] = []
    for piece in path.split(separator: "/") where piece != "." {
        if piece == "..", let last = pieces.last, last != ".." {
            pieces.removeLast()
        } else {
            pieces.append(piece)
        }
    }
    return (path.hasPrefix("/") ? "/" : "") + pieces.joined(separator: "/")
}
