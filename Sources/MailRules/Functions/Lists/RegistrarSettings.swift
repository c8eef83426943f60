import MailMessage

extension RegistrarBoundaries {
    /// The lists that rule files make with `util_rb_tld`, `util_rb_2tld` and `util_rb_3tld`, as far as they make any.
    init(_ settings: RuleSettings, problems: inout [RuleProblem]) {
        var names: [String: [[UInt8]]] = [:]
        for entry in settings.entries(of: ["util_rb_tld", "util_rb_2tld", "util_rb_3tld", "clear_util_rb"]) {
            guard entry.keyword != "clear_util_rb" else {
                names = [:]
                continue
            }
            let labels = entry.keyword == "util_rb_tld" ? 1 : entry.keyword == "util_rb_2tld" ? 2 : 3
            for word in entry.line.words {
                let name = Array(word.utf8)
                guard name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).count == labels else {
                    problems.append(ListLine.problem(entry, "\(word) has not as many labels as the setting is for"))
                    continue
                }
                names[entry.keyword, default: []].append(name)
            }
        }
        guard let topLevel = names["util_rb_tld"] else {
            self = .standard
            return
        }
        self.init(topLevel: topLevel, secondLevel: names["util_rb_2tld"] ?? [], thirdLevel: names["util_rb_3tld"] ?? [])
    }
}
