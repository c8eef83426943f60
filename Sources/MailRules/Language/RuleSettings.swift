/// The settings of rule files that steer how rules are evaluated: `trusted_networks`, `freemail_domains`, `welcomelist_from`….
///
/// Here they are kept as they stand in the files; each family of functions reads those it knows into values of its own
/// (`FunctionSettings`), once for a rule set.
package struct RuleSettings: Sendable {
    /// What stands behind a keyword, and where.
    package struct Line: Hashable, Sendable {
        /// Without the keyword, without a comment, and without white space at the ends.
        package var text: String
        package var file: String
        package var line: Int
        /// Of the first octet of `text`, counted from 1.
        package var column: Int

        package init(text: String, file: String = "", line: Int = 0, column: Int = 0) {
            self.text = text
            self.file = file
            self.line = line
            self.column = column
        }

        /// The words of the line.
        package var words: [String] { self.text.split(whereSeparator: \.isWhitespace).map(String.init) }
    }

    /// A setting as it was met: some depend on the order among each other (`clear_trusted_networks`).
    package struct Entry: Hashable, Sendable {
        /// In today's spelling: `welcomelist_from`, whatever the file has.
        package var keyword: String
        package var line: Line
    }

    /// In the order of the files.
    package private(set) var entries: [Entry] = []
    private var indices: [String: [Int]] = [:]

    package init() {}

    package mutating func append(_ keyword: String, _ line: Line) {
        self.indices[keyword, default: []].append(self.entries.count)
        self.entries.append(Entry(keyword: keyword, line: line))
    }

    /// All lines of a keyword, in order.
    package func lines(of keyword: String) -> [Line] {
        (self.indices[keyword] ?? []).map { self.entries[$0].line }
    }

    /// The last line of a keyword: the one that counts where there can be only one.
    package func last(_ keyword: String) -> Line? {
        self.indices[keyword]?.last.map { self.entries[$0].line }
    }

    /// All lines of several keywords, in the order of the files.
    package func entries(of keywords: Set<String>) -> [Entry] {
        keywords.flatMap { self.indices[$0] ?? [] }.sorted().map { self.entries[$0] }
    }
}
