import MailMessage
import MailTypes

/// The Authentication-Results field (RFC 8601).
package enum AuthenticationResults {
    /// What stands behind the field's name and colon: our name, and a result a line. On several lines, folded, without the last
    /// line end. Everything that came from a sender is kept to characters that cannot break the field.
    package static func value(_ findings: AuthenticationFindings, hostname: String, envelope: Envelope) -> String {
        var results: [String] = []
        if let spf = findings.mailFrom {
            let identity = envelope.reversePath.description.isEmpty ? "smtp.helo" : "smtp.mailfrom"
            let value = envelope.reversePath.description.isEmpty ? envelope.client.helo ?? "" : envelope.reversePath.description
            results.append("spf=\(spf.result.rawValue)\(self.comment(spf.problem)) \(identity)=\(self.propertyValue(value))")
        }
        for dkim in findings.dkim { results.append(self.dkim(dkim)) }
        if findings.dkim.isEmpty { results.append("dkim=none") }
        results.append(self.dmarc(findings.dmarc))
        if findings.arc.result != .none {
            results.append("arc=\(findings.arc.result.rawValue)\(self.comment(findings.arc.reason))")
        }
        return ([hostname] + results).joined(separator: ";\r\n\t")
    }

    private static func dkim(_ finding: DKIMFinding) -> String {
        let reason = finding.isTesting ? finding.reason ?? "test mode" : finding.reason
        var text = "dkim=\(finding.result.rawValue)\(self.comment(reason))"
        if let domain = finding.domain { text += " header.d=\(self.propertyValue(domain))" }
        if let selector = finding.selector { text += " header.s=\(self.propertyValue(selector))" }
        if let algorithm = finding.algorithm { text += " header.a=\(self.propertyValue(algorithm))" }
        if !finding.signatureStart.isEmpty { text += " header.b=\(self.propertyValue(finding.signatureStart))" }
        return text
    }

    private static func dmarc(_ finding: DMARCFinding) -> String {
        let policy = finding.policy.map { "p=\($0.rawValue)" }
        var text = "dmarc=\(finding.result.rawValue)\(self.comment(finding.reason ?? policy))"
        if let domain = finding.domain { text += " header.from=\(self.propertyValue(domain))" }
        return text
    }

    private static func comment(_ text: String?) -> String {
        guard let text else { return "" }
        let kept = text.unicodeScalars.filter { (0x20...0x7e).contains($0.value) && $0 != "(" && $0 != ")" && $0 != "\\" }
        return " (\(String(String.UnicodeScalarView(kept.prefix(120)))))"
    }

    /// A token, or a quoted string where it must be one (RFC 8601 §2.2).
    private static func propertyValue(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                    || "@.-_+=/!#$%&'*^`{|}~".unicodeScalars.contains(scalar))
        }
        if isPlain, !text.isEmpty, text.utf8.count <= 320 { return text }
        let kept = text.unicodeScalars.filter { (0x20...0x7e).contains($0.value) && $0 != "\"" && $0 != "\\" }
        return "\"\(String(String.UnicodeScalarView(kept.prefix(320))))\""
    }

    /// Where Authentication-Results fields of a message stand that bear our name, line end included: nobody but us may say so
    /// (RFC 8601 §5). A field that cannot be understood is ours, too, when our name is in it.
    package static func forged(in message: ParsedMessage, hostname: String) -> [Range<Int>] {
        message.fields(named: "authentication-results").compactMap { field in
            guard self.authservID(message.unfoldedValue(of: field)) == hostname.lowercased() else { return nil }
            var end = field.value.upperBound
            while end < message.bytes.count, message.bytes[end] == 0x0d || message.bytes[end] == 0x0a {
                end += 1
                if message.bytes[end - 1] == 0x0a { break }
            }
            return field.name.lowerBound..<end
        }
    }

    /// The first word of the field, comments and quotes taken off (RFC 8601 §2.2).
    private static func authservID(_ value: [UInt8]) -> String {
        var text: [UInt8] = []
        var depth = 0
        for octet in value {
            switch octet {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"): depth = max(depth - 1, 0)
            case _ where depth > 0: continue
            case UInt8(ascii: ";"): return String(decoding: text, as: UTF8.self).lowercased()
            case 0x20, 0x09:
                if !text.isEmpty { return String(decoding: text, as: UTF8.self).lowercased() }
            case UInt8(ascii: "\""): continue
            default: text.append(octet)
            }
        }
        return String(decoding: text, as: UTF8.self).lowercased()
    }
}
