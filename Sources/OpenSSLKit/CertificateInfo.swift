import COpenSSL
import Glibc

/// What a certificate says of itself.
package struct CertificateInfo: Hashable, Sendable {
    /// The DNS names it is for, lower case: the subject alternative names, or the common name where there are none
    /// (RFC 6125 §6.4.4).
    package var names: [String]
    /// When it stops being valid, seconds since 1970.
    package var notAfter: Int
    /// From when it is valid, seconds since 1970.
    package var notBefore: Int
    /// OpenSSL's number of the key's type: RSA, EC …
    let keyType: Int32

    /// The first certificate of a PEM file.
    package init(reading file: String) throws(TLSError) {
        try checkReadable(file)
        ERR_clear_error()
        guard let bio = BIO_new_file(file, "r") else { throw TLSError(queueFor: file, otherwise: "cannot be read") }
        defer { BIO_free(bio) }
        guard let certificate = PEM_read_bio_X509(bio, nil, refusePassphrase, nil) else {
            throw pemError(file, lacking: "certificate")
        }
        defer { X509_free(certificate) }
        self.init(certificate)
    }

    init(_ certificate: OpaquePointer) {
        self.names = Self.names(of: certificate)
        self.notBefore = Self.seconds(X509_get0_notBefore(certificate))
        self.notAfter = Self.seconds(X509_get0_notAfter(certificate))
        self.keyType = X509_get0_pubkey(certificate).map { EVP_PKEY_get_base_id($0) } ?? 0
    }

    private static func names(of certificate: OpaquePointer) -> [String] {
        var names: [String] = []
        if let all = outpost_alternative_names(certificate) {
            defer { GENERAL_NAMES_free(all) }
            for index in 0..<outpost_general_names_count(all) {
                if let name = outpost_general_names_dns(all, index).flatMap(self.text) {
                    names.append(name)
                }
            }
        }
        if names.isEmpty, let name = outpost_common_name(certificate).flatMap(self.text) {
            names.append(name)
        }
        return names
    }

    /// Lower case; nil for a name that is no plain text (a NUL in a name is an old trick to match a shorter one).
    private static func text(_ string: UnsafePointer<ASN1_STRING>) -> String? {
        guard let start = ASN1_STRING_get0_data(string) else { return nil }
        let bytes = UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(string)))
        guard !bytes.isEmpty, bytes.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
        return String(decoding: bytes, as: UTF8.self).lowercased()
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return timegm(&parts)
    }
}

/// Opening a file tells more plainly than OpenSSL why it cannot be read.
func checkReadable(_ file: String) throws(TLSError) {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw TLSError(file: file, String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw TLSError(file: file, String(cString: strerror(errno))) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw TLSError(file: file, "is a directory") }
}

/// Reads the error queue after a PEM file was refused.
func pemError(_ file: String, lacking what: String) -> TLSError {
    if outpost_error_is_no_start_line(ERR_peek_last_error()) != 0 {
        ERR_clear_error()
        return TLSError(file: file, "holds no \(what) in PEM form")
    }
    return TLSError(queueFor: file, otherwise: "holds no \(what) in PEM form")
}

/// A daemon has nobody to ask; without this OpenSSL would ask on the terminal.
let refusePassphrase: @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = {
    _,
    _,
    _,
    _ in
    -1
}
