import MailMessage

/// Services whose short links stand for others: `url_shortener` and its relatives. Names that begin with a dot are for every
/// host directly below.
struct LinkShorteners: Sendable {
    private var hosts = OctetTable<Void>()

    init() {}

    init(_ settings: RuleSettings) {
        var names: Set<String> = []
        for entry in settings.entries(of: ["url_shortener", "url_shortener_get", "clear_url_shortener"]) {
            let words = entry.line.words.map { $0.lowercased() }
            switch entry.keyword {
            case "clear_url_shortener" where words.isEmpty: names = []
            case "clear_url_shortener": names.subtract(words)
            default: names.formUnion(words)
            }
        }
        for name in names { self.hosts.set((), for: Array(name.utf8)) }
    }

    var isEmpty: Bool { self.hosts.isEmpty }

    /// Whether a link is one that such a service made, as far as its looks tell.
    func hasShortened(_ link: MessageLink) -> Bool {
        guard !link.cleaned.isEmpty else { return false }
        let uri = link.raw.prefix { $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "?") }
        guard let authority = LinkText.httpHost(uri, isDelimiter: { $0 == UInt8(ascii: "/") }) else { return false }
        let host = authority[(authority.firstIndex(of: 0x40).map { $0 + 1 } ?? authority.startIndex)...]
            .prefix { $0 != UInt8(ascii: ":") }
        guard !host.isEmpty else { return false }
        let dots = host.indices.filter { host[$0] == UInt8(ascii: ".") }
        let port = uri[host.endIndex...].dropFirst(uri[host.endIndex...].first == UInt8(ascii: ":") ? 1 : 0)
        let path =
            port.startIndex > host.endIndex && port.first?.isDigit == true ? port.drop(while: \.isDigit) : uri[host.endIndex...]
        if dots.count == 1, !path.contains(where: \.isWord) { return false }
        if self.hosts.contains(host) { return true }
        guard dots.count == 2, dots[0] > host.startIndex, dots[1] > dots[0] + 1, dots[1] + 1 < host.endIndex else { return false }
        if LinkText.hasPrefix(host, Self.www + [UInt8(ascii: ".")]) { return self.hosts.contains(host[(dots[0] + 1)...]) }
        return !LinkText.hasPrefix(host, Self.www) && self.hosts.contains(host[dots[0]...])
    }

    private static let www = Array("www".utf8)
}
