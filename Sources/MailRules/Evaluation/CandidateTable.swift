import PatternKit

/// For one group of patterns and the texts of one message: which pattern may match which text. Its memory is kept from message to
/// message.
struct CandidateTable {
    /// Patterns that are told for every text, by number.
    private let isUnfiltered: [Bool]
    private let filter: PatternPrefilter
    /// Pairs of pattern and text as they were found, text by text.
    private var found: [(pattern: Int, text: Int)] = []
    /// Texts, sorted by pattern.
    private var texts: [Int] = []
    /// Where each pattern's texts start, and behind the last where all end.
    private var starts: [Int]
    private var textCount = 0
    /// By pattern: the text for which it was found last, counted over all messages.
    private var lastTexts: [Int]
    private var allTexts = 0
    /// By pattern: whether it may match any of the texts.
    private(set) var mayMatch: [Bool]
    /// A scan failed: nothing is known of this message.
    private var hasFailed = false

    init(_ filter: PatternPrefilter, patternCount: Int) {
        self.filter = filter
        var isUnfiltered = Array(repeating: false, count: patternCount)
        for number in filter.unfiltered { isUnfiltered[number] = true }
        self.isUnfiltered = isUnfiltered
        self.mayMatch = isUnfiltered
        self.starts = Array(repeating: 0, count: patternCount + 1)
        self.lastTexts = Array(repeating: 0, count: patternCount)
    }

    mutating func begin() {
        for index in self.mayMatch.indices { self.mayMatch[index] = self.isUnfiltered[index] }
        self.found.removeAll(keepingCapacity: true)
        self.textCount = 0
        self.hasFailed = false
    }

    /// Scans the next text.
    mutating func add(_ text: [UInt8], with scanner: PrefilterScanner) {
        let number = self.textCount
        self.textCount += 1
        self.allTexts += 1
        let isKnown = scanner.scan(text, with: self.filter) { pattern in
            guard self.lastTexts[pattern] != self.allTexts else { return }
            self.lastTexts[pattern] = self.allTexts
            self.found.append((pattern, number))
        }
        if !isKnown { self.hasFailed = true }
    }

    /// Sorts what was found by pattern: counts, then places.
    mutating func end() {
        for index in self.mayMatch.indices where self.hasFailed { self.mayMatch[index] = true }
        for pair in self.found { self.mayMatch[pair.pattern] = true }
        for index in self.starts.indices { self.starts[index] = 0 }
        for pair in self.found { self.starts[pair.pattern] += 1 }
        var sum = 0
        for index in self.starts.indices {
            sum += self.starts[index]
            self.starts[index] = sum
        }
        self.texts.removeAll(keepingCapacity: true)
        self.texts.append(contentsOf: repeatElement(0, count: self.found.count))
        // From the last to the first, so that each start ends where its texts begin, and the texts stay in order.
        for pair in self.found.reversed() {
            self.starts[pair.pattern] -= 1
            self.texts[self.starts[pair.pattern]] = pair.text
        }
    }

    /// The texts that a pattern may match, in order; nil for all.
    func texts(of pattern: Int) -> ArraySlice<Int>? {
        if self.hasFailed || self.isUnfiltered[pattern] { return nil }
        return self.texts[self.starts[pattern]..<self.starts[pattern + 1]]
    }
}
