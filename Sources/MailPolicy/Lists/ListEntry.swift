import MailTypes

/// Whose mail an entry of a list is about.
package enum ListSubject: Hashable, Sendable {
    /// The client's address.
    case network(IPNetwork)
    /// Folded: `user@example.org`.
    case address(String)
    /// Lower case: `example.org`, or `*.example.org` for everything below it.
    case domain(String)
    /// What the client calls itself, `*` for any characters. Anybody may say anything.
    case helo(String)
    /// The text of the header's From, `*` for any characters.
    case from(String)
}

/// Which recipients an entry is for.
package enum ListScope: Hashable, Sendable {
    case all
    /// Lower case; may begin with `*.`.
    case domain(String)
    /// Folded.
    case recipient(String)

    /// The nearer to one recipient, the more it counts.
    var rank: Int {
        switch self {
        case .recipient: 0
        case .domain: 1
        case .all: 2
        }
    }

    package func covers(_ recipient: MailAddress) -> Bool {
        switch self {
        case .all: true
        case .recipient(let address): recipient.folded == address
        case .domain(let pattern): DomainPattern.matches(pattern, recipient.domain)
        }
    }
}

/// One entry of the allow and deny lists.
package struct ListEntry: Hashable, Sendable {
    package enum Action: String, Hashable, Sendable, CaseIterable {
        case allow
        case deny
    }

    /// A number for what is stored; for what stands in the configuration its place: `lists.allow[0]`.
    package var id: String
    package var action: Action
    /// As it was written, without the mark.
    package var text: String
    package var subject: ListSubject
    /// What a sender says of itself is enough; without it, it must be proven.
    package var isSpoofable: Bool
    package var scope: ListScope
    package var comment: String
    /// Milliseconds since 1970; nil: for good.
    package var expires: Int64?

    package init(
        id: String,
        action: Action,
        text: String,
        subject: ListSubject,
        isSpoofable: Bool = false,
        scope: ListScope = .all,
        comment: String = "",
        expires: Int64? = nil
    ) {
        self.id = id
        self.action = action
        self.text = text
        self.subject = subject
        self.isSpoofable = isSpoofable
        self.scope = scope
        self.comment = comment
        self.expires = expires
    }

    package func isExpired(at now: Int64) -> Bool { self.expires.map { $0 <= now } ?? false }

    /// It is about what senders say of themselves, not about where they are.
    package var namesSender: Bool {
        if case .network = self.subject { false } else { true }
    }
}

/// Why a text is no entry.
package struct ListEntryProblem: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var hint: String

    package var description: String { "\(self.message) (\(self.hint))" }
}

extension ListEntry {
    /// Marks an entry of the configuration that needs no proof: `spoofable:example.org`.
    package static let spoofableMark = "spoofable:"

    /// Octets of an entry: more than any address (RFC 5321 §4.5.3.1.3) and any useful pattern.
    package static let maximumText = 512

    /// Reads an entry of the configuration, where the mark stands in front.
    package static func configured(
        _ line: String,
        action: Action,
        index: Int
    ) throws(ListEntryProblem) -> ListEntry {
        let isSpoofable = line.hasPrefix(self.spoofableMark)
        let text = isSpoofable ? String(line.dropFirst(self.spoofableMark.count)) : line
        return ListEntry(
            id: "lists.\(action.rawValue)[\(index)]",
            action: action,
            text: text,
            subject: try self.subject(text, action: action, isSpoofable: isSpoofable),
            isSpoofable: isSpoofable
        )
    }

    /// Reads what an entry is about: a network or an address of a client; a domain or a mail address, which must be proven
    /// unless the entry is marked; `helo:…` and `from:…`, which can never be proven.
    package static func subject(
        _ text: String,
        action: Action,
        isSpoofable: Bool
    ) throws(ListEntryProblem) -> ListSubject {
        guard !text.isEmpty, text.utf8.count <= self.maximumText else { throw self.notASender(text) }
        if let network = IPNetwork(text) {
            let given = text.split(separator: "/").first.flatMap { IPAddress($0) }
            guard given == network.base else {
                throw ListEntryProblem(message: "`\(text)` has bits set behind its prefix", hint: "write \(network)")
            }
            guard action == .deny || network.prefixLength > 0 else {
                throw ListEntryProblem(message: "`\(text)` would let everybody in", hint: "name the networks")
            }
            guard !isSpoofable else {
                throw ListEntryProblem(
                    message: "`\(text)` is a client's network, which cannot be forged",
                    hint: "leave the mark `spoofable` out"
                )
            }
            return .network(network)
        }
        for (prefix, make) in [("helo:", ListSubject.helo), ("from:", ListSubject.from)] where text.hasPrefix(prefix) {
            let pattern = text.dropFirst(prefix.count).lowercased()
            guard pattern.contains(where: { $0 != "*" && $0 != " " }) else { throw self.notASender(text) }
            guard isSpoofable else {
                throw ListEntryProblem(
                    message: "`\(text)` can be forged by anybody",
                    hint: "mark it as spoofable if that is what you want, or name a network, a domain or an address"
                )
            }
            return make(pattern)
        }
        guard let sender = self.sender(text) else { throw self.notASender(text) }
        return sender
    }

    private static func sender(_ text: String) -> ListSubject? {
        // `@example.org` is a way many write a domain.
        if text.contains("@"), !text.hasPrefix("@") {
            guard let address = MailAddress(text, allowUTF8: true), !address.domain.isEmpty else { return nil }
            return .address(address.folded)
        }
        let lower = (text.hasPrefix("@") ? String(text.dropFirst()) : text).lowercased()
        return DomainPattern.isPattern(lower) ? .domain(lower) : nil
    }

    private static func notASender(_ text: String) -> ListEntryProblem {
        ListEntryProblem(
            message: "`\(text)` is not a sender",
            hint: "an address, a domain like example.org or *.example.org, or a network like 192.0.2.0/24"
        )
    }

    /// Reads the recipients of an entry: a domain or a mail address.
    package static func scope(domain: String?, recipient: String?) throws(ListEntryProblem) -> ListScope {
        if let domain {
            let lower = domain.lowercased()
            guard DomainPattern.isPattern(lower) else {
                throw ListEntryProblem(message: "`\(domain)` is not a domain", hint: "like example.com or *.example.com")
            }
            return .domain(lower)
        }
        if let recipient {
            guard let address = MailAddress(recipient, allowUTF8: true), !address.domain.isEmpty else {
                throw ListEntryProblem(message: "`\(recipient)` is not an address", hint: "like user@example.com")
            }
            return .recipient(address.folded)
        }
        return .all
    }
}

/// `example.org` is that name alone, `*.example.org` everything below it.
enum DomainPattern {
    static func isPattern(_ text: String) -> Bool {
        let bare = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
        // A name without a dot is a top-level domain or, far more likely, a slip.
        guard MailAddress.isDomain(bare), !bare.hasPrefix("["), bare.contains("."), !bare.contains("/") else { return false }
        return bare.split(separator: ".").last?.allSatisfy(\.isNumber) == false
    }

    /// - Parameter domain: in any case, with or without the final dot of an absolute name.
    static func matches(_ pattern: String, _ domain: String) -> Bool {
        let name = self.folded(domain)
        guard pattern.hasPrefix("*.") else { return name == pattern }
        return name.hasSuffix(pattern.dropFirst(1)) && !name.hasPrefix("[")
    }

    static func folded(_ domain: String) -> String {
        let lower = domain.lowercased()
        return lower.hasSuffix(".") ? String(lower.dropLast()) : lower
    }
}
