/// The fields of a header by name, letters in either case.
///
/// Rules ask for many names that are not there. A name is told by its first octets as one number, and the numbers are sorted: that
/// needs no text made of each name, and nobody who chooses the names can make it slow, as one could a table of hashes.
struct FieldIndex: Sendable {
    private struct Entry {
        var key: UInt64
        /// Number of the field in the header.
        var field: Int
    }

    /// By key, those of one key as they stand in the message.
    private let entries: [Entry]
    private let fields: [HeaderField]

    init(_ fields: [HeaderField], of bytes: [UInt8]) {
        self.fields = fields
        self.entries = fields.indices.map { Entry(key: Self.key(bytes[fields[$0].name]), field: $0) }
            .sorted { ($0.key, $0.field) < ($1.key, $1.field) }
    }

    func find(_ name: String, of bytes: [UInt8]) -> [HeaderField] {
        let key = Self.key(name.utf8)
        var found: [HeaderField] = []
        var index = self.firstIndex(of: key)
        while index < self.entries.count, self.entries[index].key == key {
            let field = self.fields[self.entries[index].field]
            if Self.isName(name.utf8, bytes[field.name]) { found.append(field) }
            index += 1
        }
        return found
    }

    private func firstIndex(of key: UInt64) -> Int {
        var range = 0..<self.entries.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range = self.entries[middle].key < key ? (middle + 1)..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }

    /// The first eight octets in lower case.
    private static func key(_ name: some Collection<UInt8>) -> UInt64 {
        name.prefix(8).reduce(0) { $0 << 8 | UInt64($1.lowercased) }
    }

    private static func isName(_ name: String.UTF8View, _ octets: ArraySlice<UInt8>) -> Bool {
        name.count == octets.count && zip(name, octets).allSatisfy { $0.lowercased == $1.lowercased }
    }
}
