import MailMessage

/// How far the HTML of a multipart/alternative says something else than its plain text.
struct AlternativeDifference {
    /// Words that HTML has and text has less often, in percent of the words of the HTML; of all multiparts the most.
    var percentage = 0.0
    /// Different words in the last of them.
    var htmlWords = 0
    var textWords = 0

    init(_ context: EvalContext) {
        let message = context.filterMessage
        let alternatives = message.depthFirst.filter { Self.isAlternative($0.type) }
        guard !alternatives.isEmpty, !Self.isMeetingRequest(message) else { return }
        for alternative in alternatives {
            var html: [Word: Int] = [:]
            var text: [Word: Int] = [:]
            for part in message.subtree(of: alternative) where Self.isText(part.type) {
                guard let rendering = context.text.rendering(of: part) else { continue }
                if rendering.isHTML {
                    Word.count(rendering.text, into: &html)
                    // Nothing but images.
                    if html.isEmpty, rendering.hasImages { html[Word([0x0a][...])] = 1 }
                } else {
                    Word.count(rendering.text, into: &text)
                }
            }
            guard !html.isEmpty else { continue }
            self.htmlWords = html.count
            self.textWords = text.count
            let left = html.count { word, count in (text[word] ?? 0) < max(count, 1) }
            self.percentage = max(self.percentage, Double(left) / Double(html.count) * 100)
        }
    }

    private static func isAlternative(_ type: [UInt8]) -> Bool {
        let name = Array("multipart/alternative".utf8)
        guard type.starts(with: name) else { return false }
        return type.count == name.count || !Word.isWordOctet(type[name.count])
    }

    private static func isText(_ type: [UInt8]) -> Bool {
        type.starts(with: "text".utf8) && (type.count == 4 || !Word.isWordOctet(type[4]))
    }

    /// HTML and a calendar's entry, as Exchange sends them.
    private static func isMeetingRequest(_ message: FilterMessage) -> Bool {
        let root = message.parts[0]
        guard root.type.elementsEqual("multipart/alternative".utf8), root.children.count == 2 else { return false }
        let types = root.children.map { message.parts[$0] }
        return types.allSatisfy { $0.children.isEmpty } && types[0].type.elementsEqual("text/html".utf8)
            && types[1].type.elementsEqual("text/calendar".utf8)
    }
}

/// A word with its hash, so that a set of them is cheap.
private struct Word: Hashable {
    let octets: ArraySlice<UInt8>
    private let value: UInt64

    init(_ octets: ArraySlice<UInt8>) {
        self.octets = octets
        self.value = octets.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    func hash(into hasher: inout Hasher) { hasher.combine(self.value) }

    static func == (left: Word, right: Word) -> Bool {
        left.value == right.value && left.octets.elementsEqual(right.octets)
    }

    static func isWordOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5a, 0x5f, 0x61...0x7a: true
        default: false
        }
    }

    /// Counts what white space separates and what has a letter or a digit in it.
    static func count(_ text: [UInt8], into words: inout [Word: Int]) {
        var start = 0
        var index = 0
        while index < text.count {
            let length = self.spaceLength(text, at: index)
            guard length > 0 else {
                index += 1
                continue
            }
            self.add(text[start..<index], to: &words)
            index += length
            start = index
        }
        self.add(text[start...], to: &words)
    }

    private static func add(_ octets: ArraySlice<UInt8>, to words: inout [Word: Int]) {
        guard !octets.isEmpty, octets.contains(where: self.isWordOctet) || self.hasLetter(octets) else { return }
        words[Word(octets), default: 0] += 1
    }

    private static func hasLetter(_ octets: ArraySlice<UInt8>) -> Bool {
        guard octets.contains(where: { $0 >= 0x80 }) else { return false }
        return String(decoding: octets, as: UTF8.self).unicodeScalars.contains { scalar in
            if scalar.properties.isAlphabetic { return true }
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
            default: return false
            }
        }
    }

    /// Octets of the white space of Unicode in UTF-8; 0 for anything else.
    private static func spaceLength(_ text: [UInt8], at index: Int) -> Int {
        let octet = text[index]
        if octet < 0x80 { return octet.isSpaceOctet ? 1 : 0 }
        if octet == 0xc2, index + 1 < text.count { return text[index + 1] == 0xa0 || text[index + 1] == 0x85 ? 2 : 0 }
        guard octet == 0xe1 || octet == 0xe2 || octet == 0xe3, index + 2 < text.count else { return 0 }
        switch (octet, text[index + 1], text[index + 2]) {
        case (0xe1, 0x9a, 0x80), (0xe2, 0x80, 0x80...0x8a), (0xe2, 0x80, 0xa8...0xa9), (0xe2, 0x80, 0xaf), (0xe2, 0x81, 0x9f),
            (0xe3, 0x80, 0x80):
            return 3
        default: return 0
        }
    }
}
