import COpenSSL

/// What a mail signature is made with (RFC 6376 §3.3, RFC 8463 §3).
package enum SignatureAlgorithm: Hashable, Sendable {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rsaSHA256
    /// Ed25519 over a SHA-256 digest.
    case ed25519SHA256
}

/// A public key of RSA or Ed25519.
///
/// `@unchecked Sendable`: the key is not changed behind its making, and OpenSSL lets many threads read one; it is freed once,
/// when the last owner is gone.
package final class VerificationKey: @unchecked Sendable {
    fileprivate let key: OpaquePointer
    package let algorithm: SignatureAlgorithm
    /// Bits of the modulus, or of the curve.
    package var bits: Int { Int(EVP_PKEY_get_bits(self.key)) }

    /// An RSA key in DER: a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), or the bare RSAPublicKey (RFC 8017 A.1.1), which some
    /// domains publish. nil if it is neither.
    package init?(rsa der: [UInt8]) {
        defer { ERR_clear_error() }
        let key = der.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var cursor = buffer.baseAddress
            if let key = d2i_PUBKEY(nil, &cursor, buffer.count) { return key }
            cursor = buffer.baseAddress
            return d2i_PublicKey(EVP_PKEY_RSA, nil, &cursor, buffer.count)
        }
        guard let key else { return nil }
        guard EVP_PKEY_is_a(key, "RSA") == 1 else {
            EVP_PKEY_free(key)
            return nil
        }
        self.key = key
        self.algorithm = .rsaSHA256
    }

    /// The 32 octets of an Ed25519 key (RFC 8032 §5.1.5); nil for any other count.
    package init?(ed25519 octets: [UInt8]) {
        defer { ERR_clear_error() }
        guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, octets, octets.count) else { return nil }
        self.key = key
        self.algorithm = .ed25519SHA256
    }

    deinit {
        EVP_PKEY_free(self.key)
    }

    /// Whether the signature is that of a text with this SHA-256 digest.
    package func verifies(_ signature: [UInt8], ofDigest digest: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        switch self.algorithm {
        case .rsaSHA256:
            guard let context = EVP_PKEY_CTX_new(self.key, nil) else { return false }
            defer { EVP_PKEY_CTX_free(context) }
            guard outpost_prepare_rsa_sha256(context, 0) == 1 else { return false }
            return EVP_PKEY_verify(context, signature, signature.count, digest, digest.count) == 1
        case .ed25519SHA256:
            guard let context = EVP_MD_CTX_new() else { return false }
            defer { EVP_MD_CTX_free(context) }
            guard EVP_DigestVerifyInit(context, nil, nil, nil, self.key) == 1 else { return false }
            return EVP_DigestVerify(context, signature, signature.count, digest, digest.count) == 1
        }
    }
}

/// A private key of RSA or Ed25519.
///
/// `@unchecked Sendable`: as `VerificationKey`.
package final class SigningKey: @unchecked Sendable {
    private let key: OpaquePointer
    package let algorithm: SignatureAlgorithm
    package var bits: Int { Int(EVP_PKEY_get_bits(self.key)) }

    /// A key in PEM without a passphrase; nil if it is none, or of another kind.
    package init?(pem: [UInt8]) {
        defer { ERR_clear_error() }
        guard let source = pem.withUnsafeBufferPointer({ BIO_new_mem_buf($0.baseAddress, Int32($0.count)) }) else { return nil }
        defer { BIO_free(source) }
        // A callback that gives no passphrase: OpenSSL would ask at the terminal.
        guard let key = PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in 0 }, nil) else { return nil }
        if EVP_PKEY_is_a(key, "RSA") == 1 {
            self.algorithm = .rsaSHA256
        } else if EVP_PKEY_is_a(key, "ED25519") == 1 {
            self.algorithm = .ed25519SHA256
        } else {
            EVP_PKEY_free(key)
            return nil
        }
        self.key = key
    }

    deinit {
        EVP_PKEY_free(self.key)
    }

    /// The 32 octets of an Ed25519 key's public half (RFC 8032 §5.1.5); nil for other keys.
    package var publicOctets: [UInt8]? {
        var octets = [UInt8](repeating: 0, count: 32)
        var count = octets.count
        guard EVP_PKEY_get_raw_public_key(self.key, &octets, &count) == 1 else {
            ERR_clear_error()
            return nil
        }
        return Array(octets.prefix(count))
    }

    /// The signature of a text with this SHA-256 digest; nil if OpenSSL cannot make one.
    package func sign(digest: [UInt8]) -> [UInt8]? {
        defer { ERR_clear_error() }
        var count = 0
        switch self.algorithm {
        case .rsaSHA256:
            guard let context = EVP_PKEY_CTX_new(self.key, nil) else { return nil }
            defer { EVP_PKEY_CTX_free(context) }
            guard outpost_prepare_rsa_sha256(context, 1) == 1 else { return nil }
            guard EVP_PKEY_sign(context, nil, &count, digest, digest.count) == 1 else { return nil }
            var signature = [UInt8](repeating: 0, count: count)
            guard EVP_PKEY_sign(context, &signature, &count, digest, digest.count) == 1 else { return nil }
            return Array(signature.prefix(count))
        case .ed25519SHA256:
            guard let context = EVP_MD_CTX_new() else { return nil }
            defer { EVP_MD_CTX_free(context) }
            guard EVP_DigestSignInit(context, nil, nil, nil, self.key) == 1 else { return nil }
            guard EVP_DigestSign(context, nil, &count, digest, digest.count) == 1 else { return nil }
            var signature = [UInt8](repeating: 0, count: count)
            guard EVP_DigestSign(context, &signature, &count, digest, digest.count) == 1 else { return nil }
            return Array(signature.prefix(count))
        }
    }
}
