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
    /// `spf=pass dkim=pass,fail dmarc=pass arc=none`; empty when nothing was asked.
    case authentication
}

/// What of an attachment `attachment` rules look at.
package enum AttachmentField: String, Hashable, Sendable, CaseIterable {
    /// As its sender gives it.
    case name
    /// Behind the last dot of the name, in lower case.
    case `extension`
    /// As its sender declares it.
    case type
    /// What it really is, told by its first octets: `application/x-msdownload`.
    case content
    /// The path of each file inside an archive, archives within it included.
    case member
    /// What each file inside an archive really is.
    case memberContent = "member_content"
    /// `encrypted` and `cut` (not all that is inside could be looked at), as far as they are true.
    case archive

    /// Whether the attachment must be decoded for it.
    var looksInside: Bool {
        switch self {
        case .name, .extension, .type: false
        case .content, .member, .memberContent, .archive: true
        }
    }
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

extension RuleTest {
    /// Puts another pattern in the place of the rule's one.
    mutating func replacePattern(_ pattern: Pattern) {
        func changed(_ match: HeaderMatch) -> HeaderMatch {
            HeaderMatch(pattern: pattern, isNegated: match.isNegated, ifUnset: match.ifUnset)
        }
        switch self {
        case .header(let selector, let match): self = .header(selector, changed(match))
        case .mimeHeader(let selector, let match): self = .mimeHeader(selector, changed(match))
        case .envelope(let field, let match): self = .envelope(field, changed(match))
        case .attachment(let field, let match): self = .attachment(field, changed(match))
        case .body: self = .body(pattern)
        case .rawBody: self = .rawBody(pattern)
        case .full: self = .full(pattern)
        case .uri: self = .uri(pattern)
        case .headerExists, .meta, .function, .unavailable: break
        }
    }
}

/// Which of a rule's four scores counts (Mail::SpamAssassin::Conf, `score`).
package enum ScoreSet: Int, Hashable, Sendable, CaseIterable {
    /// Neither network nor learning: what is checked here by itself.
    case local
    case network
    case learning
    case networkAndLearning
}

/// The scores of a rule, one for each `ScoreSet`.
package struct RuleScores: Hashable, Sendable {
    private var values: [Double]

    /// - Parameter values: four, or one that counts for all.
    init(_ values: [Double]) {
        self.values = values.count == 4 ? values : Array(repeating: values.first ?? 0, count: 4)
    }

    package subscript(set: ScoreSet) -> Double { self.values[set.rawValue] }

    func adding(_ other: RuleScores) -> RuleScores {
        RuleScores(zip(self.values, other.values).map { $0 + $1 })
    }
}

/// A call of a function with the arguments of one rule.
package struct EvalCall: Sendable {
    package var function: String
    var arguments: EvalArguments
    var test: EvalTest
    /// Its hits are matches of a pattern, each of which scores under `tflags multiple`.
    var countsMatches = false
    /// It leaves something behind for others, so that it runs in its turn even if no meta asks for it.
    var servesOthers = false
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
    /// The one that counts.
    package var score: Double
    package var scores: RuleScores
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

    /// MIME parts that a `mimeheader` rule looks at, counted from 1: `tflags range=2`, `range=2-`, `range=-3`, `range=2-3`.
    var partRange: ClosedRange<Int> {
        guard let flag = self.flags.last(where: { $0.hasPrefix("range=") }) else { return Rule.allParts }
        let bounds = flag.dropFirst("range=".count).split(separator: "-", omittingEmptySubsequences: false)
        let first = bounds.first.flatMap { Int($0) }
        let last = bounds.count > 1 ? Int(bounds[1]) : first
        let lower = max(first ?? Rule.allParts.lowerBound, Rule.allParts.lowerBound)
        return lower...max(lower, min(last ?? Rule.allParts.upperBound, Rule.allParts.upperBound))
    }

    /// SpamAssassin looks at no more.
    static let allParts = 1...1_000

    /// A `mimeheader` rule looks at the headers of all parts as one text.
    var joinsParts: Bool { self.flags.contains("concat") }

    /// A bound for `multiple` without `maxhits`: a message full of matches must not cost more than its rules are worth.
    static let unlimitedHits = 1_000
}
