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
        let algorithm = self.key.algorithm.tag

        let resultsField = SignatureField("ARC-Authentication-Results", " i=\(instance); \(results)")
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
        var seal = SignatureField(
            "ARC-Seal",
            " i=\(instance); a=\(algorithm); t=\(time); cv=\(validation);\r\n\td=\(self.domain); s=\(self.selector);\r\n\tb="
        )
        guard seal.sign(behind: text, with: self.key) else { return nil }
        var result: [UInt8] = []
        for field in [seal, signatureField, resultsField] { field.append(.simple, to: &result) }
        return result
    }

    private func messageSignature(_ message: SignedMessage, _ instance: Int, _ algorithm: String, _ time: Int) -> SignatureField?
    {
        let present = Self.signedNames.flatMap { name -> [String] in
            let count = message.fields(named: name).count
            return Array(repeating: name, count: count + (Self.onceMore.contains(name) ? 1 : 0))
        }
        // Only a message that was taken in for sealing has it.
        guard let hash = message.bodyHash(Self.bodyForm)?.hash else { return nil }
        var field = SignatureField(
            "ARC-Message-Signature",
            " i=\(instance); a=\(algorithm); c=relaxed/relaxed; d=\(self.domain);\r\n\ts=\(self.selector); t=\(time);\r\n\th="
                + present.joined(separator: ":\r\n\t ") + ";\r\n\tbh=" + String(decoding: Base64.encode(hash), as: UTF8.self)
                + ";\r\n\tb="
        )
        var text: [UInt8] = []
        message.appendFields(present, .relaxed, to: &text)
        return field.sign(behind: text, with: self.key) ? field : nil
    }
}
