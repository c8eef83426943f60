import MailTypes
import OpenSSLKit

/// Verifies the DKIM signatures of a message (RFC 6376 §6).
package struct DKIMVerifier<Resolver: DNSResolver>: Sendable {
    /// Seconds that a sender's clock may be ahead of ours.
    static var allowedSkew: UInt64 { 300 }

    private let keys: DKIMKeyFetcher<Resolver>
    private let time: UInt64

    /// - Parameter time: seconds since 1970.
    package init(resolver: Resolver, time: Int) {
        self.keys = DKIMKeyFetcher(resolver: resolver)
        self.time = UInt64(max(time, 0))
    }

    /// One finding for each DKIM-Signature field, from the top.
    package func verify(_ message: SignedMessage) async -> [DKIMFinding] {
        var findings: [DKIMFinding] = []
        for (number, field) in message.fields(named: "dkim-signature").enumerated() {
            guard number < DKIMSignature.maximumVerified else {
                findings.append(DKIMFinding(.neutral, reason: "more than \(DKIMSignature.maximumVerified) signatures"))
                break
            }
            findings.append(await self.verify(field, of: message))
        }
        return findings
    }

    private func verify(_ field: SignedMessage.Field, of message: SignedMessage) async -> DKIMFinding {
        var finding = DKIMFinding(.permerror)
        let signature: DKIMSignature
        do {
            let tags = try TagList(message.value(field))
            finding.domain = tags.text("d")
            finding.selector = tags.text("s")
            finding.identity = tags.text("i") ?? finding.domain.map { "@" + $0 }
            finding.algorithm = tags.text("a")
            finding.signatureStart = String(decoding: (tags.compact("b") ?? []).prefix(8), as: UTF8.self)
            signature = try DKIMSignature(tags)
        } catch let failure as TagList.Failure {
            finding.reason = failure.message
            return finding
        } catch let failure as DKIMSignature.Failure {
            finding.reason = failure.message
            return finding
        } catch {
            finding.reason = "\(error)"
            return finding
        }
        let outcome = await self.verify(signature, field, of: message)
        finding.result = outcome.result
        finding.reason = outcome.reason
        finding.isTesting = outcome.isTesting
        finding.unsignedOctets = outcome.unsignedOctets
        return finding
    }

    private func verify(
        _ signature: DKIMSignature,
        _ field: SignedMessage.Field,
        of message: SignedMessage
    ) async -> DKIMFinding {
        guard signature.algorithm != .rsaSHA1 else {
            return DKIMFinding(.permerror, reason: "rsa-sha1 is no longer accepted (RFC 8301)")
        }
        if let expiration = signature.expiration, expiration + Self.allowedSkew < self.time {
            return DKIMFinding(.permerror, reason: "the signature has expired")
        }
        // What costs nothing but time comes before what costs a question.
        guard let body = message.bodyHash(signature.bodyForm, limit: signature.bodyLength) else {
            return DKIMFinding(.permerror, reason: "the body was not hashed for it")
        }
        if let length = signature.bodyLength, length > body.length {
            return DKIMFinding(.permerror, reason: "l= is more than the body has")
        }
        guard body.hash == signature.bodyHash else { return DKIMFinding(.fail, reason: "the body was changed") }
        let key: DKIMKey
        switch await self.keys.key(for: signature) {
        case .success(let found): key = found
        case .failure(let finding): return finding
        }
        if key.isStrict, signature.identityDomain != signature.domain {
            return DKIMFinding(.permerror, reason: "the key allows no identity below d=")
        }
        var text: [UInt8] = []
        message.appendFields(signature.headers, signature.headerForm, to: &text)
        message.appendSignature(field, signature.headerForm, to: &text)
        let isGood = key.key.verifies(signature.signature, ofDigest: SHA256.hash(text))
        let unsigned = signature.bodyLength.map { body.length - $0 } ?? 0
        return DKIMFinding(
            isGood ? .pass : .fail,
            reason: isGood ? nil : "the signature does not match the header",
            isTesting: key.isTesting,
            unsignedOctets: unsigned
        )
    }
}

/// Fetches keys from the DNS.
struct DKIMKeyFetcher<Resolver: DNSResolver>: Sendable {
    enum Outcome: Sendable {
        case success(DKIMKey)
        /// What the signature's finding is then.
        case failure(DKIMFinding)
    }

    let resolver: Resolver

    func key(for signature: DKIMSignature) async -> Outcome {
        guard let name = signature.keyName else { return .failure(DKIMFinding(.permerror, reason: "the key's name is too long")) }
        let response = await self.resolver.resolve(name, .txt)
        guard let records = response.records else {
            return .failure(DKIMFinding(.temperror, reason: "the key could not be asked for"))
        }
        // Of several records the first that is a key counts (§3.6.2.2 leaves it open).
        let texts = records.compactMap(\.joinedText)
        guard !texts.isEmpty else { return .failure(DKIMFinding(.permerror, reason: "there is no key \(name)")) }
        var problem = "there is no key \(name)"
        for text in texts {
            do {
                return .success(try DKIMKey(text, for: signature))
            } catch {
                switch error {
                case .revoked: problem = "the key was revoked"
                case .unsuitable(let what), .malformed(let what): problem = what
                }
            }
        }
        return .failure(DKIMFinding(.permerror, reason: problem))
    }
}
