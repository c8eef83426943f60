import MailMessage
import MailTypes
import PatternKit

/// Rules that look at MIME parts and at the envelope. Each step returns false if the time was up before it was done.
extension RuleEvaluator {
    func runMIMEHeaders(_ groups: [HeaderGroup], _ views: MessageViews, _ budget: EvaluationBudget) -> Bool {
        guard !groups.isEmpty else { return true }
        guard budget.look() else { return false }
        for group in groups {
            let texts = views.partHeaders.map { group.selector.text(of: $0) }
            let scanned = texts.lazy.map { $0 ?? [] }
            guard self.finder.scan(scanned, forGroup: group.patterns.group, budget) else { return false }
            for rule in group.patterns.rules where !self.tally.isOff(rule.index) {
                guard self.testMIMEHeader(rule, texts, views, budget) else { return false }
            }
        }
        return true
    }

    /// The first part that matches counts; negated, the rule hits when no part matches.
    private func testMIMEHeader(
        _ rule: PatternRule,
        _ texts: [[UInt8]?],
        _ views: MessageViews,
        _ budget: EvaluationBudget
    ) -> Bool {
        var candidates = self.finder.texts(for: rule)
        for (number, text) in texts.enumerated() {
            let isCandidate = candidates.map { $0.first == number } ?? true
            if candidates?.first == number { candidates?.removeFirst() }
            // What stands in for a field that is not there was not scanned.
            if !isCandidate, text != nil || rule.ifUnset.isEmpty { continue }
            let text = text ?? rule.ifUnset
            guard budget.spend(text.count) else { return false }
            if rule.isNegated {
                switch self.matcher.search(rule.pattern, in: text) {
                case .match: return true
                case .noMatch: continue
                case .limitExceeded, .failed:
                    self.suspend(rule.index)
                    return true
                }
            }
            _ = self.search(rule, in: text) { self.told("mimeheader", views.partHeaders[number].path, $0, text) }
            if self.tally.values[rule.index] > 0 || self.tally.isOff(rule.index) { return true }
        }
        if rule.isNegated { self.hit(rule.index, []) }
        return true
    }

    func runAttachments(
        _ rules: [(field: AttachmentField, rule: PatternRule)],
        _ views: MessageViews,
        _ budget: EvaluationBudget
    ) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        let attachments = views.parts.enumerated().filter { $0.element.isAttachment }
        // Made once for all rules, and only where one looks inside.
        let looksInside = rules.contains { $0.field.looksInside && !self.tally.isOff($0.rule.index) }
        let contents = looksInside ? attachments.map { views.attachmentContent(ofPart: $0.offset) } : []
        for content in contents { _ = budget.spend(content?.members.count ?? 0) }
        for (field, rule) in rules where !self.tally.isOff(rule.index) {
            search: for (number, attachment) in attachments.enumerated() {
                let part = attachment.element
                for text in field.texts(of: part, contents.isEmpty ? nil : contents[number]) {
                    guard budget.spend(text.count) else { return false }
                    self.test(rule, in: text) { self.told("attachment", part.path, $0, text) }
                    if self.tally.isOff(rule.index) || self.isDone(rule) { break search }
                }
            }
        }
        return true
    }

    func runEnvelope(
        _ rules: [(field: EnvelopeField, rule: PatternRule)],
        _ views: MessageViews,
        _ budget: EvaluationBudget
    ) -> Bool {
        guard !rules.isEmpty else { return true }
        guard budget.look() else { return false }
        for (field, rule) in rules where !self.tally.isOff(rule.index) {
            let text = field.text(of: views.envelope)
            guard budget.spend(text.count) else { return false }
            self.test(rule, in: text) { self.told("envelope", "", $0, text) }
        }
        return true
    }
}

extension AttachmentField {
    func texts(of part: SubjectPart, _ content: AttachmentContent?) -> [[UInt8]] {
        switch self {
        case .name:
            return part.names.map { Array($0.utf8) }
        case .extension:
            return part.names.compactMap { name in
                name.lastIndex(of: ".").map { Array(name[name.index(after: $0)...].lowercased().utf8) }
            }
        case .type:
            return [Array(part.type.utf8)]
        case .content:
            return content?.kind.map { [Array($0.utf8)] } ?? []
        case .member:
            return content?.members.map(\.path) ?? []
        case .memberContent:
            return content?.members.compactMap { $0.kind.map { Array($0.utf8) } } ?? []
        case .archive:
            guard let content else { return [] }
            let words = (content.isEncrypted ? ["encrypted"] : []) + (content.isCut ? ["cut"] : [])
            return words.isEmpty ? [] : [Array(words.joined(separator: " ").utf8)]
        }
    }
}

extension EnvelopeField {
    func text(of envelope: Envelope) -> [UInt8] {
        switch self {
        case .client: Array(envelope.client.address.description.utf8)
        case .helo: Array((envelope.client.helo ?? "").utf8)
        case .sender: Array(envelope.reversePath.description.utf8)
        case .recipients: Array(envelope.recipients.map(\.forwardPath.text).joined(separator: "\n").utf8)
        case .tls: Array((envelope.client.tls.map { $0.version + " " + $0.cipher } ?? "").utf8)
        case .authentication: Array((envelope.authentication?.summary ?? "").utf8)
        }
    }
}

extension HeaderSelector {
    /// What a `mimeheader` rule looks at in one part: of several fields of a name the last; nil if there is none.
    /// Raw, a field that is not there is empty.
    func text(of part: PartHeader) -> [UInt8]? {
        switch self.source {
        case .field(let name):
            let field = part.fields.last { $0.name.isCaseless(name.octets) }
            guard let field else { return self.isRaw ? [] : nil }
            return (self.isRaw ? field.raw : field.decoded) + [0x0a]
        case .all:
            return part.fields.flatMap { field in
                field.name + [0x3a, 0x20] + (self.isRaw ? Self.unfolded(field.raw) : field.decoded) + [0x0a]
            }
        case .toCc, .messageID, .envelopeFrom, .allOf, .relays:
            return nil
        }
    }
}
