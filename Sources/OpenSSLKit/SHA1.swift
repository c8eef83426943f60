import COpenSSL

/// SHA-1 (FIPS 180-4), where lists in the DNS are asked for texts by it. It protects nothing there.
package enum SHA1 {
    /// Octets of a digest.
    package static let size = 20

    /// - Returns: nil where the system's OpenSSL does not offer it.
    package static func hash(_ bytes: [UInt8]) -> [UInt8]? {
        var isHashed = false
        let digest = [UInt8](unsafeUninitializedCapacity: SHA1.size) { buffer, initialized in
            let octets = bytes.span.bytes
            isHashed = octets.withUnsafeBytes { input in
                EVP_Q_digest(nil, "SHA1", nil, input.baseAddress, input.count, buffer.baseAddress, nil) == 1
            }
            initialized = isHashed ? SHA1.size : 0
        }
        return isHashed ? digest : nil
    }
}
