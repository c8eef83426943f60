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

    private static func values(_ text: [UInt8], from start: Int, to end: Int) throws(Failure) -> [String?] {
        var values: [String?] = []
        var index = start
        while index < end {
            while index < end, text[index].isBlank || text[index] == UInt8(ascii: ",") { index += 1 }
            guard index < end else { break }
            let quote = text[index]
            if quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
                let opening = index
                index += 1
                var value: [UInt8] = []
                while index < end, text[index] != quote {
                    if text[index] == UInt8(ascii: "\\"), index + 1 < end, text[index + 1] == quote { index += 1 }
                    value.append(text[index])
                    index += 1
                }
                guard index < end else {
                    throw Failure(offset: opening, message: "the argument has no end", hint: "a quote is missing")
                }
                index += 1
                values.append(String(decoding: value, as: UTF8.self))
            } else {
                let first = index
                while index < end, !text[index].isBlank, text[index] != UInt8(ascii: ",") { index += 1 }
                values.append(String(decoding: text[first..<index], as: UTF8.self))
            }
        }
        return values.map { $0 == "undef" ? nil : $0 }
    }
}
