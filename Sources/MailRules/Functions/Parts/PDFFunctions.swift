import MailMessage
import PatternKit

/// Tests of the PDF files of a message.
enum PDFFunctions {
    static let all: [EvalFunction] = [
        number("pdf_count") { Double($0.count) },
        number("pdf_image_count") { Double($0.imageCount) },
        number("pdf_pixel_coverage") { $0.area },
        EvalFunction("pdf_image_to_text_ratio", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let range = try ImageFunctions.Range(arguments, 0)
            let kind = arguments.kind
            return { context in
                let octets = context.segments(for: kind).reduce(0) { $0 + $1.bytes.count }
                guard octets > 0, let area = facts(context).area, let maximum = range.maximum else { return false }
                let ratio = Double(octets) / area
                return EvalOutcome(range.contains(ratio) && ratio != maximum)
            }
        },
        EvalFunction("pdf_image_size_exact", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let size = "\(try arguments.required(0, "the height"))x\(try arguments.required(1, "the width"))"
            return { EvalOutcome(facts($0).sizes.contains(size)) }
        },
        EvalFunction("pdf_image_size_range", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let bounds = try ImageSizeBounds(arguments, 0)
            return { context in
                EvalOutcome(facts(context).dimensions.contains { bounds.contains(height: $0.height, width: $0.width) })
            }
        },
        EvalFunction("pdf_named", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let name = Array(try arguments.required(0, "the name").utf8)
            return { EvalOutcome(facts($0).names.contains(name)) }
        },
        EvalFunction("pdf_name_regex", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let pattern = try arguments.pattern(0)
            return { context in EvalOutcome(facts(context).names.contains { context.matcher.matches(pattern, $0) }) }
        },
        EvalFunction("pdf_match_md5", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let checksum = try arguments.required(0, "the checksum").uppercased()
            return { EvalOutcome(facts($0).checksums.contains(checksum)) }
        },
        EvalFunction("pdf_match_fuzzy_md5", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let checksum = try arguments.required(0, "the checksum").uppercased()
            return { EvalOutcome(facts($0).fuzzyChecksums.contains(checksum)) }
        },
        EvalFunction("pdf_match_details", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let detail = try arguments.required(0, "the name of a detail")
            let pattern = try arguments.pattern(1)
            return { context in
                EvalOutcome(facts(context).details[detail]?.contains { context.matcher.matches(pattern, $0) } ?? false)
            }
        },
        EvalFunction("pdf_is_encrypted", plugin: plugin) { _ in { EvalOutcome(facts($0).isEncrypted) } },
        EvalFunction("pdf_is_empty_body", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let maximum = try arguments.number(0) ?? 0
            let kind = arguments.kind
            return { context in
                guard facts(context).count > 0 else { return false }
                // The first line of the text is the subject.
                let octets = context.segments(for: kind).dropFirst().reduce(0) { sum, segment in
                    sum + (segment.bytes.allSatisfy(\.isSpaceOctet) ? 0 : segment.bytes.count)
                }
                return EvalOutcome(Double(octets) <= maximum)
            }
        },
    ]

    private static let plugin = "PDFInfo"

    private static func facts(_ context: EvalContext) -> PDFFacts {
        context.facts { PDFFacts($0.filterMessage, $0.matcher) }
    }

    private static func number(_ name: String, _ value: @escaping @Sendable (PDFFacts) -> Double?) -> EvalFunction {
        EvalFunction(name, plugin: self.plugin) { arguments throws(EvalArguments.Failure) in
            let range = try ImageFunctions.Range(arguments, 0)
            return { EvalOutcome(value(self.facts($0)).map(range.contains) ?? false) }
        }
    }
}
