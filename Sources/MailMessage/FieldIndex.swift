/// The fields of a header by name, letters in either case.
///
/// Rules ask for many names that are not there. What tells most of them from those that are is their length and the octets at
/// their ends, put into one number; the numbers are sorted. A table of hashes takes longer, and nobody who chooses the names can
/// make this one slow.
struct FieldIndex: Sendable {
    private struct Entry {
        var key: Int
        /// In lower case.
        var name: String
        var field: HeaderField
        /// Where it stands in the header.
        var number: Int
    }

    private let entries: [Entry]

    init(_ fields: [HeaderField], of bytes: [UInt8]) {
        self.entries = fields.enumerated().map { number, field in
            let name = String(decoding: [UInt8](bytes[field.name]).lowercasedASCII(), as: UTF8.self)
            return Entry(key: Self.key(name), name: name, field: field, number: number)
        }.sorted { ($0.key, $0.number) < ($1.key, $1.number) }
    }

    /// In the order in which they stand.
    subscript(name: String) -> [HeaderField] {
        let key = Self.key(name)
        lazy var folded = name.lowercased()
        var found: [HeaderField] = []
        var index = self.firstIndex(of: key)
        while index < self.entries.count, self.entries[index].key == key {
            if self.entries[index].name == name || self.entries[index].name == folded { found.append(self.entries[index].field) }
            index += 1
        }
        return found
    }

    private func firstIndex(of key: Int) -> Int {
        var range = 0..<self.entries.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = self.entries[middle].key < key ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    private static func key(_ name: String) -> Int {
        let octets = name.utf8
        guard let first = octets.first, let last = octets.last else { return 0 }
        return octets.count << 16 | Int(first.lowercased) << 8 | Int(last.lowercased)
    }
}
