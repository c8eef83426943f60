import MailTypes
import OpenSSLKit

/// User inbound events of a `TLSHandler`.
package enum TLSEvent: Hashable, Sendable {
    /// The handshake is done; from now on what is read and written is protected.
    case established(TLSFacts)
    /// The handshake failed; the connection is being closed. The text is for the log, not for the peer.
    case failed(String)
}

extension TLSFacts {
    init(_ agreement: TLSEngine.Agreement) {
        self.init(
            version: agreement.version,
            cipher: agreement.cipher,
            serverName: agreement.serverName,
            resumed: agreement.resumed
        )
    }
}
