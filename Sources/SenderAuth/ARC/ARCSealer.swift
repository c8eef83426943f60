import MailTypes
import OpenSSLKit

/// Seals messages that are passed on, so that the next hop can know what we found (RFC 8617 §5.1).
package struct ARCSealer: Sendable {
    static let bodyForm = Canonicalization.relaxed

    private let domain: String
    private let selector: String
    private let key: SigningKey

    /// Fields whose change would change what a reader sees; each is signed as often as it stands, and once more where a second
    /// one would be taken for the first (RFC 6376 §8.15).
    private static let signedNames = [
        "from", "sender", "reply-to", "subject", "date", "message-id", "to", "cc", "mime-version", "content-type",
        "content-transfer-encoding", "content-disposition", "in-reply-to", "references", "list-id", "list-unsubscribe",
        "dkim-signature",
    ]
    private static let onceMore: Set<String> = ["from", "subject", "date", "to"]

    package init(domain: String, selector: String, key: SigningKey) {
        self.domain = domain
        self.selector = selector
        self.key = key
    }

    /// The three fields to put in front of a message, each ended by CRLF; nil when the chain cannot go on: it has failed
    /// before us (§5.1.2), or it is as long as chains may be.
    /// - Parameters:
    ///   - chain: what validation found of the chain so far.
    ///   - results: what stands behind the authserv-id of our Authentication-Results, and the id before it.
    ///   - time: seconds since 1970.
    package func seal(_ signed: SignedMessage, chain finding: ARCFinding, results: String, time: Int) -> [UInt8]? {
        guard let chain = try? ARCChain(signed), chain.sets.count < ARCChain.maximumInstances else { return nil }
        // A chain that failed earlier stays failed; one that fails here is sealed once, to say so.
        if let last = chain.sets.last, (try? TagList(signed.value(last.seal)))?.text("cv") == "fail" { return nil }
        let instance = chain.sets.count + 1
        let validation = instance == 1 ? "none" : finding.result == .pass ? "pass" : "fail"
        let algorithm = self.key.algorithm == .rsaSHA256 ? "rsa-sha256" : "ed25519-sha256"

        let resultsField = Field("ARC-Authentication-Results", " i=\(instance); \(results)")
        guard let signatureField = self.messageSignature(signed, instance, algorithm, time) else { return nil }
        var text: [UInt8] = []
        // A failed chain is sealed without what came before (§5.1.2).
        if validation != "fail" {
            for set in chain.sets {
                for field in [set.results, set.signature, set.seal] { signed.append(field, .relaxed, to: &text) }
            }
        }
        resultsField.append(.relaxed, to: &text)
        signatureField.append(.relaxed, to: &text)
        var seal = Field(
            "ARC-Seal",
            " i=\(instance); a=\(algorithm); t=\(time); cv=\(validation);\r\n\td=\(self.domain); s=\(self.selector);\r\n\tb="
        )
        guard self.sign(&seal, behind: text, .relaxed) else { return nil }
        var result: [UInt8] = []
        for field in [seal, signatureField, resultsField] { field.append(.simple, to: &result) }
        return result
    }

    private struct Field {
        var name: [UInt8]
        var value: [UInt8]

        init(_ name: String, _ value: String) {
            self.name = Array(name.utf8)
            self.value = Array(value.utf8)
        }

        func append(_ form: Canonicalization, to text: inout [UInt8]) {
            HeaderCanonicalization.append(name: self.name[...], value: self.value[...], form, to: &text)
        }
    }

    private func messageSignature(_ message: SignedMessage, _ instance: Int, _ algorithm: String, _ time: Int) -> Field? {
        let present = Self.signedNames.flatMap { name -> [String] in
            let count = message.fields(named: name).count
            return Array(repeating: name, count: count + (Self.onceMore.contains(name) ? 1 : 0))
        }
        // Only a message that was taken in for sealing has it.
        guard let hash = message.bodyHash(Self.bodyForm)?.hash else { return nil }
        var field = Field(
            "ARC-Message-Signature",
            " i=\(instance); a=\(algorithm); c=relaxed/relaxed; d=\(self.domain);\r\n\ts=\(self.selector); t=\(time);\r\n\th="
                + present.joined(separator: ":\r\n\t ") + ";\r\n\tbh=" + String(decoding: Base64.encode(hash), as: UTF8.self)
                + ";\r\n\tb="
        )
        var text: [UInt8] = []
        message.appendFields(present, .relaxed, to: &text)
        return self.sign(&field, behind: text, .relaxed) ? field : nil
    }

    /// Signs `text` and the field itself, whose value ends in `b=`, and puts the signature there, folded.
    private func sign(_ field: inout Field, behind text: [UInt8], _ form: Canonicalization) -> Bool {
        var text = text
        field.append(form, to: &text)
        text.removeLast(2)
        guard let signature = self.key.sign(digest: SHA256.hash(text)) else { return false }
        let encoded = Base64.encode(signature)
        for start in stride(from: 0, to: encoded.count, by: 72) {
            if start > 0 { field.value += Array("\r\n\t ".utf8) }
            field.value += encoded[start..<min(start + 72, encoded.count)]
        }
        return true
    }
}
