import MailTypes
import OpenSSLKit

/// A DKIM-Signature field, or one of ARC that is made alike, taken apart (RFC 6376 §3.5).
struct DKIMSignature: Hashable, Sendable {
    /// `rsa-sha1` is known so that it can be refused by name (RFC 8301 §3.1).
    enum Algorithm: String, Hashable, Sendable {
        case rsaSHA256 = "rsa-sha256"
        case ed25519SHA256 = "ed25519-sha256"
        case rsaSHA1 = "rsa-sha1"

        /// As a key record's `k=` has it.
        var keyType: String { self == .ed25519SHA256 ? "ed25519" : "rsa" }
    }

    /// Signatures that are verified of one message, the topmost ones (RFC 6376 §6.1 allows a bound). Each costs a question, a
    /// public-key operation, and perhaps a hash of the body.
    static let maximumVerified = 10

    var algorithm: Algorithm
    var signature: [UInt8]
    var bodyHash: [UInt8]
    var headerForm = Canonicalization.simple
    var bodyForm = Canonicalization.simple
    var domain: DNSName
    /// `d=` as it is written.
    var domainText: String
    var selector: DNSName
    var selectorText: String
    /// Names in lower case.
    var headers: [String]
    /// `i=`; nil when it is not there.
    var identity: String?
    /// Octets of the body that are signed; nil: all.
    var bodyLength: UInt64?
    /// Seconds since 1970.
    var time: UInt64?
    var expiration: UInt64?

    /// What is wrong with a signature; `tags` are those that could still be read, for a report.
    struct Failure: Error, Hashable {
        var message: String
    }

    /// - Parameter isARC: an ARC-Message-Signature: no `v=`, and `i=` is something else (RFC 8617 §4.1.2).
    init(_ tags: TagList, isARC: Bool = false) throws(Failure) {
        if !isARC {
            guard tags.text("v") == "1" else { throw Failure(message: "v= is not 1") }
        }
        self = try DKIMSignature(signer: tags)
        guard let hash = tags.compact("bh").flatMap(Base64.decode), !hash.isEmpty else {
            throw Failure(message: "bh= is missing or no base 64")
        }
        self.bodyHash = hash
        guard let headers = tags.list("h"), isARC || !headers.isEmpty else { throw Failure(message: "h= is missing") }
        self.headers = headers
        if isARC {
            // What is meant without c= is read as the suites and sealers of others mean it, not as for DKIM-Signature.
            self.headerForm = .relaxed
            self.bodyForm = .relaxed
            // RFC 8617 §4.1.2: seals come later than what they seal.
            guard !headers.contains("arc-seal") else { throw Failure(message: "h= signs ARC-Seal") }
        } else {
            // RFC 6376 §5.4: From must be signed.
            guard headers.contains("from") else { throw Failure(message: "h= does not sign From") }
        }
        try self.readForms(tags)
        try self.readNumbers(tags)
        if !isARC { try self.readIdentity(tags) }
        if let methods = tags.list("q"), !methods.contains(where: { $0 == "dns/txt" || $0 == "dns" }) {
            throw Failure(message: "q= has no method that is known")
        }
    }

    /// An ARC-Seal: it signs fields of ARC alone, by a rule of its own (RFC 8617 §4.1.3).
    init(seal tags: TagList) throws(Failure) {
        self = try DKIMSignature(signer: tags)
        self.headerForm = .relaxed
        try self.readNumbers(tags)
    }

    /// What all kinds of signatures have: algorithm, signature, domain and selector.
    private init(signer tags: TagList) throws(Failure) {
        guard let name = tags.text("a") else { throw Failure(message: "a= is missing") }
        guard let algorithm = Algorithm(rawValue: name) else { throw Failure(message: "unknown algorithm \(name)") }
        self.algorithm = algorithm
        guard let signature = tags.compact("b").flatMap(Base64.decode), !signature.isEmpty else {
            throw Failure(message: "b= is missing or no base 64")
        }
        self.signature = signature
        guard let domainText = tags.text("d"), let domain = DNSName(domainText) else {
            throw Failure(message: "d= is missing or no domain")
        }
        self.domain = domain
        self.domainText = domainText
        guard let selectorText = tags.text("s"), let selector = DNSName(selectorText) else {
            throw Failure(message: "s= is missing or no selector")
        }
        self.selector = selector
        self.selectorText = selectorText
        self.bodyHash = []
        self.headers = []
    }

    private mutating func readForms(_ tags: TagList) throws(Failure) {
        guard let text = tags.text("c") else { return }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let header = Canonicalization(rawValue: parts[0]),
            let body = parts.count == 2 ? Canonicalization(rawValue: parts[1]) : .simple
        else { throw Failure(message: "c= has an unknown canonicalization") }
        self.headerForm = header
        self.bodyForm = body
    }

    private mutating func readNumbers(_ tags: TagList) throws(Failure) {
        for (tag, path) in [("l", \Self.bodyLength), ("t", \Self.time), ("x", \Self.expiration)] where tags[tag] != nil {
            guard let number = tags.number(tag) else { throw Failure(message: "\(tag)= is no number") }
            self[keyPath: path] = number
        }
        if let time = self.time, let expiration = self.expiration, expiration < time {
            throw Failure(message: "x= is before t=")
        }
    }

    /// The identity lies in the signing domain or below it (§3.5, `i=`).
    private mutating func readIdentity(_ tags: TagList) throws(Failure) {
        guard let identity = tags.text("i") else { return }
        guard let at = identity.lastIndex(of: "@"), let domain = DNSName(identity[identity.index(after: at)...]),
            domain.isWithin(self.domain)
        else { throw Failure(message: "i= is not within d=") }
        self.identity = identity
    }

    var identityDomain: DNSName {
        self.identity.flatMap { text in text.lastIndex(of: "@").flatMap { DNSName(text[text.index(after: $0)...]) } }
            ?? self.domain
    }

    /// Where the key is (§3.6.2.1); nil if the name would be too long.
    var keyName: DNSName? {
        self.domain.prefixed(by: self.selector.labels + [Array("_domainkey".utf8)])
    }
}
