import MailMessage
import MailTypes

/// Looks at sizes that are within the limits and out of the ordinary all the same.
package struct SizeCheck: Sendable {
    /// Octets of a line without its CRLF (RFC 5322 §2.1.1).
    package static let maximumLine = 998
    /// Octets of a header from which it is noted; honest ones stay below a tenth of it.
    package static let largeHeader = 64 * 1_024

    package init() {}

    /// - Parameters:
    ///   - maximumSize: octets of the message that the recipients' policy allows.
    ///   - longestLine: octets without CRLF, as the framing counted them.
    ///   - hasBareLineEnds: a bare CR or LF was tolerated in the text.
    package func run(
        _ message: ParsedMessage,
        maximumSize: Int = .max,
        longestLine: Int,
        hasBareLineEnds: Bool
    ) -> CheckFindings {
        var hits: [Hit] = []
        if message.bytes.count > maximumSize { hits.append(CheckSymbol.messageTooLarge.hit()) }
        if longestLine > Self.maximumLine { hits.append(CheckSymbol.lineTooLong.hit()) }
        if hasBareLineEnds { hits.append(CheckSymbol.bareLineEnds.hit()) }
        if let last = message.headerFields.last, last.value.upperBound > Self.largeHeader {
            hits.append(CheckSymbol.headerLarge.hit())
        }
        return CheckFindings(check: "size", hits: hits)
    }
}
