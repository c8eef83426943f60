import MailStore

/// The filter line of the reviewer: words, and `from:` `to:` `rule:` `sig:` `is:`.
enum ReviewFilter {
    static let help = "words, from:X to:X rule:X sig:X is:waiting|released|deleted|rejected|all"

    /// - Returns: nil with the word that means nothing.
    static func parse(_ text: String) -> Result<QuarantineFilter, UnknownWord> {
        var filter = QuarantineFilter.waiting
        var words: [Substring] = []
        for word in text.split(whereSeparator: \.isWhitespace) {
            let parts = word.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else {
                words.append(word)
                continue
            }
            let value = String(parts[1])
            switch parts[0].lowercased() {
            case "from": filter.from = value
            case "to": filter.to = value
            case "rule": filter.rule = value
            case "sig", "signature": filter.signature = value
            case "is":
                guard self.narrow(&filter, value.lowercased()) else { return .failure(UnknownWord(text: String(word))) }
            default: words.append(word)
            }
        }
        if !words.isEmpty { filter.text = words.joined(separator: " ") }
        return .success(filter)
    }

    struct UnknownWord: Error, Hashable {
        var text: String
    }

    private static func narrow(_ filter: inout QuarantineFilter, _ value: String) -> Bool {
        switch value {
        case "waiting": (filter.kind, filter.states) = (.held, [.waiting, .releasing])
        case "released": (filter.kind, filter.states) = (.held, [.released])
        case "deleted": (filter.kind, filter.states) = (nil, [.deleted])
        case "rejected": (filter.kind, filter.states) = (.rejectedCopy, [.waiting])
        case "all": (filter.kind, filter.states) = (nil, [])
        default: return false
        }
        return true
    }
}
