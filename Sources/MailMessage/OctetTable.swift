/// Values by octets, ASCII letters taken in either case; made for lists of many thousand host names and addresses, of which
/// each message asks a few times. A question costs one pass over the octets asked for and no allocation.
///
/// The hash has no secret: keys come from whoever configures the gateway, and questions of strangers cannot fill the table.
package struct OctetTable<Value: Sendable>: Sendable {
    private struct Entry {
        var start: Int
        var count: Int
        var value: Value
    }

    /// All keys in lower case, one behind the other.
    private var octets: [UInt8] = []
    private var entries: [Entry] = []
    /// Open addressing; 0 is free, else the number of an entry counted from 1. At most half are taken.
    private var slots: [Int32] = []

    package init() {}

    package var count: Int { self.entries.count }
    package var isEmpty: Bool { self.entries.isEmpty }

    package subscript(key: [UInt8]) -> Value? {
        get { self[key, 0..<key.count] }
        set {
            guard let newValue else { return }
            self.set(newValue, for: key)
        }
    }

    package subscript(key: ArraySlice<UInt8>) -> Value? {
        guard let found = self.find(key) else { return nil }
        return self.entries[found].value
    }

    /// The value of the octets in `range`.
    package subscript(bytes: [UInt8], range: Range<Int>) -> Value? { self[bytes[range]] }

    package mutating func set(_ value: Value, for key: [UInt8]) {
        if let found = self.find(key[...]) {
            self.entries[found].value = value
            return
        }
        if 2 * (self.entries.count + 1) > self.slots.count { self.grow() }
        self.entries.append(Entry(start: self.octets.count, count: key.count, value: value))
        self.octets.append(contentsOf: key.lazy.map(\.lowercased))
        self.place(self.entries.count - 1, hash: Self.hash(key[...]))
    }

    private func find(_ key: ArraySlice<UInt8>) -> Int? {
        guard !self.slots.isEmpty else { return nil }
        let mask = self.slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & mask
        while self.slots[slot] != 0 {
            let index = Int(self.slots[slot]) - 1
            if self.isKey(key, of: self.entries[index]) { return index }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isKey(_ key: ArraySlice<UInt8>, of entry: Entry) -> Bool {
        guard key.count == entry.count else { return false }
        var index = entry.start
        for octet in key {
            if octet.lowercased != self.octets[index] { return false }
            index += 1
        }
        return true
    }

    private mutating func grow() {
        self.slots = Array(repeating: 0, count: max(16, self.slots.count * 2))
        for (index, entry) in self.entries.enumerated() {
            self.place(index, hash: Self.hash(self.octets[entry.start..<(entry.start + entry.count)]))
        }
    }

    private mutating func place(_ index: Int, hash: UInt64) {
        let mask = self.slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while self.slots[slot] != 0 { slot = (slot + 1) & mask }
        self.slots[slot] = Int32(index + 1)
    }

    /// FNV-1a in 64 bits.
    private static func hash(_ key: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for octet in key { hash = (hash ^ UInt64(octet.lowercased)) &* 0x0100_0000_01b3 }
        return hash ^ hash >> 32
    }
}
