/// One to five octets of a word, its ends included: what languages are told by.
struct NGram: Hashable, Comparable, Sendable {
    /// The octets from the top, their number at the bottom: so the order of numbers is that of the octets, shorter before
    /// longer.
    private let bits: UInt64

    static let maximumLength = 5

    /// - Parameter octets: none of them or more than `maximumLength` make nil.
    init?(_ octets: ArraySlice<UInt8>) {
        guard !octets.isEmpty, octets.count <= Self.maximumLength else { return nil }
        var bits: UInt64 = 0
        for octet in octets { bits = bits << 8 | UInt64(octet) }
        self.bits = bits << UInt64(8 * (8 - octets.count)) | UInt64(octets.count)
    }

    private init(bits: UInt64) {
        self.bits = bits
    }

    /// One octet.
    init(_ octet: UInt8) {
        self.bits = UInt64(octet) << 56 | 1
    }

    /// This one and an octet behind it; to be used below `maximumLength`.
    func appending(_ octet: UInt8) -> NGram {
        let length = self.bits & 0xff
        return NGram(bits: self.bits + UInt64(octet) << (8 * (7 - length)) + 1)
    }

    static func < (left: NGram, right: NGram) -> Bool { left.bits < right.bits }
}

/// The n-grams of a text, the most frequent first (Cavnar and Trenkle, N-Gram-Based Text Categorization, 1994).
struct NGramProfile: Hashable, Sendable {
    /// Of the same frequency in the order of their octets.
    let ngrams: [NGram]

    /// - Parameters:
    ///   - minimum: those that are not more frequent are left out; 0 takes all.
    ///   - limit: as many at most.
    init(_ text: [UInt8], above minimum: Int = 0, limit: Int) {
        var all: [NGram] = []
        for word in Self.words(text) { Self.add(word, to: &all) }
        // Sorted and counted in runs: faster than a table of counts.
        all.sort()
        var runs: [(ngram: NGram, count: Int)] = []
        var start = 0
        while start < all.count {
            let end = all[start...].firstIndex { $0 != all[start] } ?? all.count
            if end - start > minimum { runs.append((all[start], end - start)) }
            start = end
        }
        runs.sort { $0.count != $1.count ? $0.count > $1.count : $0.ngram < $1.ngram }
        self.ngrams = runs.prefix(limit).map(\.ngram)
    }

    /// For n-grams that are known already.
    init(_ ngrams: [NGram]) {
        self.ngrams = ngrams
    }

    private static func add(_ word: ArraySlice<UInt8>, to all: inout [NGram]) {
        let octets = [0] + self.lowercased(word) + [0]
        for start in octets.indices {
            var ngram = NGram(octets[start])
            all.append(ngram)
            for octet in octets[(start + 1)...].prefix(NGram.maximumLength - 1) {
                ngram = ngram.appending(octet)
                all.append(ngram)
            }
        }
    }

    // MARK: - Words

    /// Runs of octets that are no white space, no digits, and no punctuation of ASCII but the apostrophe.
    static func words(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        text.split(whereSeparator: self.isSeparator)
    }

    private static func isSeparator(_ octet: UInt8) -> Bool {
        if octet.isBlank || octet.isDigit { return true }
        return (0x21...0x7e).contains(octet) && !octet.isLetter && octet != UInt8(ascii: "'")
    }

    /// Words with capitals of ASCII and four letters of Latin-1 in a row, as Latin-1, whatever they are in: models are of
    /// text that was treated the same.
    static func lowercased(_ word: ArraySlice<UInt8>) -> [UInt8] {
        guard word.contains(where: { (0x41...0x5a).contains($0) }), self.hasFourLetters(word) else { return Array(word) }
        return word.map { octet in
            switch octet {
            case 0x41...0x5a, 0xc0...0xd6, 0xd8...0xde: octet + 0x20
            default: octet
            }
        }
    }

    private static func hasFourLetters(_ word: ArraySlice<UInt8>) -> Bool {
        var run = 0
        for octet in word {
            // Without the sharp s, the signs of multiplication and division, and y with two dots.
            let isLetter = octet.isLetter || (octet >= 0xc0 && ![0xd7, 0xdf, 0xf7, 0xff].contains(octet))
            run = isLetter ? run + 1 : 0
            if run == 4 { return true }
        }
        return false
    }
}
