import MailMessage

/// Addresses and patterns of addresses, each with a value. A question costs a few look-ups, however long the list is: names
/// without wildcards are found as they are, patterns by what stands behind their last wildcard, or before the first.
/// Only patterns with wildcards at both ends are tried one by one.
struct AddressTable<Value: Sendable>: Sendable {
    private struct Entry {
        var glob: Glob
        var value: Value
    }

    /// Entries by one of their ends.
    private struct Index: Sendable {
        private var entries = OctetTable<[Int]>()
        /// Of the keys, ascending.
        private var lengths: [Int] = []

        mutating func add(_ entry: Int, under key: ArraySlice<UInt8>) {
            let key = Array(key)
            self.entries.set((self.entries[key] ?? []) + [entry], for: key)
            guard let place = self.lengths.firstIndex(where: { $0 >= key.count }) else { return self.lengths.append(key.count) }
            if self.lengths[place] != key.count { self.lengths.insert(key.count, at: place) }
        }

        /// Entries whose key is one of the ends of `address`.
        func candidates(_ address: [UInt8], _ end: (Int) -> ArraySlice<UInt8>, _ visit: (Int) -> Bool) -> Bool {
            for length in self.lengths {
                guard length <= address.count else { return false }
                for entry in self.entries[end(length)] ?? [] where visit(entry) { return true }
            }
            return false
        }
    }

    private var entries: [Entry] = []
    private var names = OctetTable<[Int]>()
    private var tails = Index()
    private var heads = Index()
    private var others: [Int] = []

    var isEmpty: Bool { self.entries.isEmpty }

    init() {}

    init(_ patterns: some Sequence<(String, Value)>, star: Glob.Star = .anything) {
        for (pattern, value) in patterns { self.add(pattern, value, star: star) }
    }

    private mutating func add(_ pattern: String, _ value: Value, star: Glob.Star) {
        let written = Array(pattern.utf8)
        let glob = Glob(written.lazy.map(Self.plain), star: star)
        let number = self.entries.count
        self.entries.append(Entry(glob: glob, value: value))
        // A name is also found as it is written.
        if !glob.hasWildcards || written.contains(where: { Self.plain($0) != $0 }) {
            self.names.set((self.names[written] ?? []) + [number], for: written)
        }
        if !glob.hasWildcards, glob.pattern != written.map(\.lowercased) {
            self.names.set((self.names[glob.pattern] ?? []) + [number], for: glob.pattern)
        }
        guard glob.hasWildcards else { return }
        if !glob.tail.isEmpty {
            self.tails.add(number, under: glob.pattern[glob.tail])
        } else if !glob.head.isEmpty {
            self.heads.add(number, under: glob.pattern[glob.head])
        } else {
            self.others.append(number)
        }
    }

    /// As SpamAssassin does: these three stand for an underscore.
    private static func plain(_ octet: UInt8) -> UInt8 {
        octet == 0 || octet == UInt8(ascii: "\\") || octet == UInt8(ascii: "(") ? UInt8(ascii: "_") : octet
    }

    func contains(_ address: [UInt8]) -> Bool {
        self.visit(address) { _ in true }
    }

    /// Shows the values of all that match, until one is enough.
    /// - Returns: whether one was.
    func visit(_ address: [UInt8], _ isEnough: (Value) -> Bool) -> Bool {
        for entry in self.names[address] ?? [] where isEnough(self.entries[entry].value) { return true }
        let visitTail = { (entry: Int) in
            let glob = self.entries[entry].glob
            return (glob.isSuffix || glob.matches(address[...])) && isEnough(self.entries[entry].value)
        }
        if self.tails.candidates(address, { address[(address.count - $0)...] }, visitTail) { return true }
        if self.heads.candidates(address, { address[..<$0] }, visitTail) { return true }
        return self.others.contains(where: visitTail)
    }
}

extension AddressTable<Void> {
    init(_ patterns: some Sequence<String>, star: Glob.Star = .anything) {
        self.init(patterns.lazy.map { ($0, ()) }, star: star)
    }
}
