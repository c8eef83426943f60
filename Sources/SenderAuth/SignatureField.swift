import OpenSSLKit

/// A header field that is being made, and at its end perhaps the signature over what stands before and over itself.
struct SignatureField {
    private var name: [UInt8]
    private var value: [UInt8]

    /// Characters of base64 in a line: a header line has at most 78 (RFC 5322 §2.1.1).
    private static let lineLength = 72

    init(_ name: String, _ value: String) {
        self.name = Array(name.utf8)
        self.value = Array(value.utf8)
    }

    func append(_ form: Canonicalization, to text: inout [UInt8]) {
        HeaderCanonicalization.append(name: self.name[...], value: self.value[...], form, to: &text)
    }

    /// Signs `text` and the field itself, in relaxed form, whose value ends in `b=`, and puts the signature there, folded.
    mutating func sign(behind text: [UInt8], with key: SigningKey) -> Bool {
        var text = text
        self.append(.relaxed, to: &text)
        text.removeLast(2)
        guard let signature = key.sign(digest: SHA256.hash(text)) else { return false }
        let encoded = Base64.encode(signature)
        for start in stride(from: 0, to: encoded.count, by: Self.lineLength) {
            if start > 0 { self.value += Array("\r\n\t ".utf8) }
            self.value += encoded[start..<min(start + Self.lineLength, encoded.count)]
        }
        return true
    }
}

extension SignatureAlgorithm {
    /// Its name in `a=` (RFC 6376 §3.3, RFC 8463 §3).
    var tag: String {
        switch self {
        case .rsaSHA256: "rsa-sha256"
        case .ed25519SHA256: "ed25519-sha256"
        }
    }
}
