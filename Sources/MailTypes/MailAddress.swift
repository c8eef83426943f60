/// A mailbox as it stands in an SMTP path (RFC 5321 §4.1.2, RFC 6531 §3.3).
///
/// Two addresses are equal when local part and domain are; how the client spelt them (`text`) does not count.
package struct MailAddress: Sendable {
    /// Without quotes and escapes, case kept: only the destination may interpret it (RFC 5321 §2.4).
    package let localPart: String
    /// Lower case; an address literal keeps its brackets; empty only for `<postmaster>` (RFC 5321 §4.1.1.3).
    package let domain: String
    /// As the client wrote it between the angle brackets, without a source route: what goes downstream.
    package let text: String

    package init(localPart: String, domain: String, text: String) {
        self.localPart = localPart
        self.domain = domain
        self.text = text
    }

    /// `local@domain` with case folded in both parts: the key for lists and counters.
    package var folded: String { self.localPart.lowercased() + "@" + self.domain }
}

extension MailAddress: Hashable {
    package static func == (left: MailAddress, right: MailAddress) -> Bool {
        left.localPart == right.localPart && left.domain == right.domain
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(self.localPart)
        hasher.combine(self.domain)
    }
}

extension MailAddress: CustomStringConvertible {
    package var description: String { self.text }
}

/// Where failures are reported (RFC 5321 §4.1.1.2): a mailbox, or nobody.
package enum ReversePath: Hashable, Sendable, CustomStringConvertible {
    case null
    case mailbox(MailAddress)

    package var address: MailAddress? {
        switch self {
        case .null: nil
        case .mailbox(let address): address
        }
    }

    /// The text between the angle brackets.
    package var description: String { self.address?.text ?? "" }
}

/// Where a message goes (RFC 5321 §4.1.1.3).
package typealias ForwardPath = MailAddress

// MARK: - Grammar

extension MailAddress {
    /// RFC 5321 §4.5.3.1.1
    package static let maximumLocalPartLength = 64
    /// RFC 5321 §4.5.3.1.2
    package static let maximumDomainLength = 255
    /// RFC 5321 §4.5.3.1.3: 256 octets of a path, less its angle brackets.
    package static let maximumLength = 254

    /// Reads `Mailbox = Local-part "@" ( Domain / address-literal )` (RFC 5321 §4.1.2), and a bare `postmaster`.
    /// - Parameter allowUTF8: also takes UTF8-non-ascii in both parts (RFC 6531 §3.3).
    package init?(_ text: some StringProtocol, allowUTF8: Bool = false) {
        let text = String(text)
        if !allowUTF8, !text.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
        // RFC 6532 §3.2 lets pass what is beyond ASCII. In a header field or a log some readers would begin a line there, or obey.
        if text.unicodeScalars.contains(where: \.isControlBeyondASCII) { return nil }
        if text.lowercased() == "postmaster" {
            self.init(localPart: text, domain: "", text: text)
            return
        }
        guard let (localPart, end) = MailAddress.readLocalPart(text), end < text.endIndex, text[end] == "@" else { return nil }
        let domain = text[text.index(after: end)...].lowercased()
        // The local part counts as it is written, with its quotes.
        guard text.utf8.count <= MailAddress.maximumLength, text[..<end].utf8.count <= MailAddress.maximumLocalPartLength,
            MailAddress.isDomain(domain)
        else { return nil }
        self.init(localPart: localPart, domain: domain, text: text)
    }

    /// `Local-part = Dot-string / Quoted-string`; the value without quoting, and where it ends.
    private static func readLocalPart(_ text: String) -> (String, String.Index)? {
        var value = String.UnicodeScalarView()
        let scalars = text.unicodeScalars
        guard let first = scalars.first else { return nil }
        var index = scalars.startIndex
        if first == "\"" {
            index = scalars.index(after: index)
            while index < scalars.endIndex, scalars[index] != "\"" {
                if scalars[index] == "\\" {
                    index = scalars.index(after: index)
                    guard index < scalars.endIndex else { return nil }
                }
                guard scalars[index].value >= 0x20, scalars[index].value != 0x7f else { return nil }
                value.append(scalars[index])
                index = scalars.index(after: index)
            }
            guard index < scalars.endIndex else { return nil }
            return (String(value), scalars.index(after: index))
        }
        var previousIsDot = true
        while index < scalars.endIndex, scalars[index] != "@" {
            let scalar = scalars[index]
            if scalar == "." {
                if previousIsDot { return nil }
                previousIsDot = true
            } else {
                guard scalar.isAtomText else { return nil }
                previousIsDot = false
            }
            value.append(scalar)
            index = scalars.index(after: index)
        }
        return previousIsDot ? nil : (String(value), index)
    }

    /// `Domain / address-literal` (RFC 5321 §4.1.2, §4.1.3), already in lower case; underscores are let pass because
    /// hosts in use have them.
    package static func isDomain(_ domain: String) -> Bool {
        guard !domain.isEmpty, domain.utf8.count <= maximumDomainLength else { return false }
        if domain.hasPrefix("[") { return isAddressLiteral(domain) }
        return domain.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard !label.isEmpty, label.utf8.count <= 63, !label.hasPrefix("-"), !label.hasSuffix("-") else { return false }
            return label.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
                default: scalar.value >= 0x80
                }
            }
        }
    }

    private static func isAddressLiteral(_ domain: String) -> Bool {
        guard domain.hasSuffix("]") else { return false }
        let inner = domain.dropFirst().dropLast()
        if inner.hasPrefix("ipv6:") { return inner.dropFirst(5).contains(":") && IPAddress(inner.dropFirst(5)) != nil }
        return !inner.contains(":") && IPAddress(inner) != nil
    }
}

extension Unicode.Scalar {
    /// The controls from U+0080 to U+009F, NEL and CSI among them, and the separators of lines and paragraphs.
    package var isControlBeyondASCII: Bool {
        (0x80...0x9f).contains(self.value) || self.value == 0x2028 || self.value == 0x2029
    }

    /// `atext` (RFC 5322 §3.2.3), and UTF8-non-ascii (RFC 6532 §3.2).
    fileprivate var isAtomText: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "0"..."9": true
        case "!", "#", "$", "%", "&", "'", "*", "+", "-", "/", "=", "?", "^", "_", "`", "{", "|", "}", "~": true
        default: self.value >= 0xa0
        }
    }
}
