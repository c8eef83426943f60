import MailTypes
import PatternKit

/// The text a rule looks at.
package enum RuleKind: String, Hashable, Sendable, CaseIterable {
    case header
    case body
    case rawBody = "rawbody"
    case full
    case uri
    case mimeHeader = "mimeheader"
    case meta
    case envelope
    case attachment
}

/// A fact of the envelope that `envelope` rules look at.
package enum EnvelopeField: String, Hashable, Sendable, CaseIterable {
    /// The client's address.
    case client
    case helo
    /// The reverse path without brackets; empty for the null path.
    case sender
    /// The forward paths, one a line.
    case recipients
    /// `TLSv1.3 TLS_AES_256_GCM_SHA384`; empty without TLS.
    case tls
}

/// What of an attachment `attachment` rules look at.
package enum AttachmentField: String, Hashable, Sendable, CaseIterable {
    case name
    case type
}

/// What a rule asks of a message.
package enum RuleTest: Sendable {
    case header(HeaderSelector, HeaderMatch)
    case headerExists(HeaderSelector)
    case body(Pattern)
    case rawBody(Pattern)
    case full(Pattern)
    case uri(Pattern)
    case mimeHeader(HeaderSelector, HeaderMatch)
    case envelope(EnvelopeField, HeaderMatch)
    case attachment(AttachmentField, HeaderMatch)
    case meta(MetaExpression)
    /// `eval:`; the kind is that of the keyword in front of it.
    case function(RuleKind, EvalCall)
    /// Something that is not available here; it never hits.
    case unavailable(RuleKind)

    package var kind: RuleKind {
        switch self {
        case .header, .headerExists: .header
        case .body: .body
        case .rawBody: .rawBody
        case .full: .full
        case .uri: .uri
        case .mimeHeader: .mimeHeader
        case .envelope: .envelope
        case .attachment: .attachment
        case .meta: .meta
        case .function(let kind, _): kind
        case .unavailable(let kind): kind
        }
    }
}

/// A call of a function with the arguments of one rule.
package struct EvalCall: Sendable {
    package var function: String
    var arguments: EvalArguments
    var test: EvalTest
}

/// How far a rule has come on its way into service.
package enum RuleStage: String, Hashable, Sendable, CaseIterable {
    /// Is read and checked, and not evaluated.
    case draft
    /// Is evaluated, counted and shown, and changes nothing.
    case shadow
    /// Counts.
    case live
}

/// What a hit of a rule says about the message as a whole (`shortcircuit`).
package enum Shortcircuit: String, Hashable, Sendable, CaseIterable {
    case ham
    case spam
    /// Evaluation ends, with the score that there is.
    case on
}

/// `=~ /…/ [if-unset: …]`
package struct HeaderMatch: Sendable {
    package var pattern: Pattern
    /// `!~`
    package var isNegated = false
    /// Matched in place of a field that is not there.
    package var ifUnset: [UInt8] = []
}

/// One rule with all that the files say about it.
package struct Rule: Sendable {
    package var name: String
    package var test: RuleTest
    /// What stands behind the name in the file.
    package var definition: String
    package var score: Double
    package var description: String
    package var file: String
    package var line: Int
    /// All flags of `tflags`, also those that mean nothing here.
    package var flags: [String]
    package var priority: Int
    package var action: RequestedAction?
    package var stage = RuleStage.live
    package var shortcircuit: Shortcircuit?

    package var kind: RuleKind { self.test.kind }

    /// `__NAME`: for metas only, never scored.
    package var isSubrule: Bool { self.name.hasPrefix("__") }

    /// A rule that scores 0 is switched off, as in SpamAssassin; unless it asks for an action. A draft is not evaluated.
    package var isActive: Bool { self.stage != .draft && (self.score != 0 || self.action != nil) }

    package var isMultiple: Bool { self.flags.contains("multiple") }
    package var skipsSubject: Bool { self.flags.contains("nosubject") }

    /// Hits that count; for `tflags multiple` all, or as many as `maxhits=N` says.
    package var maximumHits: Int {
        guard self.isMultiple else { return 1 }
        let limits = self.flags.compactMap { $0.hasPrefix("maxhits=") ? Int($0.dropFirst("maxhits=".count)) : nil }
        return max(limits.last ?? Rule.unlimitedHits, 1)
    }

    /// A bound for `multiple` without `maxhits`: a message full of matches must not cost more than its rules are worth.
    static let unlimitedHits = 1_000
}
