import MailMessage
import PatternKit

/// Tests of HTML parts: what they hold, how much of it, how it is shown. Each hits when one part of the message does.
enum HTMLEvalFunctions {
    static let all: [EvalFunction] = [
        EvalFunction("html_tag_balance", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let tag = try arguments.required(0, "the name of a tag")
            let comparison = try NumberComparison(arguments, 1)
            return test { html in html.openTags(tag).map { comparison.holds(for: Double($0)) } ?? false }
        },
        EvalFunction("html_image_only", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let range = try ValueRange(arguments, 0)
            return test { $0.openTags("img") != nil && range.contains(Double($0.length)) }
        },
        EvalFunction("html_image_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let range = try ValueRange(arguments, 0)
            return test { $0.imageArea > 0 && range.contains(Double($0.solidLength) / Double($0.imageArea)) }
        },
        EvalFunction("html_charset_faraway", plugin: plugin) { _ in
            { context in
                let locales = context.settings.locales
                guard !locales.acceptsAll else { return false }
                return EvalOutcome(
                    context.text.renderedHTML.contains { html in
                        guard let names = html.charsets?.split(separator: UInt8(ascii: " ")) else { return false }
                        let unwelcome = names.count { !locales.accepts(charset: Array($0)) }
                        return unwelcome > 0 && 2 * unwelcome >= names.count
                    }
                )
            }
        },
        EvalFunction("html_tag_exists", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let tag = try arguments.required(0, "the name of a tag")
            return test { $0.openTags(tag) != nil }
        },
        EvalFunction("html_test", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let result = try HTMLResult(arguments, 0)
            return test { result.value(of: $0) ?? 0 != 0 || !result.texts(of: $0).isEmpty }
        },
        EvalFunction("html_eval", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let result = try HTMLResult(arguments, 0)
            let comparison = try NumberComparison(arguments, 1)
            return test { result.value(of: $0).map(comparison.holds) ?? false }
        },
        EvalFunction("html_text_match", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let result = try HTMLResult(arguments, 0)
            let pattern = try arguments.pattern(1)
            return { context in
                EvalOutcome(
                    context.text.renderedHTML.contains { html in
                        result.texts(of: html).contains { context.matcher.matches(pattern, $0) }
                    }
                )
            }
        },
        EvalFunction("html_text_not_match", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let result = try HTMLResult(arguments, 0)
            let pattern = try arguments.pattern(1)
            return { context in
                EvalOutcome(
                    context.text.renderedHTML.contains { html in
                        result.texts(of: html).contains { !context.matcher.matches(pattern, $0) }
                    }
                )
            }
        },
        EvalFunction("html_title_subject_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let ratio = try arguments.number(0) ?? 0
            return { context in
                guard let subject = context.header("Subject") else { return false }
                // The line end counts.
                let length = Double(subject.last == UInt8(ascii: "\n") ? subject.count : subject.count + 1)
                return EvalOutcome(
                    context.text.renderedHTML.contains { html in
                        html.titles.contains { Double($0.count { $0 & 0xc0 != 0x80 }) / length > ratio }
                    }
                )
            }
        },
        EvalFunction("html_range", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let result = try HTMLResult(arguments, 0)
            let range = try ValueRange(arguments, 1)
            return test { result.value(of: $0).map(range.contains) ?? false }
        },
        EvalFunction("check_iframe_src", plugin: plugin) { _ in
            test { $0.links.contains { $0.types.contains("iframe") } }
        },
    ]

    private static let plugin = "HTMLEval"

    private static func test(_ isHit: @escaping @Sendable (FilterHTML) -> Bool) -> EvalTest {
        { EvalOutcome($0.text.renderedHTML.contains(where: isHit)) }
    }
}

/// Above the one, up to the other: `("0.40", "inf")`.
private struct ValueRange {
    let minimum: Double
    let maximum: Double

    /// - Parameter index: of the first of the two arguments.
    init(_ arguments: EvalArguments, _ index: Int) throws(EvalArguments.Failure) {
        self.minimum = try arguments.number(index) ?? 0
        self.maximum = try arguments.number(index + 1) ?? .infinity
    }

    func contains(_ value: Double) -> Bool { value > self.minimum && value <= self.maximum }
}

/// What a value is compared with, as in Perl: `!= 0`, `> 1`, `< 384`.
private struct NumberComparison {
    private let comparison: @Sendable (Double, Double) -> Bool
    private let number: Double

    private static let operators: [(name: String, comparison: @Sendable (Double, Double) -> Bool)] = [
        ("==", { $0 == $1 }), ("!=", { $0 != $1 }), ("<=", { $0 <= $1 }), (">=", { $0 >= $1 }), ("<", { $0 < $1 }),
        (">", { $0 > $1 }),
    ]

    init(_ arguments: EvalArguments, _ index: Int) throws(EvalArguments.Failure) {
        let text = try arguments.required(index, "a comparison").filter { $0 != " " }
        guard let found = Self.operators.first(where: { text.hasPrefix($0.name) }),
            let number = Double(text.dropFirst(found.name.count))
        else {
            throw EvalArguments.Failure(
                argument: index,
                message: "'\(arguments[index] ?? "")' is no comparison with a number",
                hint: "write it as '> 1', '!= 0' or '<= 10'"
            )
        }
        self.comparison = found.comparison
        self.number = number
    }

    @Sendable func holds(for value: Double) -> Bool { self.comparison(value, self.number) }
}

/// A result of reading HTML by the name that rules ask for it.
private enum HTMLResult: String, CaseIterable {
    case html, anchor, comment, script, title, embeds, ratio, length
    case imageArea = "image_area"
    case smallestFont = "min_size"
    case largestFont = "max_size"
    case extraEnds = "closed_extra_ratio"
    case badTags = "bad_tag_ratio"
    case nonElements = "non_element_ratio"
    case obfuscation = "obfuscation_ratio"
    case wordSplits = "backhair_count"
    case renderedLength = "html_length"
    case solidLength = "non_space_len"
    case lowContrast = "font_low_contrast"
    case invalidColor = "font_invalid_color"
    case badFontFace = "font_face_bad"
    case mailtoForm = "form_action_mailto"
    case linksCut = "uri_truncated"

    init(_ arguments: EvalArguments, _ index: Int) throws(EvalArguments.Failure) {
        let name = try arguments.required(index, "the name of a result")
        guard let result = Self(rawValue: name) else {
            let names = Self.allCases.map(\.rawValue).sorted().joined(separator: ", ")
            throw EvalArguments.Failure(argument: index, message: "HTML has no result '\(name)'", hint: "there are \(names)")
        }
        self = result
    }

    /// nil when the part has no such result, or it is no number.
    func value(of html: FilterHTML) -> Double? {
        switch self {
        case .anchor, .comment, .script, .title: return nil
        case .html: return 1
        case .length: return Double(html.length)
        case .imageArea: return Double(html.imageArea)
        case .smallestFont: return Double(html.smallestFont)
        case .largestFont: return Double(html.largestFont)
        case .extraEnds: return html.tags.map { Double(html.extraEnds) / Double($0) }
        case .badTags: return Self.share(html.tags, without: html.elements)
        case .nonElements: return Self.share(html.tagsSeen, without: html.elementsSeen)
        case .obfuscation:
            guard let tags = html.tags, let obfuscations = html.obfuscations else { return nil }
            return Double(obfuscations) / Double(tags)
        case .wordSplits: return html.wordSplits.isEmpty ? nil : Double(html.wordSplits.count)
        case .renderedLength: return Double(html.renderedLength)
        case .solidLength: return Double(html.solidLength)
        case .ratio: return html.ratio
        case .embeds: return html.hasEmbedded ? 1 : nil
        case .lowContrast: return html.hasLowContrast ? 1 : nil
        case .invalidColor: return html.hasInvalidColor ? 1 : nil
        case .badFontFace: return html.hasBadFontFace ? 1 : nil
        case .mailtoForm: return html.hasMailtoForm ? 1 : nil
        case .linksCut: return html.areLinksCut ? 1 : nil
        }
    }

    func texts(of html: FilterHTML) -> [[UInt8]] {
        switch self {
        case .anchor: html.anchors
        case .comment: html.comments
        case .script: html.scripts
        case .title: html.titles
        default: []
        }
    }

    private static func share(_ all: Int?, without part: Int?) -> Double? {
        guard let all, let part else { return nil }
        return Double(all - part) / Double(all)
    }
}
