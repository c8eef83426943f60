import MailMessage
import MailTypes
import PatternKit

/// A pattern rule that needs more than a search: it keeps what its named groups match, it looks for what others have kept, or it
/// takes MIME parts by number or together (`tflags range=… concat`). There are few of these, so they run as functions do.
struct CapturingRule: Sendable {
    private let test: RuleTest
    private let match: HeaderMatch
    private let template: PatternTemplate?
    /// Tags and their groups.
    private let tags: [String: Int]
    private let maximumHits: Int
    private let skipsSubject: Bool
    /// Numbers of the MIME parts to look at, counted from 1.
    private let parts: ClosedRange<Int>
    private let joinsParts: Bool

    /// nil for a rule that a plain search serves.
    init?(_ rule: Rule, template: PatternTemplate?) {
        let match: HeaderMatch
        switch rule.test {
        case .header(_, let header), .mimeHeader(_, let header): match = header
        case .body(let pattern), .rawBody(let pattern), .full(let pattern), .uri(let pattern):
            match = HeaderMatch(pattern: pattern)
        case .headerExists, .envelope, .attachment, .meta, .function, .unavailable: return nil
        }
        self.tags = match.pattern.names.filter { isTagName($0.key.utf8) }
        self.parts = rule.partRange
        self.joinsParts = rule.joinsParts
        let isPlain = template == nil && self.tags.isEmpty
        if isPlain, self.parts == Rule.allParts, !self.joinsParts { return nil }
        self.test = rule.test
        self.match = match
        self.template = template
        self.maximumHits = rule.maximumHits
        self.skipsSubject = rule.skipsSubject
    }

    func evaluate(_ context: EvalContext) -> EvalOutcome {
        let captured = context.facts { _ in CapturedTags() }
        var pattern = self.match.pattern
        if let template {
            if template.needsValues, !self.match.isNegated, !self.hasText(ofEach: template.tags, captured, context) {
                return false
            }
            guard let filled = template.pattern({ captured.values(of: $0, context) }) else { return false }
            pattern = filled
        }
        var search = CaptureSearch(pattern: pattern, tags: self.tags, maximumHits: self.maximumHits, context: context)
        switch self.test {
        case .header(let selector, _):
            let view = context.views.header(selector)
            search.run(view.exists ? view.bytes : self.match.ifUnset, view: "header", part: "")
        case .mimeHeader(let selector, _): self.searchParts(selector, &search, context)
        case .body:
            let segments = context.views.body
            let skipped = self.skipsSubject && segments.first?.part == nil ? 1 : 0
            search.run(segments.dropFirst(skipped), view: "body")
        case .rawBody: search.run(context.views.rawBody[...], view: "rawbody")
        case .uri:
            search.run(
                context.views.links.map { TextSegment(bytes: $0.bytes, part: $0.part, offset: $0.offset) }[...],
                view: "uri"
            )
        case .full: search.run(context.views.full, view: "full", part: "")
        case .headerExists, .envelope, .attachment, .meta, .function, .unavailable: break
        }
        captured.add(search.captures)
        if search.isGivenUp { return false }
        return self.match.isNegated
            ? EvalOutcome(search.locations.isEmpty) : EvalOutcome(hits: search.hits, locations: search.locations)
    }

    /// Whether any text has a value of a tag in it, for each tag: a look that spares making a pattern for one message.
    private func hasText(ofEach tags: [String], _ captured: CapturedTags, _ context: EvalContext) -> Bool {
        tags.allSatisfy { tag in
            captured.values(of: tag, context).contains { value in
                switch self.test {
                case _ where value.isEmpty: false
                case .uri: context.views.links.contains { $0.bytes.hasCaseless(value) }
                case .body: context.views.body.contains { $0.bytes.hasCaseless(value) }
                case .rawBody: context.views.rawBody.contains { $0.bytes.hasCaseless(value) }
                // Few rules: they are searched as they are.
                case .header, .mimeHeader, .full, .headerExists, .envelope, .attachment, .meta, .function, .unavailable: true
                }
            }
        }
    }

    private func searchParts(_ selector: HeaderSelector, _ search: inout CaptureSearch, _ context: EvalContext) {
        var joined: [UInt8] = []
        for (number, part) in zip(1..., context.views.partHeaders) where self.parts.contains(number) {
            let text = selector.text(of: part) ?? self.match.ifUnset
            guard self.joinsParts else {
                search.run(text, view: "mimeheader", part: part.path)
                if search.hits > 0 { return }
                continue
            }
            joined += text
            if joined.last != 0x0a { joined.append(0x0a) }
        }
        if self.joinsParts { search.run(joined, view: "mimeheader", part: "") }
    }
}

/// What rules have captured in one message.
private final class CapturedTags {
    private var tags: [String: [[UInt8]]] = [:]

    /// Values of one tag that are kept.
    private static let maximumValues = 100

    func add(_ captures: [(tag: String, value: [UInt8])]) {
        for (tag, value) in captures where !self.tags[tag, default: []].contains(value) {
            guard self.tags[tag, default: []].count < CapturedTags.maximumValues else { continue }
            self.tags[tag, default: []].append(value)
        }
    }

    /// - Parameter tag: as it stands in a pattern: `LISTID`, or `HEADER(From:addr)` for the text of a header.
    func values(of tag: String, _ context: EvalContext) -> [[UInt8]] {
        guard tag.hasPrefix("HEADER("), tag.hasSuffix(")") else { return self.tags[tag] ?? [] }
        guard var text = context.header(String(tag.dropFirst("HEADER(".count).dropLast())) else { return [] }
        while text.last == 0x0a { text.removeLast() }
        return [text]
    }
}

/// Searches texts and keeps what groups match.
private struct CaptureSearch {
    let pattern: Pattern
    let tags: [String: Int]
    let maximumHits: Int
    let context: EvalContext

    private(set) var hits = 0
    private(set) var locations: [MatchLocation] = []
    private(set) var captures: [(tag: String, value: [UInt8])] = []
    /// The pattern blew its limits, or the time was up.
    private(set) var isGivenUp = false

    init(pattern: Pattern, tags: [String: Int], maximumHits: Int, context: EvalContext) {
        self.pattern = pattern
        self.tags = tags
        self.maximumHits = maximumHits
        self.context = context
    }

    private var isDone: Bool { self.isGivenUp || self.hits >= self.maximumHits }

    mutating func run(_ segments: ArraySlice<TextSegment>, view: String) {
        for segment in segments where !self.isDone {
            let part = segment.part.map { self.context.views.subject.path(ofPart: $0) } ?? ""
            self.run(segment.bytes, view: view, part: part, offset: segment.offset)
        }
    }

    mutating func run(_ text: [UInt8], view: String, part: String, offset base: Int = 0) {
        guard self.context.budget.spend(text.count) else {
            self.isGivenUp = true
            return
        }
        var offset = 0
        var notEmpty = false
        while !self.isDone {
            switch self.context.matcher.search(self.pattern, in: text, from: offset, notEmpty: notEmpty) {
            case .noMatch: return
            case .limitExceeded, .failed: self.isGivenUp = true
            case .match(let range):
                self.hits += 1
                if self.locations.count < RuleTally.maximumPlaces {
                    let start = base + range.lowerBound
                    self.locations.append(MatchLocation(view: view, part: part, offset: start, text: printable(text[range])))
                }
                for (tag, group) in self.tags {
                    guard let found = self.context.matcher.capture(group), !found.isEmpty else { continue }
                    self.captures.append((tag, Array(text[found])))
                }
                offset = max(range.upperBound, offset)
                notEmpty = range.isEmpty
            }
        }
    }
}

extension [UInt8] {
    /// Whether a text stands in it, letters of ASCII in either case.
    fileprivate func hasCaseless(_ text: [UInt8]) -> Bool {
        guard let first = text.first?.lowercased, text.count <= self.count else { return text.isEmpty }
        var start = 0
        while start <= self.count - text.count {
            if self[start].lowercased == first {
                var length = 1
                while length < text.count, self[start + length].lowercased == text[length].lowercased { length += 1 }
                if length == text.count { return true }
            }
            start += 1
        }
        return false
    }
}
