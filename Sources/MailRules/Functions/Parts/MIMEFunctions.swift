import MailMessage
import PatternKit

/// Tests of a message's MIME structure and of the octets of its parts.
enum MIMEFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("check_for_mime", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let test = try arguments.required(0, "the name of a fact")
            return { EvalOutcome(isTrue(test, $0)) }
        },
        EvalFunction("check_for_mime_html", plugin: plugin) { _ in
            { EvalOutcome(isHTML($0) || facts($0).htmlCount > 0) }
        },
        EvalFunction("check_for_mime_html_only", plugin: plugin) { _ in
            { EvalOutcome(isHTML($0) || (facts($0).htmlCount > 0 && facts($0).textCount == 0)) }
        },
        EvalFunction("check_mime_multipart_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1) ?? 0)
            return { EvalOutcome(facts($0).alternativeRatio >= minimum && facts($0).alternativeRatio < maximum) }
        },
        EvalFunction("check_msg_parse_flags", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let flag = FilterMessage.Flag(rawValue: try arguments.required(0, "the name of a flag"))
            return { context in EvalOutcome(flag.map { context.filterMessage.flags.contains($0) } ?? false) }
        },
        EvalFunction("check_for_ascii_text_illegal", plugin: plugin) { _ in
            { EvalOutcome(facts($0).illegalASCIILines > 0) }
        },
        EvalFunction("check_abundant_unicode_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let ratio = try arguments.number(0) ?? 0
            return { EvalOutcome(facts($0).unicodeRatio >= ratio) }
        },
        EvalFunction("check_for_faraway_charset", plugin: plugin) { _ in hasFarawayCharset },
        EvalFunction("check_for_uppercase", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1) ?? 0)
            return { context in
                let share = context.facts { CapitalShare($0) }.percentage
                return EvalOutcome(share > minimum && share <= maximum)
            }
        },
        EvalFunction("check_ma_non_text", plugin: plugin) { _ in { EvalOutcome(hasOtherAlternative($0.filterMessage)) } },
        EvalFunction("check_base64_length", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1))
            return { context in
                let length = Double(facts(context).longestBase64Line)
                return EvalOutcome(length >= minimum && maximum.map { length <= $0 } ?? true)
            }
        },
        EvalFunction("check_qp_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let minimum = try arguments.number(0) ?? 0
            return { EvalOutcome(facts($0).quotedPrintableRatio >= minimum) }
        },
    ]

    private static let plugin = "MIMEEval"

    private static func facts(_ context: EvalContext) -> MIMEFacts {
        context.facts { MIMEFacts($0) }
    }

    private static func isHTML(_ context: EvalContext) -> Bool {
        let wanted = Array("text/html".utf8)
        return context.header("Content-Type")?.prefix(wanted.count).map { $0 | 0x20 }.elementsEqual(wanted.map { $0 | 0x20 })
            ?? false
    }

    /// The facts by the names that rules ask for.
    private static func isTrue(_ name: String, _ context: EvalContext) -> Bool {
        let facts = self.facts(context)
        switch name {
        case "mime_base64_count": return facts.base64Count > 0
        case "mime_base64_encoded_text": return facts.hasBase64Text
        case "mime_body_html_count": return facts.htmlCount > 0
        case "mime_body_text_count": return facts.textCount > 0
        case "mime_attachment": return facts.attachmentCount > 0
        case "mime_faraway_charset": return facts.hasFarawayCharset
        case "mime_bad_iso_charset": return facts.hasBadISOCharset
        case "mime_html_charsets": return !facts.charsets.isEmpty
        case "mime_missing_boundary": return facts.hasMissingBoundary
        case "mime_multipart_alternative": return facts.hasAlternative
        case "mime_multipart_ratio": return facts.alternativeRatio != 0
        case "mime_qp_count": return facts.quotedPrintableCount != 0
        case "mime_qp_bytes": return facts.quotedPrintableOctets > 0
        case "mime_qp_long_line": return facts.hasLongQuotedPrintableLine
        case "mime_qp_ratio": return facts.quotedPrintableRatio != 0
        case "mime_ascii_text_illegal": return facts.illegalASCIILines > 0
        case "mime_text_unicode_ratio": return facts.unicodeRatio != 0
        // A rule of the stock set asks this way; SpamAssassin keeps the flag elsewhere, so that there it never hits.
        case "mimepart_limit_exceeded": return context.filterMessage.flags.contains(.partLimitExceeded)
        default: return false
        }
    }

    /// Text for readers of other scripts: by its character set, as long as there are octets that need one.
    private static func hasFarawayCharset(_ context: EvalContext) -> EvalOutcome {
        let locales = context.settings.locales
        guard !locales.acceptsAll, let field = context.header("Content-Type"),
            let charset = ContentTypeCharset(field, context.matcher).name,
            !locales.accepts(charset: charset)
        else { return false }
        var high = 0
        // Paragraphs are joined by line feeds.
        var low = max(context.text.body.count - 1, 0)
        for segment in context.text.body {
            let count = segment.bytes.reduce(0) { $0 + ($1 >= 0x80 ? 1 : 0) }
            high += count
            low += segment.bytes.count - count
        }
        return EvalOutcome(low <= high && high > 3)
    }

    /// A multipart/alternative with something directly in it that is no text, and nothing that goes with text.
    private static func hasOtherAlternative(_ message: FilterMessage) -> Bool {
        let alternative = Array("multipart/alternative".utf8)
        let rtf = Array("application/rtf".utf8)
        return message.depthFirst.contains { part in
            guard part.type == alternative else { return false }
            let candidates = part.isLeaf ? [part] : part.children.map { message.parts[$0] }
            return candidates.contains { $0.isLeaf && !$0.type.isEmpty && $0.type != rtf && !$0.type.starts(with: "text/".utf8) }
        }
    }
}

/// The charset parameter as some functions look for it: the first one that a simple pattern finds.
struct ContentTypeCharset {
    var name: [UInt8]?

    init(_ field: [UInt8], _ matcher: PatternMatcher) {
        for case let pattern? in Self.patterns {
            guard case .match = matcher.search(pattern, in: field), let range = matcher.capture(1) else { continue }
            self.name = Array(field[range])
            return
        }
    }

    private static let patterns = ["charset=\"([^\"]+)\"", "charset='([^']+)'", #"charset=(\S+)"#]
        .map { try? Pattern($0, options: .caseless) }
}

/// How much of a text is in capitals.
struct CapitalShare {
    /// Capitals among ASCII letters and digits, in percent; 0 for little text and for character sets that look like capitals.
    var percentage = 0.0

    /// Octets below which one or two acronyms would say everything.
    private static let minimumText = 200

    init(_ context: EvalContext) {
        guard !Self.looksLikeCapitals(context) else { return }
        var length = 0
        var lower = 0
        var upper = 0
        for segment in context.text.body {
            let bytes = segment.bytes
            guard Self.hasInnerSpace(bytes), !Self.isBase64(bytes, context.matcher) else { continue }
            for octet in Self.withoutShiftedText(bytes) {
                length += 1
                switch octet {
                case 0x61...0x7a, 0x30...0x39: lower += 1
                case 0x41...0x5a: upper += 1
                default: break
                }
            }
        }
        guard length >= Self.minimumText, upper + lower > 0 else { return }
        self.percentage = Double(upper) / Double(upper + lower) * 100
    }

    private static func looksLikeCapitals(_ context: EvalContext) -> Bool {
        var names = context.facts { MIMEFacts($0) }.charsets
            .flatMap { $0.split(whereSeparator: \.isSpaceOctet).map(Array.init) }
        if let field = context.header("Content-Type"), let name = ContentTypeCharset(field, context.matcher).name {
            names.append(name)
        }
        guard let pattern = Self.charsetPattern else { return false }
        return names.contains { context.matcher.matches(pattern, $0) }
    }

    private static let charsetPattern = try? Pattern(
        "^[-_a-z0-9]*(?:koi|jp|jis|euc|gb|big5|isoir|cp1251|windows-1251|georgianps|pt154|tis)[-_a-z0-9]*$",
        options: .caseless
    )

    /// White space with something on both sides.
    private static func hasInnerSpace(_ bytes: [UInt8]) -> Bool {
        guard let first = bytes.firstIndex(where: { !$0.isSpaceOctet }) else { return false }
        guard let last = bytes.lastIndex(where: { !$0.isSpaceOctet }) else { return false }
        return bytes[first...last].contains(where: \.isSpaceOctet)
    }

    /// Two lines of base64, as forwarded messages leave them.
    private static func isBase64(_ bytes: [UInt8], _ matcher: PatternMatcher) -> Bool {
        guard bytes.count > 2 * 61, let pattern = self.base64Pattern else { return false }
        return matcher.matches(pattern, bytes)
    }

    private static let base64Pattern = try? Pattern(#"^(?:[A-Za-z0-9+/=]{60,76} ){2}"#)

    /// Without text in JIS (ISO 2022), from the first escape into it to the last one out of it.
    private static func withoutShiftedText(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.contains(0x1b), let start = bytes.firstIndex(of: [0x1b, 0x24, 0x42]) else { return bytes }
        guard let end = bytes.lastIndex(of: [0x1b, 0x28, 0x42]), end >= start + 3 else { return bytes }
        return Array(bytes[..<start] + bytes[(end + 3)...])
    }
}

extension [UInt8] {
    /// Where another text first stands in it, at or behind a place.
    func firstIndex(of other: [UInt8], from start: Int = 0) -> Int? {
        guard let first = other.first, start >= 0 else { return nil }
        var index = start
        while index + other.count <= self.count {
            guard let found = self[index...].firstIndex(of: first), found + other.count <= self.count else { return nil }
            if self[found..<(found + other.count)].elementsEqual(other) { return found }
            index = found + 1
        }
        return nil
    }

    func lastIndex(of other: [UInt8]) -> Int? {
        var last: Int?
        var index = 0
        while let found = self.firstIndex(of: other, from: index) {
            last = found
            index = found + 1
        }
        return last
    }

    func contains(_ other: [UInt8]) -> Bool { self.firstIndex(of: other) != nil }
}
