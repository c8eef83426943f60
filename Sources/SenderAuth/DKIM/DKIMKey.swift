import OpenSSLKit
import Synchronization

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
        guard let key = KeyMemory.shared.key(octets, isEd25519: type == "ed25519") else {
            throw .malformed("p= holds no \(type) key")
        }
        if type == "rsa", key.bits < Self.minimumRSABits { throw .unsuitable("an RSA key of only \(key.bits) bits") }
        self.key = key
    }
}

/// Keys that were read already, by what was published. The same octets always give the same key, so it makes no difference but in
/// time: OpenSSL takes longer to read an RSA key than to verify with it, and most mail is signed with few keys.
///
/// Two halves, as in a cache of answers: when the younger one is full it becomes the older one, and what was not used in that
/// time is gone.
final class KeyMemory: Sendable {
    static let shared = KeyMemory()

    /// Keys in each half: some 4 KB each, 4 MB in all.
    static let capacity = 512
    /// Octets of a key that is kept; RSA with 4,096 bits has 550.
    static let maximumOctets = 1_200

    private struct Published: Hashable {
        var octets: [UInt8]
        var isEd25519: Bool
    }

    private struct Halves {
        var young: [Published: VerificationKey] = [:]
        var old: [Published: VerificationKey] = [:]
    }

    private let halves = Mutex(Halves())

    /// nil if the octets are no key.
    func key(_ octets: [UInt8], isEd25519: Bool) -> VerificationKey? {
        let published = Published(octets: octets, isEd25519: isEd25519)
        if let known = self.halves.withLock({ $0.young[published] }) { return known }
        let old = self.halves.withLock { $0.old[published] }
        guard let key = old ?? (isEd25519 ? VerificationKey(ed25519: octets) : VerificationKey(rsa: octets)) else { return nil }
        guard octets.count <= Self.maximumOctets else { return key }
        self.halves.withLock { halves in
            if halves.young.count >= Self.capacity {
                halves.old = halves.young
                halves.young = [:]
            }
            halves.young[published] = key
        }
        return key
    }

    /// Keys that are kept; for tests.
    var count: Int { self.halves.withLock { $0.young.count + $0.old.count } }
}
