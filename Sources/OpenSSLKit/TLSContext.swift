/// A certificate chain and its key, PEM files.
package struct CertificateFiles: Hashable, Sendable {
    package var certificate: String
    package var privateKey: String

    package init(certificate: String, privateKey: String) {
        self.certificate = certificate
        self.privateKey = privateKey
    }
}
