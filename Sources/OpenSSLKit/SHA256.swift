import COpenSSL

/// SHA-256 (FIPS 180-4).
package enum SHA256 {
    /// Octets of a digest.
    package static let size = 32

    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        let hasher = SHA256Hasher()
        hasher.update(bytes)
        return hasher.finish()
    }

    /// Looked up once: the look-up costs more than the hash of a short text. It is never freed and OpenSSL's method
    /// objects may be used from any thread, which is why this need not be isolated.
    fileprivate nonisolated(unsafe) static let method: OpaquePointer = {
        guard let method = EVP_MD_fetch(nil, "SHA256", nil) else { preconditionFailure("OpenSSL has no SHA-256") }
        return method
    }()
}

/// SHA-256 of octets that come in pieces.
package final class SHA256Hasher {
    private let context: OpaquePointer

    package init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        self.context = context
        self.start()
    }

    deinit {
        EVP_MD_CTX_free(self.context)
    }

    package func update(_ bytes: [UInt8]) {
        self.update(bytes.span.bytes)
    }

    package func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { buffer in
            let updated = EVP_DigestUpdate(self.context, buffer.baseAddress, buffer.count)
            precondition(updated == 1, "SHA-256 takes any octets")
        }
    }

    /// The digest of everything given; the hasher is fresh afterwards.
    package func finish() -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: SHA256.size) { buffer, initialized in
            let finished = EVP_DigestFinal_ex(self.context, buffer.baseAddress, nil)
            precondition(finished == 1, "a started digest ends")
            initialized = SHA256.size
        }
        self.start()
        return digest
    }

    private func start() {
        let started = EVP_DigestInit_ex2(self.context, SHA256.method, nil)
        precondition(started == 1, "SHA-256 starts")
    }
}
