/// A link of a message with all that is known of it, as SpamAssassin lists them for `uri_detail` rules and its functions.
package struct MessageLink: Hashable, Sendable {
    package struct Host: Hashable, Sendable {
        /// Lower case.
        package var name: [UInt8]
        /// The domain that was registered: `example.co.uk` of `www.example.co.uk`; an IP address as it is.
        package var domain: [UInt8]
    }

    /// As in the message; in text with a scheme put before it where it had none.
    package var raw: [UInt8]
    /// The elements of HTML that name it (`a`, `img`, `form`), `parsed` for text, with `schemeless` where the scheme is ours
    /// and `unlinked` where mail readers would not make it a link; `domainkeys` for the domain of a signature.
    package var types: Set<String>
    /// `raw` and its canonical forms: escapes undone, odd spellings made plain, targets of redirectors. None
    /// of a signature's domain.
    package var cleaned: [[UInt8]]
    /// What the anchors show that lead to it, each text once.
    package var anchorTexts: [[UInt8]] = []
    /// Hosts of the forms that could be looked up.
    package var hosts: [Host]
    /// The part it stands in; the message itself (0) for one in the subject.
    package var part: Int
    /// Octets from the start of that part's text; 0 for one from HTML.
    package var offset: Int

    /// Domains of the hosts, each once.
    package var domains: [[UInt8]] {
        self.hosts.reduce(into: []) { if !$0.contains($1.domain) { $0.append($1.domain) } }
    }
}

/// How links are told.
package struct LinkReading {
    package var boundaries = RegistrarBoundaries.standard
    /// What a redirector named by the configuration leads to; nil for other URIs.
    package var redirection: ((_ uri: [UInt8]) -> [UInt8]?)?
    /// The domains that have signed the message, or say so, count.
    package var includesSigners = true

    package init() {}
}

/// One form of a link.
package struct MessageURI: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        /// In text, with its scheme.
        case text
        /// In text, the scheme is ours: `example.org`, `joe@example.org`.
        case schemeless
        case html(HTMLFacts.Origin)
    }

    /// As written with a scheme, or a canonical form of it: escapes undone, odd spellings made plain, a redirector's target.
    package var bytes: [UInt8]
    /// The part it stands in; the message itself (0) for one in the subject.
    package var part: Int
    /// Octets from the start of that part's text; 0 for one from HTML.
    package var offset: Int
    package var source: Source
    /// Not as written: made from another of the same part and offset.
    package var isCanonical: Bool

    package init(bytes: [UInt8], part: Int, offset: Int, source: Source = .text, isCanonical: Bool = false) {
        self.bytes = bytes
        self.part = part
        self.offset = offset
        self.source = source
        self.isCanonical = isCanonical
    }

    /// All forms of links, each once.
    static func all(of links: [MessageLink], limit: Int) -> [MessageURI] {
        var result: [MessageURI] = []
        var seen: Set<OctetKey> = []
        for link in links {
            let source = Source(link.types)
            for form in link.cleaned where result.count < limit && seen.insert(OctetKey(form)).inserted {
                result.append(
                    MessageURI(
                        bytes: form,
                        part: link.part,
                        offset: link.offset,
                        source: source,
                        isCanonical: form != link.raw
                    )
                )
            }
        }
        return result
    }
}

extension MessageURI.Source {
    private static let origins: [(String, HTMLFacts.Origin)] = [
        ("a", .anchor), ("area", .area), ("link", .link), ("img", .image), ("frame", .frame), ("iframe", .frame),
        ("embed", .embed), ("script", .script), ("bgsound", .sound), ("form", .form), ("base", .base), ("meta", .refresh),
        ("body", .background), ("table", .background), ("tr", .background), ("td", .background),
    ]

    init(_ types: Set<String>) {
        if let origin = Self.origins.first(where: { types.contains($0.0) }) {
            self = .html(origin.1)
        } else {
            self = types.contains("schemeless") ? .schemeless : .text
        }
    }
}

/// Octets as a key of a set: hashed eight at a time, where an array's own hash takes each by itself.
struct OctetKey: Hashable {
    private let octets: [UInt8]

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        for (index, octet) in self.octets.enumerated() {
            word = word << 8 | UInt64(octet)
            if index & 7 == 7 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(self.octets.count)
    }
}
