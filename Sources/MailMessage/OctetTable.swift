/// Values by octets, ASCII letters taken in either case; made for lists of many thousand host names and addresses, of which
/// each message asks a few times. A question costs one pass over the octets asked for and no allocation.
package struct OctetTable<Value: Sendable>: Sendable {
    private var keys = OctetKeys()
    /// By the key's number.
    private var values: [Value] = []

    package init() {}

    package var count: Int { self.keys.count }
    package var isEmpty: Bool { self.keys.count == 0 }

    package subscript(key: [UInt8]) -> Value? {
        get { self[key[...]] }
        set {
            guard let newValue else { return }
            self.set(newValue, for: key)
        }
    }

    package subscript(key: ArraySlice<UInt8>) -> Value? {
        guard let found = self.keys.number(of: key) else { return nil }
        return self.values[found]
    }

    package func contains(_ key: ArraySlice<UInt8>) -> Bool { self.keys.number(of: key) != nil }

    /// The value of the octets in `range`.
    package subscript(bytes: [UInt8], range: Range<Int>) -> Value? { self[bytes[range]] }

    package mutating func set(_ value: Value, for key: [UInt8]) {
        if let found = self.keys.number(of: key[...]) {
            self.values[found] = value
        } else {
            self.keys.add(key)
            self.values.append(value)
        }
    }
}

/// Gives keys numbers. Apart from the values, so that looking for one is the same code for tables of anything.
///
/// The hash has no secret: keys come from whoever configures the gateway, and questions of strangers cannot fill the table.
private struct OctetKeys: Sendable {
    /// All keys in lower case, one behind the other.
    private var octets: [UInt8] = []
    /// Where each stands in `octets`, by its number.
    private var ranges: [Range<Int>] = []
    /// Open addressing; 0 is free, else the number of a key counted from 1. At most half are taken.
    private var slots: [Int32] = []

    var count: Int { self.ranges.count }

    func number(of key: ArraySlice<UInt8>) -> Int? {
        guard !self.slots.isEmpty else { return nil }
        let mask = self.slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & mask
        while self.slots[slot] != 0 {
            let number = Int(self.slots[slot]) - 1
            if self.isKey(key, at: self.ranges[number]) { return number }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private func isKey(_ key: ArraySlice<UInt8>, at range: Range<Int>) -> Bool {
        guard key.count == range.count else { return false }
        var index = range.lowerBound
        for octet in key {
            if octet.lowercased != self.octets[index] { return false }
            index += 1
        }
        return true
    }

    /// - Parameter key: not there yet.
    mutating func add(_ key: [UInt8]) {
        if 2 * (self.ranges.count + 1) > self.slots.count { self.grow() }
        self.ranges.append(self.octets.count..<(self.octets.count + key.count))
        self.octets.append(contentsOf: key.lazy.map(\.lowercased))
        self.place(self.ranges.count - 1, hash: Self.hash(key[...]))
    }

    private mutating func grow() {
        self.slots = Array(repeating: 0, count: max(16, self.slots.count * 2))
        for (number, range) in self.ranges.enumerated() { self.place(number, hash: Self.hash(self.octets[range])) }
    }

    private mutating func place(_ number: Int, hash: UInt64) {
        let mask = self.slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while self.slots[slot] != 0 { slot = (slot + 1) & mask }
        self.slots[slot] = Int32(number + 1)
    }

    /// FNV-1a in 64 bits.
    private static func hash(_ key: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for octet in key { hash = (hash ^ UInt64(octet.lowercased)) &* 0x0100_0000_01b3 }
        return hash ^ hash >> 32
    }
}
