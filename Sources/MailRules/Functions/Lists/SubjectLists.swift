/// Subjects that are listed (SpamAssassin's WelcomeListSubject).
enum SubjectFunctions {
    static let all: [EvalFunction] = [
        function("check_subject_in_welcomelist") { $0.welcome },
        function("check_subject_in_whitelist") { $0.welcome },
        function("check_subject_in_blocklist") { $0.block },
        function("check_subject_in_blacklist") { $0.block },
    ]

    private static func function(_ name: String, _ list: @escaping @Sendable (SubjectLists) -> [Glob]) -> EvalFunction {
        EvalFunction(name, plugin: "WelcomeListSubject") { _ in
            { context in
                let patterns = list(context.settings.subjectLists)
                guard !patterns.isEmpty, var subject = context.header("Subject")?[...] else { return false }
                if subject.last == 0x0a { subject.removeLast() }
                return EvalOutcome(!subject.isEmpty && patterns.contains { $0.matches(subject) })
            }
        }
    }
}

/// `welcomelist_subject` and `blocklist_subject`: each line is one pattern, which may stand anywhere in a subject.
struct SubjectLists: Sendable {
    fileprivate var welcome: [Glob] = []
    fileprivate var block: [Glob] = []

    init() {}

    init(_ settings: RuleSettings) {
        self.welcome = Self.patterns(settings, "welcomelist_subject")
        self.block = Self.patterns(settings, "blocklist_subject")
    }

    private static func patterns(_ settings: RuleSettings, _ keyword: String) -> [Glob] {
        settings.lines(of: keyword).filter { !$0.text.isEmpty }.map {
            Glob([UInt8(ascii: "*")] + Array($0.text.utf8) + [UInt8(ascii: "*")])
        }
    }
}
