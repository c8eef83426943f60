/// A call as rule files write it: `eval:check_for_shifted_date('-12', 'undef')`.
struct EvalCallLiteral {
    var name: String
    var arguments: EvalArguments

    /// What is wrong with a call, and where.
    struct Failure: Error {
        var offset: Int
        var message: String
        var hint: String?
    }

    /// - Parameter bytes: from `eval:` or `rbleval:` to the end of the line.
    init(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        let text = Array(bytes)
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")) else {
            throw Failure(offset: 0, message: "'eval:' is expected here")
        }
        var index = colon + 1
        while index < text.count, text[index].isBlank { index += 1 }
        let start = index
        while index < text.count, text[index].isWord { index += 1 }
        guard index > start else {
            throw Failure(offset: start, message: "the name of a function is expected here", hint: "as in eval:html_test('html')")
        }
        self.name = String(decoding: text[start..<index], as: UTF8.self)
        while index < text.count, text[index].isBlank { index += 1 }
        guard index < text.count else {
            self.arguments = EvalArguments()
            return
        }
        guard text[index] == UInt8(ascii: "("), text.last == UInt8(ascii: ")") else {
            throw Failure(offset: index, message: "arguments stand in parentheses behind the function's name")
        }
        self.arguments = EvalArguments(try EvalCallLiteral.values(text, from: index + 1, to: text.count - 1))
    }

    /// Arguments stand apart by commas. A quoted one ends at the first quote of its kind that a comma or the end follows; a
    /// backslash means nothing.
    private static func values(_ text: [UInt8], from start: Int, to end: Int) throws(Failure) -> [String?] {
        var values: [String?] = []
        var index = start
        while index < end {
            while index < end, text[index].isBlank || text[index] == UInt8(ascii: ",") { index += 1 }
            guard index < end else { break }
            let quote = text[index]
            let value: Range<Int>
            if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
                guard let closing = self.closingQuote(text, behind: index, end: end) else {
                    throw Failure(offset: index, message: "the argument has no end", hint: "a quote is missing")
                }
                value = (index + 1)..<closing
                index = closing + 1
            } else {
                let first = index
                while index < end, !text[index].isBlank, text[index] != UInt8(ascii: ",") { index += 1 }
                value = first..<index
            }
            values.append(String(decoding: text[value], as: UTF8.self))
        }
        return values.map { $0 == "undef" ? nil : $0 }
    }

    private static func closingQuote(_ text: [UInt8], behind opening: Int, end: Int) -> Int? {
        ((opening + 1)..<max(end, opening + 1)).first { index in
            guard text[index] == text[opening] else { return false }
            let next = text[(index + 1)..<end].first { !$0.isBlank }
            return next == nil || next == UInt8(ascii: ",")
        }
    }
}
