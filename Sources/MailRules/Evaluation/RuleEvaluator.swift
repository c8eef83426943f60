import MailMessage
import MailTypes
import PatternKit

/// Runs a rule set over messages, one after the other; keeps its working memory. For one thread at a time.
package final class RuleEvaluator {
    package let ruleSet: RuleSet

    private let matcher: PatternMatcher
    /// The value of every rule: how often it hit; for a meta what its expression gave.
    private var values: [Double]
    /// Rules that are left alone on this message: skipped ones, and those that blew their limits.
    private var isOff: [Bool]
    private var suspended: [Int] = []
    private var locations: [Int: [MatchLocation]] = [:]
    private var stack: [Double] = []

    /// Places of one hit that are told; the first ones say what a reader wants to know.
    static let maximumLocations = 5

    package init(ruleSet: RuleSet, limits: PatternLimits = PatternLimits()) {
        self.ruleSet = ruleSet
        self.matcher = PatternMatcher(limits: limits)
        self.values = Array(repeating: 0, count: ruleSet.ruleCount)
        self.isOff = Array(repeating: false, count: ruleSet.ruleCount)
    }

    /// What the rules find in a message.
    /// - Parameters:
    ///   - skipping: names of rules that do not count this time.
    ///   - isTimeUp: asked between patterns; once it says yes, what was found so far is returned as `.timedOut`.
    package func evaluate(
        _ text: MessageText,
        envelope: Envelope,
        skipping: Set<String> = [],
        isTimeUp: () -> Bool = { false }
    ) -> RuleFindings {
        let functions = EvalContext(text: text, envelope: envelope, settings: self.ruleSet.settings, matcher: self.matcher)
        return self.evaluate(
            functions.subject,
            envelope: envelope,
            functions: functions,
            skipping: skipping,
            isTimeUp: isTimeUp
        )
    }

    /// The same for any source of views. Functions look at whole messages and do not run here.
    package func evaluate(
        _ subject: some RuleSubject,
        envelope: Envelope,
        skipping: Set<String> = [],
        isTimeUp: () -> Bool = { false }
    ) -> RuleFindings {
        self.evaluate(subject, envelope: envelope, functions: nil, skipping: skipping, isTimeUp: isTimeUp)
    }

    private func evaluate(
        _ subject: some RuleSubject,
        envelope: Envelope,
        functions: EvalContext?,
        skipping: Set<String>,
        isTimeUp: () -> Bool
    ) -> RuleFindings {
        self.reset(skipping: skipping)
        let isWhole = self.runPatterns(subject, envelope, isTimeUp) && self.runFunctions(functions, isTimeUp)
        if isWhole { self.runMetas() }
        return self.findings(isWhole: isWhole)
    }

    private func reset(skipping: Set<String>) {
        for index in self.values.indices {
            self.values[index] = 0
            self.isOff[index] = false
        }
        for name in skipping { if let index = self.ruleSet.indices[name] { self.isOff[index] = true } }
        self.suspended.removeAll(keepingCapacity: true)
        self.locations.removeAll(keepingCapacity: true)
    }

    // MARK: - Patterns

    /// - Returns: false if the time was up before all was done.
    private func runPatterns(_ subject: some RuleSubject, _ envelope: Envelope, _ isTimeUp: () -> Bool) -> Bool {
        self.runHeaders(subject, envelope, isTimeUp)
            && self.runSegments(subject, isTimeUp)
            && self.runLinks(subject, isTimeUp)
            && self.runFull(subject, isTimeUp)
            && self.runParts(subject, isTimeUp)
            && self.runEnvelope(envelope, isTimeUp)
    }

    private func runHeaders(_ subject: some RuleSubject, _ envelope: Envelope, _ isTimeUp: () -> Bool) -> Bool {
        for (selector, rules) in self.ruleSet.headerGroups {
            let view = selector.view(of: subject, envelope: envelope)
            for index in rules where !self.isOff[index] {
                if isTimeUp() { return false }
                switch self.ruleSet.rules[index].test {
                case .headerExists:
                    if view.exists { self.values[index] = 1 }
                case .header(_, let match):
                    let text = view.exists ? view.bytes : match.ifUnset
                    self.test(index, match, in: text) { range in
                        self.location("header", "", view.offsetInField(range.lowerBound), text[range])
                    }
                default:
                    continue
                }
            }
        }
        return true
    }

    private func runSegments(_ subject: some RuleSubject, _ isTimeUp: () -> Bool) -> Bool {
        let body = self.ruleSet.rules(of: .body)
        if !body.isEmpty {
            let segments = subject.bodySegments()
            for index in body where !self.isOff[index] {
                guard case .body(let pattern) = self.ruleSet.rules[index].test else { continue }
                if isTimeUp() { return false }
                self.search(index, pattern, segments: segments, view: "body", subject)
            }
        }
        let rawBody = self.ruleSet.rules(of: .rawBody)
        if !rawBody.isEmpty {
            let segments = subject.rawBodySegments()
            for index in rawBody where !self.isOff[index] {
                guard case .rawBody(let pattern) = self.ruleSet.rules[index].test else { continue }
                if isTimeUp() { return false }
                self.search(index, pattern, segments: segments, view: "rawbody", subject)
            }
        }
        return true
    }

    private func search(_ index: Int, _ pattern: Pattern, segments: [TextSegment], view: String, _ subject: some RuleSubject) {
        let skipsSubject = view == "body" && self.ruleSet.rules[index].skipsSubject
        for (number, segment) in segments.enumerated() {
            if skipsSubject, number == 0, segment.part == nil { continue }
            let goesOn = self.search(index, pattern, in: segment.bytes) { range in
                let part = segment.part.map { subject.path(ofPart: $0) } ?? ""
                return self.location(view, part, segment.offset + range.lowerBound, segment.bytes[range])
            }
            if !goesOn { return }
        }
    }

    private func runLinks(_ subject: some RuleSubject, _ isTimeUp: () -> Bool) -> Bool {
        let rules = self.ruleSet.rules(of: .uri)
        guard !rules.isEmpty else { return true }
        let links = subject.links()
        for index in rules where !self.isOff[index] {
            guard case .uri(let pattern) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            for link in links {
                let goesOn = self.search(index, pattern, in: link.bytes) { _ in
                    self.location("uri", subject.path(ofPart: link.part), link.offset, link.bytes[...])
                }
                if !goesOn { break }
            }
        }
        return true
    }

    private func runFull(_ subject: some RuleSubject, _ isTimeUp: () -> Bool) -> Bool {
        let rules = self.ruleSet.rules(of: .full)
        guard !rules.isEmpty else { return true }
        let text = subject.fullText()
        for index in rules where !self.isOff[index] {
            guard case .full(let pattern) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            _ = self.search(index, pattern, in: text) { range in
                self.location("full", "", range.lowerBound, text[range])
            }
        }
        return true
    }

    private func runParts(_ subject: some RuleSubject, _ isTimeUp: () -> Bool) -> Bool {
        let headers = self.ruleSet.rules(of: .mimeHeader)
        let attachments = self.ruleSet.rules(of: .attachment)
        guard !headers.isEmpty || !attachments.isEmpty else { return true }
        let parts = subject.mimeParts()
        for index in headers where !self.isOff[index] {
            guard case .mimeHeader(let selector, let match) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            self.testMIMEHeader(index, selector, match, parts: parts)
        }
        for index in attachments where !self.isOff[index] {
            guard case .attachment(let field, let match) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            self.testAttachments(index, field, match, parts: parts)
        }
        return true
    }

    /// The first part that matches counts; negated, the rule hits when no part matches.
    private func testMIMEHeader(_ index: Int, _ selector: HeaderSelector, _ match: HeaderMatch, parts: [SubjectPart]) {
        for part in parts {
            let text = selector.text(ofPart: part) ?? match.ifUnset
            if match.isNegated {
                switch self.matcher.search(match.pattern, in: text) {
                case .match: return
                case .noMatch: continue
                case .limitExceeded, .failed: return self.suspend(index)
                }
            }
            _ = self.search(index, match.pattern, in: text) { range in
                self.location("mimeheader", part.path, range.lowerBound, text[range])
            }
            if self.values[index] > 0 || self.isOff[index] { return }
        }
        if match.isNegated { self.values[index] = 1 }
    }

    private func testAttachments(_ index: Int, _ field: AttachmentField, _ match: HeaderMatch, parts: [SubjectPart]) {
        for part in parts where part.isAttachment {
            let text: [UInt8]
            switch field {
            case .name:
                guard let name = part.fileName else { continue }
                text = Array(name.utf8)
            case .type: text = Array(part.type.utf8)
            }
            self.test(index, match, in: text) { range in
                self.location("attachment", part.path, range.lowerBound, text[range])
            }
            if self.isOff[index] || self.isDone(index) { return }
        }
    }

    private func runEnvelope(_ envelope: Envelope, _ isTimeUp: () -> Bool) -> Bool {
        for index in self.ruleSet.rules(of: .envelope) where !self.isOff[index] {
            guard case .envelope(let field, let match) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            let text = field.text(of: envelope)
            self.test(index, match, in: text) { range in
                self.location("envelope", "", range.lowerBound, text[range])
            }
        }
        return true
    }

    private func runFunctions(_ context: EvalContext?, _ isTimeUp: () -> Bool) -> Bool {
        guard let context else { return true }
        for index in self.ruleSet.functions where !self.isOff[index] {
            guard case .function(_, let call) = self.ruleSet.rules[index].test else { continue }
            if isTimeUp() { return false }
            let outcome = call.test(context)
            guard outcome.hits > 0 else { continue }
            self.values[index] = Double(outcome.hits)
            if !outcome.locations.isEmpty {
                self.locations[index] = Array(outcome.locations.prefix(RuleEvaluator.maximumLocations))
            }
        }
        return true
    }

    // MARK: - One pattern

    private func isDone(_ index: Int) -> Bool {
        Int(self.values[index]) >= self.ruleSet.rules[index].maximumHits
    }

    /// `=~` or `!~` on one text.
    private func test(_ index: Int, _ match: HeaderMatch, in text: [UInt8], at location: (Range<Int>) -> MatchLocation) {
        guard match.isNegated else {
            _ = self.search(index, match.pattern, in: text, at: location)
            return
        }
        switch self.matcher.search(match.pattern, in: text) {
        case .match: break
        case .noMatch: self.values[index] = 1
        case .limitExceeded, .failed: self.suspend(index)
        }
    }

    /// Counts matches in one text.
    /// - Returns: whether the rule wants to see more texts.
    private func search(_ index: Int, _ pattern: Pattern, in text: [UInt8], at location: (Range<Int>) -> MatchLocation) -> Bool {
        var offset = 0
        var notEmpty = false
        while true {
            switch self.matcher.search(pattern, in: text, from: offset, notEmpty: notEmpty) {
            case .noMatch:
                return true
            case .limitExceeded, .failed:
                self.suspend(index)
                return false
            case .match(let range):
                self.values[index] += 1
                if self.locations[index, default: []].count < RuleEvaluator.maximumLocations {
                    self.locations[index, default: []].append(location(range))
                }
                if self.isDone(index) { return false }
                offset = max(range.upperBound, offset)
                notEmpty = range.isEmpty
            }
        }
    }

    private func suspend(_ index: Int) {
        self.isOff[index] = true
        self.values[index] = 0
        self.locations[index] = nil
        self.suspended.append(index)
    }

    private func location(_ view: String, _ part: String, _ offset: Int, _ text: ArraySlice<UInt8>) -> MatchLocation {
        MatchLocation(view: view, part: part, offset: offset, text: printable(text))
    }

    // MARK: - Metas

    private func runMetas() {
        for index in self.ruleSet.metaOrder where !self.isOff[index] {
            guard case .meta(let expression) = self.ruleSet.rules[index].test else { continue }
            let references = self.ruleSet.metaReferences[index] ?? []
            let value = expression.evaluate(stack: &self.stack) { name in
                references[name].map { self.values[$0] } ?? 0
            }
            guard value != 0 else { continue }
            // A hit is at least one hit, also for an expression below zero.
            self.values[index] = value > 0 ? value : 1
            self.locations[index] = self.locations(of: references)
        }
    }

    /// A meta points to the first place of each rule it asks for.
    private func locations(of references: [Int?]) -> [MatchLocation]? {
        var found: [MatchLocation] = []
        for case let index? in references where self.values[index] != 0 {
            guard let first = self.locations[index]?.first, !found.contains(first) else { continue }
            found.append(first)
        }
        return found.isEmpty ? nil : Array(found.prefix(RuleEvaluator.maximumLocations))
    }

    // MARK: - Findings

    private func findings(isWhole: Bool) -> RuleFindings {
        var findings = RuleFindings()
        for (index, rule) in self.ruleSet.rules.enumerated() where self.values[index] != 0 {
            if rule.isSubrule {
                findings.subhits.append(rule.name)
                // An action on a subrule is a hit that asks for something and scores nothing.
                if rule.action == nil { continue }
            }
            findings.hits.append(self.hit(index, rule))
        }
        findings.suspended = self.suspended.sorted().map { self.ruleSet.rules[$0].name }
        findings.failure = isWhole ? nil : .timedOut
        return findings
    }

    private func hit(_ index: Int, _ rule: Rule) -> Hit {
        // SpamAssassin adds the score once for every hit of `tflags multiple`.
        let times = rule.kind != .meta && rule.isMultiple ? self.values[index] : 1
        return Hit(
            rule: rule.name,
            score: rule.isSubrule ? 0 : rule.score * times,
            description: rule.description,
            file: rule.file,
            line: rule.line,
            locations: self.locations[index] ?? [],
            action: rule.action
        )
    }
}

/// Octets of a match that a listing shows.
private let maximumExcerpt = 60

/// The start of a match, fit for a terminal: no control characters, valid UTF-8.
private func printable(_ bytes: ArraySlice<UInt8>) -> String {
    var cut = bytes.prefix(maximumExcerpt)
    if cut.count < bytes.count {
        // Not into the middle of a UTF-8 sequence.
        while let last = cut.last, last & 0xc0 == 0x80 { cut.removeLast() }
        if let last = cut.last, last >= 0xc0 { cut.removeLast() }
    }
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: cut, as: UTF8.self).unicodeScalars {
        let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        // Controls of direction could make a listing lie.
        let isBidirectional = (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
        text.append(isControl || isBidirectional ? " " : scalar)
    }
    return String(text) + (cut.count < bytes.count ? "…" : "")
}

extension EnvelopeField {
    func text(of envelope: Envelope) -> [UInt8] {
        switch self {
        case .client: Array(envelope.client.address.description.utf8)
        case .helo: Array((envelope.client.helo ?? "").utf8)
        case .sender: Array(envelope.reversePath.description.utf8)
        case .recipients: Array(envelope.recipients.map(\.forwardPath.text).joined(separator: "\n").utf8)
        case .tls: Array((envelope.client.tls.map { $0.version + " " + $0.cipher } ?? "").utf8)
        }
    }
}

extension HeaderSelector {
    /// What a `mimeheader` rule looks at in one part: of several fields of a name the last; nil if there is none.
    func text(ofPart part: SubjectPart) -> [UInt8]? {
        switch self.source {
        case .field(let name):
            let field = part.fields.last {
                $0.name.count == name.utf8.count && $0.name.lazy.map(\.lowercased).elementsEqual(name.utf8)
            }
            return field.map { (self.isRaw ? $0.raw : $0.decoded) + [0x0a] }
        case .all:
            let separator: [UInt8] = self.isRaw ? [0x3a] : [0x3a, 0x20]
            return part.fields.flatMap { $0.name + separator + (self.isRaw ? $0.raw : $0.decoded) + [0x0a] }
        case .toCc, .messageID, .envelopeFrom, .allOf, .relays:
            return nil
        }
    }
}
