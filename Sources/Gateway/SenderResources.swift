import DNSClient
import Foundation
import MailTypes
import OpenSSLKit
import SenderAuth

/// What sender authentication needs from outside: a resolver, the list of public suffixes, the key for seals. Made when a
/// configuration is read, so that what is wrong is told then.
package struct SenderResources: Sendable {
    package var resolver: (any DNSResolver)?
    package var publicSuffixes: PublicSuffixList
    package var sealingKey: SigningKey?
    /// Signs reports of DMARC.
    package var reportKey: SigningKey?
    /// What a reader of the log should know: nothing is wrong enough not to start.
    package var warnings: [String] = []

    /// Nothing: nobody is asked who sends.
    package init() {
        self.publicSuffixes = PublicSuffixList()
    }

    package init(_ configuration: GatewayConfiguration) throws {
        self.init()
        guard configuration.asksDNS else { return }
        self.resolver = try DNSClient(
            DNSClient.Configuration(
                servers: configuration.dnsServers,
                trustAnchor: configuration.dnsTrustAnchor,
                timeoutMilliseconds: configuration.dnsTimeoutMilliseconds
            )
        )
        guard configuration.authentication.isEnabled else { return }
        let file = configuration.authentication.publicSuffixList
        if let data = FileManager.default.contents(atPath: file) {
            self.publicSuffixes = PublicSuffixList([UInt8](data))
        } else if !configuration.authentication.usesTreeWalk {
            self.warnings.append(
                "\(file): the list of public suffixes cannot be read; DMARC takes the last two labels for an owner's domain"
            )
        }
        self.sealingKey = try configuration.authentication.seal.map { try Self.key($0, to: "seal") }
        self.reportKey = try configuration.dmarcReports.signing.map { try Self.key($0, to: "sign reports") }
    }

    private static func key(_ identity: GatewayConfiguration.SigningIdentity, to purpose: String) throws -> SigningKey {
        guard let pem = FileManager.default.contents(atPath: identity.privateKey), let key = SigningKey(pem: [UInt8](pem)) else {
            throw Gateway.StartError(
                "\(identity.privateKey): there is no RSA or Ed25519 key in PEM without a passphrase to \(purpose) with"
            )
        }
        return key
    }
}
