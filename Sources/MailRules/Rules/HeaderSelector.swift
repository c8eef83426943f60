import MailTypes

/// What of a header section a rule looks at: `Subject`, `From:addr`, `ALL:raw`, `ToCc`.
package struct HeaderSelector: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// The fields of that name, in lower case.
        case field(String)
        case all
        case toCc
        case messageID
        case envelopeFrom
    }

    package enum Extract: Hashable, Sendable {
        case value
        case addresses
        case names
    }

    package enum Choice: Hashable, Sendable {
        case every
        case first
        case last
    }

    package var source: Source
    package var extract: Extract = .value
    package var choice: Choice = .every
    /// As it stands in the message: encoded words and folding are left.
    package var isRaw = false

    package init(_ source: Source, extract: Extract = .value) {
        self.source = source
        self.extract = extract
    }

    /// Why a selector cannot be used.
    enum Failure: Error {
        case invalidName
        case unknownModifier(String)
        /// SpamAssassin knows it, we do not.
        case unavailable(String)
    }

    /// Reads `Name`, `Name:raw`, `Name:addr:first` ….
    init(_ text: String) throws(Failure) {
        var pieces = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let name = pieces.removeFirst()
        guard !name.isEmpty, name.utf8.allSatisfy({ $0.isWord || $0 == 0x2d || $0 == 0x2e }) else { throw .invalidName }
        self.source = try HeaderSelector.source(name)
        for piece in pieces where !piece.isEmpty {
            switch piece.lowercased() {
            case "raw": self.isRaw = true
            case "addr": self.extract = .addresses
            case "name": self.extract = .names
            case "first": self.choice = .first
            case "last": self.choice = .last
            case "host", "domain", "ip", "revip": throw .unavailable(":" + piece)
            default: throw .unknownModifier(piece)
            }
        }
    }

    private static func source(_ name: String) throws(Failure) -> Source {
        // These two are told from fields by their capitals, as in SpamAssassin.
        if name == "ALL" { return .all }
        if name == "MESSAGEID" { return .messageID }
        if name.hasPrefix("ALL-") { throw .unavailable(name) }
        switch name.lowercased() {
        case "tocc": return .toCc
        case "envelopefrom": return .envelopeFrom
        case let lower where lower.hasPrefix("x-spam-relays-"): throw .unavailable(name)
        case let lower: return .field(lower)
        }
    }
}

/// The text that header rules with one selector look at.
struct HeaderView {
    var bytes: [UInt8] = []
    /// Where each field's text starts.
    var starts: [Int] = []
    /// There is such a field.
    var exists = false

    mutating func append(_ text: [UInt8], lineEnd: Bool) {
        self.starts.append(self.bytes.count)
        self.bytes += text
        if lineEnd { self.bytes.append(0x0a) }
        self.exists = true
    }

    /// The offset within the field that `offset` lies in.
    func offsetInField(_ offset: Int) -> Int {
        offset - (self.starts.last { $0 <= offset } ?? 0)
    }
}

extension HeaderSelector {
    /// Names under which lists and forwarders keep the message's own id.
    private static let messageIDFields = ["x-message-id", "resent-message-id", "x-original-message-id", "message-id"]

    func view(of subject: some RuleSubject, envelope: Envelope) -> HeaderView {
        switch self.source {
        case .field(let name):
            return self.view(of: subject.fields(named: name), subject: subject)
        case .toCc:
            return self.view(of: subject.fields(named: "to") + subject.fields(named: "cc"), subject: subject)
        case .messageID:
            return self.view(of: HeaderSelector.messageIDFields.flatMap { subject.fields(named: $0) }, subject: subject)
        case .all:
            return self.viewOfAll(subject)
        case .envelopeFrom:
            var view = HeaderView()
            view.append(Array(envelope.reversePath.description.utf8), lineEnd: true)
            return view
        }
    }

    private func viewOfAll(_ subject: some RuleSubject) -> HeaderView {
        var view = HeaderView()
        for field in subject.allFields() {
            let separator: [UInt8] = self.isRaw ? [0x3a] : [0x3a, 0x20]
            view.append(field.name + separator + (self.isRaw ? field.raw : field.decoded), lineEnd: true)
        }
        return view
    }

    private func view(of fields: [SubjectField], subject: some RuleSubject) -> HeaderView {
        var view = HeaderView()
        for field in self.chosen(fields) {
            switch self.extract {
            case .value:
                view.append(self.isRaw ? field.raw : field.decoded, lineEnd: true)
            case .addresses:
                for entry in HeaderAddress.list(field.raw) where !entry.address.isEmpty {
                    HeaderSelector.add(entry.address, to: &view)
                }
            case .names:
                for entry in HeaderAddress.list(field.raw) where !entry.name.isEmpty {
                    HeaderSelector.add(
                        self.isRaw ? entry.name : HeaderSelector.tidy(subject.decodingWords(entry.name)),
                        to: &view
                    )
                }
            }
        }
        return view
    }

    /// Addresses and names stand on lines of their own, the last without a line end.
    private static func add(_ text: [UInt8], to view: inout HeaderView) {
        if view.exists { view.bytes.append(0x0a) }
        view.append(text, lineEnd: false)
    }

    private func chosen(_ fields: [SubjectField]) -> ArraySlice<SubjectField> {
        switch self.choice {
        case .every: fields[...]
        case .first: fields.prefix(1)
        case .last: fields.suffix(1)
        }
    }

    /// White space run together, and a pair of single quotes around the whole taken off.
    private static func tidy(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for byte in name {
            if !byte.isBlank {
                result.append(byte)
            } else if let last = result.last, last != 0x20 {
                result.append(0x20)
            }
        }
        if result.last == 0x20 { result.removeLast() }
        let quote = UInt8(ascii: "'")
        if result.count >= 2, result.first == quote, result.last == quote { return Array(result.dropFirst().dropLast()) }
        return result
    }
}
