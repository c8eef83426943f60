/// What TLS was agreed on with a peer.
package struct TLSFacts: Hashable, Sendable {
    /// `TLSv1.2`, `TLSv1.3`.
    package var version: String
    /// OpenSSL's name of the cipher suite.
    package var cipher: String
    /// The name the client asked for (SNI, RFC 6066 §3).
    package var serverName: String?
    /// The handshake took up an earlier session.
    package var resumed: Bool

    package init(version: String, cipher: String, serverName: String? = nil, resumed: Bool = false) {
        self.version = version
        self.cipher = cipher
        self.serverName = serverName
        self.resumed = resumed
    }
}

/// Who is talking to us: the connection's facts, after PROXY header and XCLIENT.
package struct ClientIdentity: Hashable, Sendable {
    package var address: IPAddress
    package var port: UInt16
    /// Our own end of the connection.
    package var localAddress: IPAddress
    package var localPort: UInt16
    /// The argument of EHLO or HELO as sent; nil before it.
    package var helo: String?
    /// ESMTP was spoken (EHLO).
    package var isExtended: Bool
    package var tls: TLSFacts?
    /// The client's verified host name, if a trusted proxy told us (XCLIENT NAME).
    package var reverseName: String?
    /// The login a trusted proxy told us (XCLIENT LOGIN).
    package var login: String?

    package init(
        address: IPAddress,
        port: UInt16 = 0,
        localAddress: IPAddress = .loopback4,
        localPort: UInt16 = 25,
        helo: String? = nil,
        isExtended: Bool = true,
        tls: TLSFacts? = nil,
        reverseName: String? = nil,
        login: String? = nil
    ) {
        self.address = address
        self.port = port
        self.localAddress = localAddress
        self.localPort = localPort
        self.helo = helo
        self.isExtended = isExtended
        self.tls = tls
        self.reverseName = reverseName
        self.login = login
    }

    /// The `with` clause of a Received field (RFC 3848, RFC 6531 §4.3): SMTP, ESMTP, ESMTPS, UTF8SMTP …
    package func protocolName(smtpUTF8: Bool) -> String {
        let base = smtpUTF8 ? "UTF8SMTP" : self.isExtended ? "ESMTP" : "SMTP"
        return self.isExtended && self.tls != nil ? base + "S" : base
    }
}

/// The BODY parameter of MAIL (RFC 6152).
package enum BodyType: String, Hashable, Sendable {
    case sevenBit = "7BIT"
    case eightBitMIME = "8BITMIME"
}

/// Parameters of MAIL that travel with the message.
package struct MailParameters: Hashable, Sendable {
    /// SIZE in octets (RFC 1870).
    package var size: Int?
    package var body: BodyType?
    /// RFC 6531.
    package var smtpUTF8: Bool
    /// RET and ENVID in the words of the client (RFC 3461 §4.3, §4.4).
    package var ret: String?
    package var envid: String?

    package init(size: Int? = nil, body: BodyType? = nil, smtpUTF8: Bool = false, ret: String? = nil, envid: String? = nil) {
        self.size = size
        self.body = body
        self.smtpUTF8 = smtpUTF8
        self.ret = ret
        self.envid = envid
    }
}

/// A recipient with its parameters of RCPT.
package struct Recipient: Hashable, Sendable {
    package var forwardPath: ForwardPath
    /// NOTIFY and ORCPT in the words of the client (RFC 3461 §4.1, §4.2).
    package var notify: String?
    package var orcpt: String?

    package init(_ forwardPath: ForwardPath, notify: String? = nil, orcpt: String? = nil) {
        self.forwardPath = forwardPath
        self.notify = notify
        self.orcpt = orcpt
    }
}

/// How an envelope came to be known.
package enum EnvelopeOrigin: Hashable, Sendable {
    /// The client sent it to `receiver`, the name of this host.
    case session(receiver: String)
    /// Somebody says who sends a message that was read from a file; which host it came from is not known.
    case stated
    /// The message was read from a file and there is nothing else: what the envelope says is filled in.
    case unknown
}

/// A message's envelope: who sends, from where, to whom.
package struct Envelope: Hashable, Sendable {
    package var origin: EnvelopeOrigin
    package var client: ClientIdentity
    package var reversePath: ReversePath
    package var parameters: MailParameters
    package var recipients: [Recipient]
    /// Who really sent the message, once that is known.
    package var authentication: AuthenticationFindings?
    /// What the DNS says of client, envelope and links, once that is known.
    package var reputation: ReputationFindings?
    /// What it answered to rules; nil: they have not asked.
    package var network: NetworkFindings?

    /// The host that the message came from; nil when nobody has seen it.
    package var connectedClient: ClientIdentity? {
        if case .session = self.origin { self.client } else { nil }
    }

    package init(
        origin: EnvelopeOrigin = .unknown,
        client: ClientIdentity,
        reversePath: ReversePath,
        parameters: MailParameters = MailParameters(),
        recipients: [Recipient] = []
    ) {
        self.origin = origin
        self.client = client
        self.reversePath = reversePath
        self.parameters = parameters
        self.recipients = recipients
    }
}

/// Names one transaction in replies, Received fields, the log and the quarantine.
///
/// Twelve characters of Crockford's base 32: nine count milliseconds (they sort by time until the year 3084), three are
/// a counter that the gateway starts at random.
package struct TransactionID: Hashable, Sendable, CustomStringConvertible {
    package let text: String

    package init(milliseconds: UInt64, sequence: UInt32) {
        let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)
        var bytes: [UInt8] = []
        for index in (0..<9).reversed() {
            bytes.append(alphabet[Int(milliseconds >> UInt64(5 * index) & 31)])
        }
        for index in (0..<3).reversed() {
            bytes.append(alphabet[Int(sequence >> UInt32(5 * index) & 31)])
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// Takes an id that was printed before; nil if it cannot be one (it becomes part of file names).
    package init?(_ text: some StringProtocol) {
        let allowed = text.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
        guard text.utf8.count == 12, allowed else { return nil }
        self.text = String(text)
    }

    package var description: String { self.text }
}
