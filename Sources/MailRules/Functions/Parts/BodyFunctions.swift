import MailMessage
import PatternKit

/// Tests of the text as a whole: lengths, ratios, words.
enum BodyFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("multipart_alternative_difference", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1))
            return { context in
                let difference = context.facts { AlternativeDifference($0) }.percentage
                return EvalOutcome((minimum == 0 || difference > minimum) && maximum.map { difference <= $0 } ?? true)
            }
        },
        EvalFunction("multipart_alternative_difference_count", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (ratio, minimum) = (try arguments.number(0) ?? 0, try arguments.number(1) ?? 0)
            return { context in
                let facts = context.facts { AlternativeDifference($0) }
                guard Double(facts.htmlWords) > minimum, facts.htmlWords > 0 else { return false }
                return EvalOutcome(Double(facts.textWords) / Double(facts.htmlWords) > ratio)
            }
        },
        EvalFunction("check_blank_line_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1) ?? 0)
            let lines = max(try arguments.number(2) ?? 1, 1)
            return { context in
                let facts = context.facts { LineCounts($0) }
                let share = Double(facts.lines) < lines ? -1 : 100 * Double(facts.blank) / Double(facts.lines)
                return EvalOutcome((minimum == 0 || share > minimum) && share <= maximum)
            }
        },
        EvalFunction("tvd_vertical_words", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let minimum = try arguments.number(0) ?? 0
            let maximum = try arguments.number(1) ?? 0
            return { context in
                let share = Double(context.facts { SpaceShare($0) }.percentage)
                return EvalOutcome(share >= minimum && share < (maximum >= 100 ? 101 : maximum))
            }
        },
        EvalFunction("check_stock_info", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let minimum = try arguments.number(0) ?? 0
            return { context in
                EvalOutcome(minimum == 0 || Double(context.facts { StockInformation($0) }.kinds) >= minimum)
            }
        },
        EvalFunction("check_body_length", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let maximum = try arguments.number(0) ?? 0
            return { EvalOutcome(Double($0.filterMessage.bodyLength) <= maximum) }
        },
        signature("plaintext_body_length") { Double($0.body) },
        signature("plaintext_sig_length") { Double($0.signature) },
        signature("plaintext_body_sig_ratio") { $0.signature > 0 ? Double($0.body) / Double($0.signature) : 1_000_000 },
    ]

    private static let plugin = "BodyEval"

    private static func signature(
        _ name: String,
        _ value: @escaping @Sendable (SignatureLengths.Lengths) -> Double
    ) -> EvalFunction {
        EvalFunction(name, plugin: self.plugin) { arguments throws(EvalArguments.Failure) in
            let (minimum, maximum) = (try arguments.number(0) ?? 0, try arguments.number(1))
            return { context in
                guard let lengths = context.facts({ SignatureLengths($0) }).lengths else { return false }
                let value = value(lengths)
                return EvalOutcome(value >= minimum && maximum.map { value <= $0 } ?? true)
            }
        }
    }
}

/// Lines of `rawbody`.
struct LineCounts {
    var lines = 0
    var blank = 0

    init(_ context: EvalContext) {
        for segment in context.text.rawBody {
            var isBlank = true
            for octet in segment.bytes {
                if octet == 0x0a {
                    self.lines += 1
                    if isBlank { self.blank += 1 }
                    isBlank = true
                } else if !octet.isSpaceOctet {
                    isBlank = false
                }
            }
            guard let last = segment.bytes.last, last != 0x0a else { continue }
            self.lines += 1
            if isBlank { self.blank += 1 }
        }
    }
}

/// The paragraph with most spaces: words written from top to bottom have them between all letters.
struct SpaceShare {
    /// Spaces to other octets, 100 at most; -1 where all paragraphs are short.
    var percentage = -1

    init(_ context: EvalContext) {
        for segment in context.text.body where segment.bytes.count > 5 {
            let spaces = segment.bytes.reduce(0) { $0 + ($1 == 0x20 ? 1 : 0) }
            let others = segment.bytes.count - spaces
            self.percentage = max(self.percentage, spaces > others || others == 0 ? 100 : 100 * spaces / others)
        }
    }
}

/// Labels of a share's data sheet in the first plain text.
struct StockInformation {
    /// Different labels.
    var kinds = 0

    init(_ context: EvalContext) {
        let plain = Array("text/plain".utf8)
        guard let part = context.filterMessage.depthFirst.first(where: { $0.type == plain }) else { return }
        guard let text = context.text.rendering(of: part)?.text, let line = Self.line, let label = Self.label else { return }
        var found: Set<[UInt8]> = []
        for segment in RawChunks.split(text, part: part.index) {
            var offset = 0
            while case .match(let range) = context.matcher.search(line, in: segment.bytes, from: offset),
                range.upperBound > offset
            {
                offset = range.upperBound
                guard let name = context.matcher.capture(1) else { continue }
                let letters = segment.bytes[name].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }.filter {
                    (0x61...0x7a).contains($0)
                }
                guard case .match = context.matcher.search(label, in: letters), let kind = context.matcher.capture(1) else {
                    continue
                }
                found.insert(Array(letters[kind]))
            }
        }
        self.kinds = found.count
    }

    private static let line = try? Pattern(#"^\s*([^:\s][^:\n]{2,29})\s*:\s*\S"#, options: [.multiline, .utf])
    private static let label = try? Pattern(
        #"(^trad(?:e|ing)date|company(?:name)?|s\w?(?:t\w?o\w?c\w?k|y\w?m(?:\w?b\w?o\w?l)?)|t(?:arget|icker)|"#
            + #"(?:opening|current)p(?:rice)?|p(?:rojected|osition)|expectations|weeks?high|marketperformance|"#
            + #"(?:year|week|month|day|price)(?:target|estimates?)|sector|r(?:ecommendation|ating))$"#
    )
}

/// The first plain text, cut at its last signature mark (RFC 3676 §4.3).
struct SignatureLengths {
    struct Lengths {
        /// Octets before the mark.
        var body: Int
        /// Octets behind it.
        var signature: Int
    }

    var lengths: Lengths?

    init(_ context: EvalContext) {
        let plain = Array("text/plain".utf8)
        guard let part = context.filterMessage.depthFirst.first(where: { $0.type.starts(with: plain) }) else { return }
        let text = part.decoded()
        var lengths = Lengths(body: text.count, signature: 0)
        var start = 0
        while start < text.count {
            let lineFeed = text[start...].firstIndex(of: 0x0a) ?? text.count
            var end = lineFeed
            if end > start, text[end - 1] == 0x0d { end -= 1 }
            let isMark = text[start..<end].elementsEqual([0x2d, 0x2d]) || text[start..<end].elementsEqual([0x2d, 0x2d, 0x20])
            // A mark at the very end is there to deceive.
            if isMark, text.count - lineFeed > 4 {
                lengths = Lengths(body: start, signature: text.count - lineFeed)
            }
            start = lineFeed + 1
        }
        self.lengths = lengths
    }
}
