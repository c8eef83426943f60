import MailTypes

/// A name with values of the message in it: `_DKIMDOMAIN_._vouch.example.org` (Mail::SpamAssassin::Plugin::AskDNS).
struct QueryTemplate: Hashable, Sendable {
    enum Piece: Hashable, Sendable {
        case text([UInt8])
        /// `DKIMDOMAIN`, `HEADER(Reply-To:addr:domain)`
        case tag(String)
    }

    /// Names that one template may become for one message: two tags with several values each multiply.
    private static let maximumNames = 64
    /// Those that have a value here.
    static let knownTags: Set<String> = [
        "ASN", "ASNCIDR", "AUTHORDOMAIN", "DKIMDOMAIN", "LASTEXTERNALHELO", "LASTEXTERNALIP", "LASTEXTERNALRDNS",
        "LASTEXTERNALREVIP",
        "SENDERDOMAIN", "URIDOMAINS", "URIHOSTS",
    ]

    static func hasValue(_ tag: String) -> Bool { self.knownTags.contains(tag) || tag.hasPrefix("HEADER(") }

    let pieces: [Piece]

    init(_ text: [UInt8]) {
        let underscore = UInt8(ascii: "_")
        var pieces: [Piece] = []
        var literal: [UInt8] = []
        var index = 0
        while index < text.count {
            if text[index] == underscore, let end = Self.tagEnd(text, behind: index) {
                if !literal.isEmpty { pieces.append(.text(literal)) }
                literal = []
                pieces.append(.tag(String(decoding: text[(index + 1)..<end], as: UTF8.self)))
                index = end + 1
            } else {
                literal.append(text[index])
                index += 1
            }
        }
        if literal.last == UInt8(ascii: ".") { literal.removeLast() }
        if !literal.isEmpty { pieces.append(.text(literal)) }
        self.pieces = pieces
    }

    /// Where the underscore behind a tag stands that begins at one.
    private static func tagEnd(_ text: [UInt8], behind start: Int) -> Int? {
        let header = Array("HEADER(".utf8)
        if text[(start + 1)...].starts(with: header) {
            guard let close = text[start...].firstIndex(of: UInt8(ascii: ")")), close + 1 < text.count,
                text[close + 1] == UInt8(ascii: "_")
            else { return nil }
            return close + 1
        }
        var end = start + 1
        while end < text.count, (0x41...0x5a).contains(text[end]) || text[end].isDigit { end += 1 }
        guard end < text.count, text[end] == UInt8(ascii: "_"), end > start + 1, !text[start + 1].isDigit else { return nil }
        return end
    }

    var tags: [String] {
        self.pieces.compactMap { if case .tag(let name) = $0 { name } else { nil } }
    }

    /// - Parameter values: of a tag; none where the message has none.
    func names(_ values: (String) -> [[UInt8]]) -> [DNSName] {
        var chosen: [[String: [UInt8]]] = [[:]]
        for tag in Set(self.tags).sorted() {
            let found = values(tag)
            chosen = chosen.flatMap { one in found.map { one.merging([tag: $0]) { $1 } } }
            chosen = Array(chosen.prefix(Self.maximumNames))
        }
        var seen: Set<DNSName> = []
        return chosen.compactMap { choice -> DNSName? in
            let octets = self.pieces.flatMap { piece -> [UInt8] in
                switch piece {
                case .text(let text): text
                case .tag(let tag): choice[tag] ?? []
                }
            }
            return DNSName(octets)
        }.filter { seen.insert($0).inserted }
    }
}
