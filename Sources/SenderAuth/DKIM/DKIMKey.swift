import OpenSSLKit

/// A published key (RFC 6376 §3.6.1).
struct DKIMKey: Sendable {
    /// Bits an RSA key must have (RFC 8301 §3.2).
    static let minimumRSABits = 1_024

    var key: VerificationKey
    /// Signatures must not be treated as those of a domain that signs (`t=y`).
    var isTesting = false
    /// `i=` must be in `d=` itself, not below it (`t=s`).
    var isStrict = false

    /// Why a record gives no key.
    enum Failure: Error, Hashable {
        /// `p=` is empty.
        case revoked
        /// It is not for this: another type, hash or service.
        case unsuitable(String)
        case malformed(String)
    }

    init(_ text: [UInt8], for signature: DKIMSignature) throws(Failure) {
        let tags: TagList
        do {
            tags = try TagList(text)
        } catch {
            throw .malformed(error.message)
        }
        if let version = tags.text("v"), version != "DKIM1" || tags.first != "v" { throw .malformed("v= is not DKIM1 in front") }
        guard let data = tags.compact("p") else { throw .malformed("p= is missing") }
        guard !data.isEmpty else { throw .revoked }
        let type = tags.text("k")?.lowercased() ?? "rsa"
        guard type == signature.algorithm.keyType else { throw .unsuitable("a key of type \(type)") }
        if let hashes = tags.list("h"), !hashes.contains("sha256") { throw .unsuitable("a key for other hashes") }
        if let services = tags.list("s"), !services.contains(where: { $0 == "*" || $0 == "email" }) {
            throw .unsuitable("a key for other services")
        }
        let flags = tags.list("t") ?? []
        self.isTesting = flags.contains("y")
        self.isStrict = flags.contains("s")
        guard let octets = Base64.decode(data) else { throw .malformed("p= is no base 64") }
        guard let key = type == "ed25519" ? VerificationKey(ed25519: octets) : VerificationKey(rsa: octets) else {
            throw .malformed("p= holds no \(type) key")
        }
        if type == "rsa", key.bits < Self.minimumRSABits { throw .unsuitable("an RSA key of only \(key.bits) bits") }
        self.key = key
    }
}
