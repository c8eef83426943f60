import MailTypes
import PatternKit

/// What a rule means, in words.
package struct RuleExplanation: Sendable {
    /// Where a file says something about the rule.
    package struct Mention: Hashable, Sendable {
        package var file: String
        package var line: Int
        /// The line, without what stands in front.
        package var text: String
    }

    package var rule: Rule
    /// `looks at the Subject field, decoded`.
    package var subject: String
    /// The pattern as it is searched for; nil for rules without one.
    package var pattern: String?
    package var phrases: [PatternPhrase]
    /// Why the pattern is not explained.
    package var unexplained: String?
    /// What counts: score, flags, stage, action.
    package var facts: [String]
    package var mentions: [Mention]

    /// - Parameter sources: all files, also included ones, in which lines about the rule may stand.
    package init(_ rule: Rule, sources: [RuleSource]) {
        self.rule = rule
        self.subject = RuleExplanation.subject(of: rule)
        self.phrases = []
        if let pattern = rule.test.patterns.first {
            self.pattern = readable(pattern.source[...])
            do {
                self.phrases = try PatternAnalysis(pattern).phrases
            } catch {
                self.unexplained = "the pattern has \(error.what), which is left to PCRE2"
            }
        }
        self.facts = RuleExplanation.facts(of: rule)
        self.mentions = sources.flatMap { RuleExplanation.mentions(of: rule.name, in: $0) }
    }

    // MARK: - What it looks at

    private static func subject(of rule: Rule) -> String {
        let isNegated = !rule.test.isAffirmed
        let verb = isNegated ? "hits when nothing matches in " : "searches "
        switch rule.test {
        case .body: return "searches the text of the message: the subject first, then paragraph by paragraph as a reader sees it"
        case .rawBody: return "searches the text parts, decoded, with HTML as it was written"
        case .full: return "searches the whole message as it came, undecoded"
        case .uri: return "searches each link of the message"
        case .header: return verb + self.header(rule.definition)
        case .headerExists: return "asks whether there is a field " + rule.definition.dropFirst("exists:".count)
        case .mimeHeader: return verb + self.header(rule.definition) + " of each MIME part"
        case .envelope: return verb + "the envelope: " + self.operand(rule.definition)
        case .attachment: return verb + "the \(self.operand(rule.definition)) of each attachment"
        case .meta: return "is made of other rules: " + rule.definition
        case .function where rule.definition.hasPrefix("eval:") || rule.definition.hasPrefix("rbleval:"):
            return "calls a function: " + rule.definition
        case .function(.uri, _): return "looks at the pieces of each link: " + rule.definition
        case .function: return "searches with what other rules have captured: " + rule.definition
        case .unavailable: return "never hits: " + rule.definition + " is not available here"
        }
    }

    /// What stands before `=~` or `!~`.
    private static func operand(_ definition: String) -> String {
        let bytes = Array(definition.utf8)
        let end = bytes.indices.first { index in
            index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "~")
                && (bytes[index] == UInt8(ascii: "=") || bytes[index] == UInt8(ascii: "!"))
        }
        return String(decoding: Array(bytes[..<(end ?? bytes.count)]).trimmingBlanks, as: UTF8.self)
    }

    private static func header(_ definition: String) -> String {
        let pieces = self.operand(definition).split(separator: ":").map(String.init)
        let name = pieces.first ?? ""
        let what: String
        switch name {
        case "ALL": what = "the whole header section"
        case "MESSAGEID": what = "every field with a message id"
        default:
            what =
                switch name.lowercased() {
                case "tocc": "the fields To and Cc"
                case "envelopefrom": "the sender of the envelope"
                case let lower where lower.hasPrefix("x-spam-relays-"): "the relays that the message came through (\(name))"
                default: "the field \(name)"
                }
        }
        let modifiers = pieces.dropFirst().compactMap { self.modifiers[$0.lowercased()] }
        return ([what] + modifiers).joined(separator: ", ")
    }

    private static let modifiers: [String: String] = [
        "raw": "as it stands in the message", "addr": "only the addresses", "name": "only the names beside addresses",
        "host": "only the host names", "domain": "only the registered domains", "ip": "only the IP addresses",
        "revip": "only the IP addresses, turned round", "first": "the first one", "last": "the last one",
    ]

    // MARK: - What counts

    private static func facts(of rule: Rule) -> [String] {
        var facts: [String] = []
        if rule.isSubrule {
            facts.append("scores nothing: names that start with __ are for metas")
        } else if rule.score == 0 {
            facts.append("scores 0, so it is switched off" + (rule.action == nil ? "" : " but for its action"))
        } else {
            facts.append("scores \(decimal(rule.score, 3))" + (rule.score < 0 ? ": it speaks for the message" : ""))
        }
        if rule.isMultiple, rule.kind != .meta { facts.append("each match counts, up to \(rule.maximumHits)") }
        if rule.skipsSubject { facts.append("does not look at the subject") }
        switch rule.stage {
        case .live: break
        case .shadow: facts.append("on trial (stage shadow): hits are shown and counted, and change nothing")
        case .draft: facts.append("a draft: read and checked, not run")
        }
        if let action = rule.action { facts.append("asks to \(action.words), whatever the score") }
        if rule.priority != 0 { facts.append("priority \(rule.priority): lower ones are run first") }
        if let shortcircuit = rule.shortcircuit {
            facts.append("ends evaluation when it hits (shortcircuit \(shortcircuit.rawValue))")
        }
        return facts
    }

    // MARK: - Where it stands

    private static func mentions(of name: String, in source: RuleSource) -> [Mention] {
        ruleLines(of: source.bytes).compactMap { line in
            var rest = line
            guard var keyword = rest.word() else { return nil }
            if keyword.text == "lang" {
                guard rest.word() != nil, let next = rest.word() else { return nil }
                keyword = next
            }
            guard RuleKeywords.ours.contains(keyword.text.lowercased()), rest.word()?.text == name else { return nil }
            return Mention(file: source.file, line: line.number, text: line.text)
        }
    }
}

extension RequestedAction {
    /// `refuse the message`
    package var words: String {
        switch self {
        case .tag: "tag the message"
        case .hold: "hold the message"
        case .reject(let text): "refuse the message" + (text.map { " with “\($0)”" } ?? "")
        case .defer(let text): "defer the message" + (text.map { " with “\($0)”" } ?? "")
        case .discard: "discard the message"
        }
    }
}
