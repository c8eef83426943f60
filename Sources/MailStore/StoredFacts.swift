import Foundation
import MailTypes

/// The facts of a record that no query asks for, as they stand in the database: JSON. Fields may be added, never given
/// another meaning; what an older version wrote must stay readable.
struct StoredFacts: Codable {
    struct Address: Codable {
        var local: String
        var domain: String
        var text: String
    }

    struct Recipient: Codable {
        var address: Address
        var notify: String?
        var orcpt: String?
    }

    struct Client: Codable {
        var address: String
        var port: UInt16
        var localAddress: String
        var localPort: UInt16
        var helo: String?
        var extended: Bool
        var tlsVersion: String?
        var tlsCipher: String?
        var tlsName: String?
        var tlsResumed: Bool?
        var reverseName: String?
        var login: String?
    }

    struct Match: Codable {
        var view: String
        var part: String
        var offset: Int
        var text: String
    }

    struct RuleHit: Codable {
        var rule: String
        var score: Double
        var description: String
        var file: String
        var line: Int
        var matches: [Match]
        var action: String?
        var actionText: String?
    }

    struct Scan: Codable {
        /// `clean`, `found`, `timed out`, `failed`, `off`.
        var status: String
        var signatures: [String]
        var detail: String?
        var engine: String?
        var microseconds: Int
    }

    var client: Client
    /// nil is the null path.
    var reversePath: Address?
    var size: Int?
    var body: String?
    var smtpUTF8: Bool
    var ret: String?
    var envid: String?
    var recipients: [Recipient]
    var hits: [RuleHit]
    var scan: Scan
    var heldBy: [String]
    var has8Bit: Bool
    var unchecked: [String]
}

// MARK: - From the vocabulary

extension StoredFacts {
    init(_ record: QuarantineRecord) {
        let envelope = record.envelope
        self.client = Client(envelope.client)
        self.reversePath = envelope.reversePath.address.map(Address.init)
        self.size = envelope.parameters.size
        self.body = envelope.parameters.body?.rawValue
        self.smtpUTF8 = envelope.parameters.smtpUTF8
        self.ret = envelope.parameters.ret
        self.envid = envelope.parameters.envid
        self.recipients = envelope.recipients.map {
            Recipient(address: Address($0.forwardPath), notify: $0.notify, orcpt: $0.orcpt)
        }
        self.hits = record.hits.map(RuleHit.init)
        self.scan = Scan(record.scan)
        self.heldBy = record.heldBy
        self.has8Bit = record.has8Bit
        self.unchecked = record.unchecked
    }

    func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A rule file may give a score that is no number JSON knows.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return try encoder.encode(self)
    }
}

extension StoredFacts.Address {
    init(_ address: MailAddress) {
        self.init(local: address.localPart, domain: address.domain, text: address.text)
    }
}

extension StoredFacts.Client {
    init(_ client: ClientIdentity) {
        self.init(
            address: client.address.description,
            port: client.port,
            localAddress: client.localAddress.description,
            localPort: client.localPort,
            helo: client.helo,
            extended: client.isExtended,
            tlsVersion: client.tls?.version,
            tlsCipher: client.tls?.cipher,
            tlsName: client.tls?.serverName,
            tlsResumed: client.tls?.resumed,
            reverseName: client.reverseName,
            login: client.login
        )
    }
}

extension StoredFacts.RuleHit {
    init(_ hit: Hit) {
        let (action, text): (String?, String?) =
            switch hit.action {
            case nil: (nil, nil)
            case .tag: ("tag", nil)
            case .hold: ("hold", nil)
            case .reject(let text): ("reject", text)
            case .defer(let text): ("defer", text)
            case .discard: ("discard", nil)
            }
        self.init(
            rule: hit.rule,
            score: hit.score,
            description: hit.description,
            file: hit.file,
            line: hit.line,
            matches: hit.locations.map { StoredFacts.Match(view: $0.view, part: $0.part, offset: $0.offset, text: $0.text) },
            action: action,
            actionText: text
        )
    }
}

extension StoredFacts.Scan {
    init(_ scan: ScanFindings) {
        let (status, signatures, detail): (String, [String], String?) =
            switch scan.status {
            case .clean: ("clean", [], nil)
            case .found(let names): ("found", names, nil)
            case .notScanned(.timedOut): ("timed out", [], nil)
            case .notScanned(.overloaded): ("overloaded", [], nil)
            case .notScanned(.failed(let detail)): ("failed", [], detail)
            case .off: ("off", [], nil)
            }
        self.init(status: status, signatures: signatures, detail: detail, engine: scan.engine, microseconds: scan.microseconds)
    }
}

// MARK: - To the vocabulary

extension StoredFacts {
    static func decoded(_ data: Data) throws -> StoredFacts {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        return try decoder.decode(StoredFacts.self, from: data)
    }

    var envelope: Envelope {
        Envelope(
            client: self.client.identity,
            reversePath: self.reversePath.map { .mailbox($0.mailAddress) } ?? .null,
            parameters: MailParameters(
                size: self.size,
                body: self.body.flatMap(BodyType.init(rawValue:)),
                smtpUTF8: self.smtpUTF8,
                ret: self.ret,
                envid: self.envid
            ),
            recipients: self.recipients.map {
                MailTypes.Recipient($0.address.mailAddress, notify: $0.notify, orcpt: $0.orcpt)
            }
        )
    }
}

extension StoredFacts.Address {
    var mailAddress: MailAddress { MailAddress(localPart: self.local, domain: self.domain, text: self.text) }
}

extension StoredFacts.Client {
    var identity: ClientIdentity {
        let tls = self.tlsVersion.map {
            TLSFacts(version: $0, cipher: self.tlsCipher ?? "", serverName: self.tlsName, resumed: self.tlsResumed ?? false)
        }
        return ClientIdentity(
            address: IPAddress(self.address) ?? IPAddress(v4: 0),
            port: self.port,
            localAddress: IPAddress(self.localAddress) ?? IPAddress(v4: 0),
            localPort: self.localPort,
            helo: self.helo,
            isExtended: self.extended,
            tls: tls,
            reverseName: self.reverseName,
            login: self.login
        )
    }
}

extension StoredFacts.RuleHit {
    var hit: Hit {
        let action: RequestedAction? =
            switch self.action {
            case "tag": .tag
            case "hold": .hold
            case "reject": .reject(text: self.actionText)
            case "defer": .defer(text: self.actionText)
            case "discard": .discard
            default: nil
            }
        return Hit(
            rule: self.rule,
            score: self.score,
            description: self.description,
            file: self.file,
            line: self.line,
            locations: self.matches.map { MatchLocation(view: $0.view, part: $0.part, offset: $0.offset, text: $0.text) },
            action: action
        )
    }
}

extension StoredFacts.Scan {
    var findings: ScanFindings {
        let status: ScanFindings.Status =
            switch self.status {
            case "clean": .clean
            case "found": .found(self.signatures)
            case "timed out": .notScanned(.timedOut)
            case "overloaded": .notScanned(.overloaded)
            case "off": .off
            default: .notScanned(.failed(self.detail ?? self.status))
            }
        return ScanFindings(status: status, engine: self.engine, microseconds: self.microseconds)
    }
}
