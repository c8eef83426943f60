/// Finds what was meant by a name that is not known.
struct Spelling {
    private struct Candidate {
        var name: String
        var bytes: [UInt8]
        var letters: UInt64
    }

    private let candidates: [Candidate]

    init(_ names: some Sequence<String>) {
        self.candidates = names.map { Candidate(name: $0, bytes: Array($0.utf8), letters: Spelling.letters(of: $0)) }
    }

    /// The candidate that differs least from `word`, if it does not differ much; of several the first.
    func nearest(to word: String) -> String? {
        let bytes = Array(word.utf8)
        let letters = Spelling.letters(of: word)
        var limit = min(3, bytes.count / 3)
        var best: String?
        for candidate in self.candidates {
            // An edit changes the length by one at most, and adds or takes away two different letters at most. This
            // spares the table for nearly all candidates.
            guard limit >= 0, abs(candidate.bytes.count - bytes.count) <= limit,
                (candidate.letters ^ letters).nonzeroBitCount <= 2 * limit
            else { continue }
            let distance = editDistance(bytes, candidate.bytes)
            guard distance <= limit else { continue }
            best = candidate.name
            limit = distance - 1
        }
        return best
    }

    /// The set of letters and digits in a name, whatever their case.
    private static func letters(of name: String) -> UInt64 {
        name.utf8.reduce(0) { $0 | 1 << UInt64($1.lowercased & 0x3f) }
    }
}

/// The one of a few words that differs least from `word`, if it does not differ much.
func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
    Spelling(candidates).nearest(to: word)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for row in 1...left.count {
        var current = [row]
        for column in 1...right.count {
            let isSame = left[row - 1] == right[column - 1]
            var cost = min(previous[column] + 1, current[column - 1] + 1, previous[column - 1] + (isSame ? 0 : 1))
            if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                cost = min(cost, beforePrevious[column - 2] + 1)
            }
            current.append(cost)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[right.count]
}

extension RuleSet {
    /// The rule that was probably meant by a name that none has.
    package func suggestion(for name: String) -> String? { nearest(to: name, among: self.rules.map(\.name)) }
}
