import MailMessage
import OpenSSLKit

/// Signs messages of our own (RFC 6376 §5).
package struct DKIMSigner: Sendable {
    private let domain: String
    private let selector: String
    private let key: SigningKey

    /// Fields of a message of ours; each is signed as often as it stands.
    private static let signedNames = [
        "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type",
        "content-transfer-encoding",
    ]
    /// Signed once more than they stand: a second one put in front would be taken for the first (RFC 6376 §8.15).
    private static let onceMore: Set<String> = ["from", "to", "subject", "date"]

    package init(domain: String, selector: String, key: SigningKey) {
        self.domain = domain
        self.selector = selector
        self.key = key
    }

    /// - Parameters:
    ///   - message: with CRLF at the ends of lines.
    ///   - time: seconds since 1970.
    /// - Returns: the field to put in front, ended by CRLF; nil when OpenSSL does not sign.
    package func signature(of message: [UInt8], time: Int) -> [UInt8]? {
        let signed = SignedMessage(ParsedMessage(message), sealing: true)
        let names = Self.signedNames.flatMap { name -> [String] in
            let count = signed.fields(named: name).count
            return Array(repeating: name, count: count + (Self.onceMore.contains(name) ? 1 : 0))
        }
        guard let hash = signed.bodyHash(.relaxed)?.hash else { return nil }
        var field = SignatureField(
            "DKIM-Signature",
            " v=1; a=\(self.key.algorithm.tag); c=relaxed/relaxed; d=\(self.domain);\r\n\ts=\(self.selector); t=\(time);\r\n\th="
                + names.joined(separator: ":\r\n\t ") + ";\r\n\tbh=" + String(decoding: Base64.encode(hash), as: UTF8.self)
                + ";\r\n\tb="
        )
        var text: [UInt8] = []
        signed.appendFields(names, .relaxed, to: &text)
        guard field.sign(behind: text, with: self.key) else { return nil }
        var result: [UInt8] = []
        field.append(.simple, to: &result)
        return result
    }
}
