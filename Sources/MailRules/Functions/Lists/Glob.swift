/// A pattern with `*` for any octets and `?` for one, as lists of addresses have them; letters in either case match.
struct Glob: Hashable, Sendable {
    /// What `*` stands for.
    enum Star: Hashable, Sendable {
        case anything
        /// As much of a host name as has no dot in it.
        case withinLabel
    }

    /// In lower case, no two `*` in a row.
    let pattern: [UInt8]
    let star: Star
    /// What stands before the first and behind the last wildcard; the whole of a pattern without any.
    let head: Range<Int>
    let tail: Range<Int>

    /// No name is longer that `Star.withinLabel` is for (RFC 5321 §4.5.3.1.3 has 256 for a path).
    private static let maximumLabeledLength = 1_024

    init(_ pattern: some Sequence<UInt8>, star: Star = .anything) {
        var octets: [UInt8] = []
        for octet in pattern where octet != Self.any || octets.last != Self.any { octets.append(octet.lowercased) }
        self.pattern = octets
        self.star = star
        let first = octets.firstIndex(where: Self.isWildcard)
        let last = octets.lastIndex(where: Self.isWildcard)
        self.head = 0..<(first ?? octets.count)
        self.tail = (last.map { $0 + 1 } ?? 0)..<octets.count
    }

    private static let any = UInt8(ascii: "*")
    private static let one = UInt8(ascii: "?")

    private static func isWildcard(_ octet: UInt8) -> Bool { octet == self.any || octet == self.one }

    var hasWildcards: Bool { self.head.upperBound < self.pattern.count }

    /// `*` and a tail: whatever ends in the tail matches.
    var isSuffix: Bool { self.star == .anything && self.pattern.first == Self.any && self.tail.lowerBound == 1 }

    func matches(_ text: ArraySlice<UInt8>) -> Bool {
        switch self.star {
        case .anything: self.matchesFreely(text)
        case .withinLabel: self.matchesWithinLabels(text)
        }
    }

    /// A `*` takes as little as it can; when the rest fails, the last one takes more: an earlier one never has to.
    private func matchesFreely(_ text: ArraySlice<UInt8>) -> Bool {
        var index = text.startIndex
        var place = 0
        var retry: (place: Int, index: Int)?
        while index < text.endIndex {
            if place < self.pattern.count, self.pattern[place] == Self.any {
                retry = (place + 1, index)
                place += 1
            } else if place < self.pattern.count, self.isMatch(place, text[index]) {
                place += 1
                index += 1
            } else if let last = retry {
                retry = (last.place, last.index + 1)
                (place, index) = (last.place, last.index + 1)
            } else {
                return false
            }
        }
        if place < self.pattern.count, self.pattern[place] == Self.any { place += 1 }
        return place == self.pattern.count
    }

    private func isMatch(_ place: Int, _ octet: UInt8) -> Bool {
        self.pattern[place] == Self.one || self.pattern[place] == octet.lowercased
    }

    /// All places in the pattern that the text so far can lead to, octet by octet.
    private func matchesWithinLabels(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.count <= Self.maximumLabeledLength else { return false }
        var isAt = Array(repeating: false, count: self.pattern.count + 1)
        isAt[0] = true
        self.passStars(&isAt)
        for octet in text {
            var next = Array(repeating: false, count: isAt.count)
            for place in self.pattern.indices where isAt[place] {
                if self.pattern[place] == Self.any {
                    if octet != UInt8(ascii: ".") { next[place] = true }
                } else if self.isMatch(place, octet) {
                    next[place + 1] = true
                }
            }
            isAt = next
            self.passStars(&isAt)
        }
        return isAt[self.pattern.count]
    }

    private func passStars(_ isAt: inout [Bool]) {
        for place in self.pattern.indices where isAt[place] && self.pattern[place] == Self.any { isAt[place + 1] = true }
    }
}
