/// The n-grams of languages by frequency, as a file `languages` beside rule files has them: one a line, the most frequent first,
/// and behind those of a language a line `0 NAME`, as `0 ru.koi8-r`. One language may have several, for several character
/// sets.
struct LanguageModels: Sendable {
    /// How the file is called in a rule directory.
    static let fileName = "languages"

    /// What a model's text was in, as it is told: `fr` for `fr` and `fr.utf8`, but `ru.koi8-r`.
    private var languages: [String] = []
    /// By model: which of the languages it is of.
    private var languageOfModel: [Int] = []
    /// In order, to be searched.
    private var ngrams: [NGram] = []
    /// By n-gram, and one more: where its ranks begin.
    private var starts: [Int32] = []
    private var ranks: [Rank] = []

    private struct Rank: Sendable {
        var model: Int32
        /// From 1 for the most frequent.
        var rank: Int32
    }

    /// - Parameter file: nil comes of one without a language.
    init?(_ file: [UInt8]) {
        var found: [(ngram: NGram, rank: Rank)] = []
        var current: [NGram: Int32] = [:]
        var rank: Int32 = 0
        var numbers: [String: Int] = [:]
        for line in file.split(separator: 0x0a, omittingEmptySubsequences: false) {
            guard line.starts(with: [0x30, 0x20]), line.count > 2 else {
                rank += 1
                // What is longer than an n-gram keeps its place in the order.
                if let ngram = NGram(line) { current[ngram] = rank }
                continue
            }
            let name = Self.language(String(decoding: line.dropFirst(2), as: UTF8.self))
            let number = numbers[name, default: self.languages.count]
            if number == self.languages.count { self.languages.append(name) }
            numbers[name] = number
            let model = Int32(self.languageOfModel.count)
            self.languageOfModel.append(number)
            found += current.map { ($0.key, Rank(model: model, rank: $0.value)) }
            (current, rank) = ([:], 0)
        }
        guard !self.languages.isEmpty else { return nil }
        found.sort { ($0.ngram, $0.rank.model) < ($1.ngram, $1.rank.model) }
        for (ngram, rank) in found {
            if self.ngrams.last != ngram {
                self.ngrams.append(ngram)
                self.starts.append(Int32(self.ranks.count))
            }
            self.ranks.append(rank)
        }
        self.starts.append(Int32(self.ranks.count))
    }

    private static func language(_ name: String) -> String {
        // Told apart by nothing but luck: which of the two fits depends on how a message is encoded.
        name.contains(".utf8") ? Self.short(name) : name
    }

    /// `ru` of `ru.koi8-r`
    static func short(_ language: String) -> String { String(language.prefix { $0 != "." }) }

    /// How far a text is from each language: the sum of how far each of its n-grams stands from its place in the language's
    /// order.
    /// - Parameters:
    ///   - penalty: of an n-gram that a language does not have.
    ///   - skipped: languages that are left out, by their short names.
    /// - Returns: the nearest first; of the same distance in the order of the file.
    func distances(
        of profile: NGramProfile,
        penalty: Int,
        skipping skipped: Set<String> = []
    ) -> [(language: String, distance: Int)] {
        var distances = Array(repeating: penalty * profile.ngrams.count, count: self.languageOfModel.count)
        for (place, ngram) in profile.ngrams.enumerated() {
            for rank in self.ranks(of: ngram) { distances[Int(rank.model)] += abs(Int(rank.rank) - place) - penalty }
        }
        var nearest: [Int?] = Array(repeating: nil, count: self.languages.count)
        for (model, distance) in distances.enumerated() {
            let language = self.languageOfModel[model]
            nearest[language] = min(nearest[language] ?? distance, distance)
        }
        let known = zip(self.languages, nearest).filter { !skipped.contains(Self.short($0.0)) }
        return known.compactMap { name, distance in distance.map { (name, $0) } }.enumerated()
            .sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
            .map { ($0.element.0, $0.element.1) }
    }

    private func ranks(of ngram: NGram) -> ArraySlice<Rank> {
        var (low, high) = (0, self.ngrams.count)
        while low < high {
            let middle = (low + high) / 2
            if self.ngrams[middle] < ngram { low = middle + 1 } else { high = middle }
        }
        guard low < self.ngrams.count, self.ngrams[low] == ngram else { return [] }
        return self.ranks[Int(self.starts[low])..<Int(self.starts[low + 1])]
    }
}
