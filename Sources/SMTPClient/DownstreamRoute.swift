import NIOCore
import SMTPCore

/// A host that mail is handed to.
package struct DownstreamHost: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an address.
    package var name: String
    package var port: UInt16

    package init(name: String, port: UInt16 = 25) {
        self.name = name
        self.port = port
    }

    package var description: String { self.name.contains(":") ? "[\(self.name)]:\(self.port)" : "\(self.name):\(self.port)" }
}

package enum DownstreamTLS: String, Hashable, Sendable, CaseIterable {
    case none
    /// When offered, and without looking at the certificate: it keeps listeners out, not impostors.
    case opportunistic
    /// With a certificate for the configured host name, or nothing is sent.
    case required
}

/// Where the mail of some domains goes, and how. Equal routes share their connections.
package struct DownstreamRoute: Hashable, Sendable {
    /// In order; the next is tried when one does not answer.
    package var hosts: [DownstreamHost]
    package var tls: DownstreamTLS
    /// A PEM file; nil for the system's.
    package var certificateAuthorities: String?
    package var sendsXCLIENT: Bool
    /// In this process, over all event loops. 20: most servers allow 50 or 100 of one client.
    package var maxConnections: Int
    /// An unused connection is kept for so long. 30: servers close theirs after some minutes.
    package var idleSeconds: Int
    /// A transaction whose client has said nothing for so long gives its connection up to one that waits: a client that
    /// drips its message must not hold what others need. What it said is said again when its message is here.
    package var restMilliseconds: Int
    /// To open a connection to one host, and to wait for a free one of the cap.
    package var connectSeconds: Int
    /// For each reply but the last. A client that waits on us gives up after 5 minutes (RFC 5321 §4.5.3.2).
    package var replySeconds: Int
    /// For the reply to the end of the message: RFC 5321 §4.5.3.2.6 says 10 minutes, and our client's own 10 have begun.
    package var finalReplySeconds: Int
    package var heloName: String

    package init(
        hosts: [DownstreamHost],
        tls: DownstreamTLS = .none,
        certificateAuthorities: String? = nil,
        sendsXCLIENT: Bool = false,
        maxConnections: Int = 20,
        idleSeconds: Int = 30,
        restMilliseconds: Int = 2_000,
        connectSeconds: Int = 10,
        replySeconds: Int = 60,
        finalReplySeconds: Int = 300,
        heloName: String
    ) {
        self.hosts = hosts
        self.tls = tls
        self.certificateAuthorities = certificateAuthorities
        self.sendsXCLIENT = sendsXCLIENT
        self.maxConnections = maxConnections
        self.idleSeconds = idleSeconds
        self.restMilliseconds = restMilliseconds
        self.connectSeconds = connectSeconds
        self.replySeconds = replySeconds
        self.finalReplySeconds = finalReplySeconds
        self.heloName = heloName
    }
}
