import PatternKit

/// What a subject looks like.
enum SubjectText {
    private static let reply = HeaderPattern(#"^(?:(?:Re|Fwd|Fw|Aw|Antwort|WG|SV|VB|VS|VL):\s*)+"#, [.caseless])
    /// Encoded text of these has many capitals of its own.
    private static let capitalCharset = HeaderPattern(
        #"=\?[-_a-z0-9]*(?:koi|jp|jis|euc|gb|big5|isoir|cp1251|windows-1251|georgianps|pt154|tis)[-_a-z0-9]*\?"#,
        [.caseless]
    )
    /// Octets that a subject must have to be judged.
    private static let minimumLength = 10

    static func isAllCapitals(_ context: EvalContext) -> Bool {
        var subject = context.text(of: "Subject").trimmingBlanks
        if let prefix = context.place(of: self.reply, in: subject) { subject.removeSubrange(prefix) }
        guard subject.contains(where: \.isBlank), subject.count >= self.minimumLength else { return false }
        guard !context.finds(self.capitalCharset, in: context.text(of: "Subject:raw")) else { return false }
        let letters = subject.filter(\.isLetter)
        return !letters.isEmpty && letters.allSatisfy { $0 < 0x60 }
    }

    /// The recipient's address as a word.
    static func hasAddress(_ context: EvalContext) -> Bool {
        let address = context.first("To:addr").map(\.lowercased)
        guard let first = address.first, let last = address.last else { return false }
        let subject = context.text(of: "Subject").map(\.lowercased)
        var start = 0
        while let place = subject.place(of: address, from: start) {
            let end = place + address.count
            let begins = (place > 0 && subject[place - 1].isWord) != first.isWord
            let ends = (end < subject.count && subject[end].isWord) != last.isWord
            if begins, ends { return true }
            start = place + 1
        }
        return false
    }

    /// The subject speaks to the local part of the recipient's address: `joe, …`, `Re: joe`.
    static func namesUser(_ context: EvalContext) -> Bool {
        let address = context.first("To:addr")
        guard !address.isEmpty else { return false }
        let user = Array(address.prefix { $0 != .at })
        let subject = context.text(of: "Subject")
        let lower = subject.map(\.lowercased)
        let wanted = user.map(\.lowercased)
        func isEnd(_ index: Int) -> Bool { index == subject.count || (index == subject.count - 1 && subject[index] == 0x0a) }
        func hasUser(_ index: Int) -> Bool { lower[min(index, lower.count)...].starts(with: wanted) }
        func spaceEnd(_ index: Int) -> Int { subject[index...].firstIndex { !$0.isBlank } ?? subject.count }

        if hasUser(0), isEnd(user.count) { return true }
        if subject.starts(with: user) {
            let mark = spaceEnd(user.count)
            if mark < subject.count, ",:;!?-".utf8.contains(subject[mark]) {
                if isEnd(mark + 1) || (mark + 1 < subject.count && subject[mark + 1].isBlank) { return true }
            }
        }
        if lower.starts(with: "re:".utf8) || lower.starts(with: "fw:".utf8) {
            let start = spaceEnd(3)
            if hasUser(start), isEnd(start + user.count) { return true }
            let word = subject[start...].firstIndex { !$0.isWord } ?? subject.count
            let next = spaceEnd(word)
            if word > start, next > word, hasUser(next), isEnd(next + user.count) { return true }
        }
        if subject.first == UInt8(ascii: ",") {
            let end = spaceEnd(1) + user.count
            if hasUser(end - user.count), end < subject.count, ",:;!?-".utf8.contains(subject[end]), isEnd(end + 1) {
                return true
            }
        }
        return false
    }
}
