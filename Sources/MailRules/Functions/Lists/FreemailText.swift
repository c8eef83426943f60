import MailMessage

/// The addresses of providers in a message's text and in its HTML links (SpamAssassin's FreeMail).
struct FreemailText {
    /// nil: the text has so many addresses that it is no person's letter.
    let addresses: Set<[UInt8]>?

    /// Addresses that are looked at in links, and in all.
    private static let maximumInLinks = 20
    private static let maximum = 40

    init(_ context: EvalContext) {
        let settings = context.settings
        let all = Self.addresses(context)
        let limits = settings.freemail.limits
        let freemails = all.filter { settings.freemail.isFreemail($0, lists: settings.addressLists) }
        let isOver = Self.reaches(all.count, limits.addresses) || Self.reaches(freemails.count, limits.freemails)
        self.addresses = isOver && limits.skipsOverMaximum ? nil : Set(freemails)
    }

    /// A limit of 0 is none.
    private static func reaches(_ count: Int, _ limit: Int) -> Bool { limit > 0 && count >= limit }

    private static func addresses(_ context: EvalContext) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var seen: Set<[UInt8]> = []
        let add = { (text: [UInt8], range: Range<Int>) in
            let address = text[range].map(\.lowercased)
            if seen.insert(address).inserted { found.append(address) }
        }
        let registrars = context.settings.registrars
        for link in context.text.links where link.types.contains("a") && !link.types.contains("parsed") {
            guard LinkText.hasPrefix(link.raw[...], LinkText.mailto) else { continue }
            let scanner = AddressScanner(text: link.raw, registrars: registrars)
            guard let end = scanner.end(at: LinkText.mailto.count) else { continue }
            add(link.raw, LinkText.mailto.count..<end)
            if found.count >= self.maximumInLinks { break }
        }
        for segment in context.text.body {
            guard segment.bytes.contains(0x40) || segment.bytes.contains(UInt8(ascii: "%")) else { continue }
            let text = self.withoutQuotedAddresses(self.withoutLinks(segment.bytes), registrars)
            let scanner = AddressScanner(text: text, registrars: registrars)
            var position = 0
            while let next = scanner.next(from: position) {
                add(text, next.range)
                if found.count >= self.maximum { return found }
                position = next.range.upperBound
            }
        }
        return found
    }

    private static func isMailto(_ text: [UInt8], before end: Int) -> Bool {
        end >= LinkText.mailto.count
            && zip(text[(end - LinkText.mailto.count)..<end], LinkText.mailto).allSatisfy { $0.lowercased == $1 }
    }

    // MARK: - What does not count

    private static let schemes = ["https://", "http://"].map { Array($0.utf8) }
    /// Octets of a link before and behind an `@` in it.
    private static let maximumLinkPart = 255

    /// With a space in place of each link that has an `@` in it.
    static func withoutLinks(_ text: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var copied = 0
        var index = 0
        while let colon = text[index...].firstIndex(of: UInt8(ascii: ":")) {
            index = colon + 1
            guard let scheme = self.schemeStart(text, colon), scheme >= copied, let end = self.linkEnd(text, colon + 3) else {
                continue
            }
            let start = scheme > copied && text[scheme - 1] == UInt8(ascii: "<") ? scheme - 1 : scheme
            result += text[copied..<start]
            result.append(0x20)
            copied = end
            index = end
        }
        return copied == 0 ? text : result + text[copied...]
    }

    /// Where `http` or `https` begins that ends in front of `://`.
    private static func schemeStart(_ text: [UInt8], _ colon: Int) -> Int? {
        for scheme in self.schemes {
            let start = colon - (scheme.count - 3)
            guard start >= 0, start + scheme.count <= text.count else { continue }
            if zip(text[start...], scheme).allSatisfy({ $0.lowercased == $1 }) { return start }
        }
        return nil
    }

    /// The end of a link that goes on at `start`, if there is an `@`, or one that is escaped, within reach.
    private static func linkEnd(_ text: [UInt8], _ start: Int) -> Int? {
        let word = text[start...].prefix(2 * self.maximumLinkPart + 3).prefix { !$0.isBlank }
        var index = min(start + self.maximumLinkPart, word.endIndex - 1)
        while index >= start {
            let isEscaped = word[index...].starts(with: self.escapedAt)
            if isEscaped || word[index] == 0x40 {
                return min(index + (isEscaped ? self.escapedAt.count : 1) + self.maximumLinkPart, word.endIndex)
            }
            index -= 1
        }
        return nil
    }

    private static let escapedAt = Array("%40".utf8)

    /// With a space in place of addresses that end with `>` or that a word with a colon follows: those of people who are
    /// quoted. One behind `mailto:` stays.
    static func withoutQuotedAddresses(_ text: [UInt8], _ registrars: RegistrarBoundaries) -> [UInt8] {
        let scanner = AddressScanner(text: text, registrars: registrars)
        var result: [UInt8] = []
        var copied = 0
        var position = 0
        while let next = scanner.next(from: position) {
            position = next.range.upperBound
            guard let first = next.starts.first(where: { !self.isMailto(text, before: $0) }),
                let end = self.quoteEnd(text, next.range.upperBound)
            else { continue }
            let start = first > copied && text[first - 1] == UInt8(ascii: "<") ? first - 1 : first
            result += text[copied..<start]
            result.append(0x20)
            copied = end
            position = end
        }
        return copied == 0 ? text : result + text[copied...]
    }

    private static let maximumSpaces = 10
    private static let quoteWord = 2...11
    /// Words with a colon that do not quote somebody.
    private static let contactWords = ["fax", "facsi", "tel", "phone", "mail", "email", "e-mail"].map { Array($0.utf8) }

    private static func quoteEnd(_ text: [UInt8], _ end: Int) -> Int? {
        guard end < text.count else { return nil }
        if text[end] == UInt8(ascii: ">") { return end + 1 }
        let spaces = text[end...].prefix { $0.isBlank }.count
        guard (1...self.maximumSpaces).contains(spaces) else { return nil }
        let word = text[(end + spaces)...].prefix(self.quoteWord.upperBound + 1).prefix { $0.isLetter }
        guard self.quoteWord.contains(word.count), word.endIndex < text.count, text[word.endIndex] == UInt8(ascii: ":"),
            !self.contactWords.contains(where: { word.map(\.lowercased).starts(with: $0) })
        else { return nil }
        return word.endIndex + 1
    }
}
