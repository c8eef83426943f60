import Foundation
import MailTypes

/// A value that is written as `null` where there is none, so that a program finds every key in every object.
package struct OrNull<Value: Encodable & Sendable>: Encodable, Sendable {
    let value: Value?

    init(_ value: Value?) {
        self.value = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let value = self.value {
            try container.encode(value)
        } else {
            try container.encodeNil()
        }
    }
}

/// A line of a listing for programs. Keys may be added; none changes its meaning or goes.
package struct SummaryJSON: Encodable, Sendable {
    let id: String
    let kind: String
    let state: String
    let received: String
    let sender: String
    let recipients: [String]
    let from: String
    let subject: String
    let route: String
    let policy: String
    let reason: String
    let score: Double
    let rules: [String]
    let signatures: [String]
    let octets: Int
    let note: OrNull<String>
    let released: OrNull<String>
    let releasedBy: OrNull<String>
    let mayHaveBeenDelivered: Bool

    package init(_ summary: QuarantineSummary) {
        self.id = summary.id.text
        self.kind = summary.kind.rawValue
        self.state = summary.state.rawValue
        self.received = TimeText.utc(summary.received)
        self.sender = summary.sender
        self.recipients = summary.recipients
        self.from = summary.headerFrom
        self.subject = summary.subject
        self.route = summary.route
        self.policy = summary.policy
        self.reason = summary.reason
        self.score = summary.score
        self.rules = summary.rules
        self.signatures = summary.signatures
        self.octets = summary.octets
        self.note = OrNull(summary.note)
        self.released = OrNull(summary.released.map(TimeText.utc))
        self.releasedBy = OrNull(summary.releasedBy)
        self.mayHaveBeenDelivered = summary.mayHaveBeenDelivered
    }
}

/// All about one message for programs.
package struct EntryJSON: Encodable, Sendable {
    struct Client: Encodable, Sendable {
        let address: String
        let port: Int
        let helo: OrNull<String>
        let name: OrNull<String>
        let tls: OrNull<String>
    }

    struct Match: Encodable, Sendable {
        let view: String
        let part: String
        let offset: Int
        let text: String
    }

    struct RuleHit: Encodable, Sendable {
        let rule: String
        let score: Double
        let description: String
        let file: String
        let line: Int
        let matches: [Match]
    }

    struct Virus: Encodable, Sendable {
        let status: String
        let signature: OrNull<String>
        let reason: OrNull<String>
        let engine: OrNull<String>
    }

    struct Trail: Encodable, Sendable {
        let when: String
        let who: String
        let action: String
        let why: String
        let detail: String
    }

    let id: String
    let kind: String
    let state: String
    let received: String
    let sender: String
    let recipients: [String]
    let from: String
    let subject: String
    let route: String
    let policy: String
    let reason: String
    let score: Double
    let octets: Int
    let sha256: String
    let client: Client
    let hits: [RuleHit]
    let virus: Virus
    let heldBy: [String]
    let unchecked: [String]
    let note: OrNull<String>
    let released: OrNull<String>
    let releasedBy: OrNull<String>
    let mayHaveBeenDelivered: Bool
    let audit: [Trail]

    package init(_ entry: QuarantineEntry, audit: [AuditEntry]) {
        let record = entry.record
        self.id = record.id.text
        self.kind = record.kind.rawValue
        self.state = entry.state.rawValue
        self.received = TimeText.utc(record.received)
        self.sender = record.envelope.reversePath.description
        self.recipients = record.envelope.recipients.map(\.forwardPath.text)
        self.from = record.headerFrom
        self.subject = record.subject
        self.route = record.route
        self.policy = record.policy
        self.reason = record.reason
        self.score = record.score
        self.octets = record.octets
        self.sha256 = record.contentHash.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        self.client = Client(record.envelope.client)
        self.hits = record.hits.map(RuleHit.init)
        self.virus = Virus(record.scan)
        self.heldBy = record.heldBy
        self.unchecked = record.unchecked
        self.note = OrNull(entry.note)
        self.released = OrNull(entry.released.map(TimeText.utc))
        self.releasedBy = OrNull(entry.releasedBy)
        self.mayHaveBeenDelivered = entry.mayHaveBeenDelivered
        self.audit = audit.map {
            Trail(when: TimeText.utc($0.when), who: $0.who, action: $0.action.rawValue, why: $0.why, detail: $0.detail)
        }
    }
}

extension EntryJSON.Client {
    init(_ client: ClientIdentity) {
        self.init(
            address: client.address.description,
            port: Int(client.port),
            helo: OrNull(client.helo),
            name: OrNull(client.reverseName),
            tls: OrNull(client.tls.map { "\($0.version) \($0.cipher)" })
        )
    }
}

extension EntryJSON.RuleHit {
    init(_ hit: Hit) {
        self.init(
            rule: hit.rule,
            score: hit.score,
            description: hit.description,
            file: hit.file,
            line: hit.line,
            matches: hit.locations.map { EntryJSON.Match(view: $0.view, part: $0.part, offset: $0.offset, text: $0.text) }
        )
    }
}

extension EntryJSON.Virus {
    /// In the words of `outpost check --format json`.
    init(_ scan: ScanFindings) {
        let (status, signature, reason): (String, String?, String?) =
            switch scan.status {
            case .clean: ("clean", nil, nil)
            case .found(let names): ("infected", names.first, nil)
            case .notScanned(.timedOut): ("not_scanned", nil, "timed out")
            case .notScanned(.overloaded): ("not_scanned", nil, "too busy")
            case .notScanned(.failed(let detail)): ("not_scanned", nil, detail)
            case .off: ("not_scanned", nil, "off")
            }
        self.init(status: status, signature: OrNull(signature), reason: OrNull(reason), engine: OrNull(scan.engine))
    }
}

/// One object on one line, keys in the order of the alphabet. Control characters leave as escapes, so that a line is a
/// line whatever the message holds.
package func jsonLine(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let text = String(decoding: try encoder.encode(value), as: UTF8.self)
    // JSON lets DEL, the controls above it and the separators of lines stand as they are; a terminal may obey them, and a reader
    // begin a line.
    func isEscaped(_ scalar: Unicode.Scalar) -> Bool { scalar.value == 0x7f || scalar.isControlBeyondASCII }
    guard text.unicodeScalars.contains(where: isEscaped) else { return text }
    return text.unicodeScalars.map { scalar in
        isEscaped(scalar) ? "\\u" + (scalar.value < 0x100 ? "00" : "") + String(scalar.value, radix: 16) : String(scalar)
    }.joined()
}
