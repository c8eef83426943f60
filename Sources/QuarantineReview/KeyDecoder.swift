/// A key that was pressed.
package enum Key: Hashable, Sendable {
    case character(Unicode.Scalar)
    case enter
    case escape
    case backspace
    case up
    case down
    case left
    case right
    case pageUp
    case pageDown
    case home
    case end
    /// With Control held: the letter in lower case.
    case control(Unicode.Scalar)
}

/// Turns the octets of a terminal into keys. Sequences that mean nothing here are swallowed whole.
package struct KeyDecoder: Sendable {
    private var pending: [UInt8] = []
    /// Octets of one sequence; a longer one is no key.
    private static let longest = 32

    package init() {}

    /// An Escape may stand alone or begin a sequence: the time that passes tells.
    package var isWaiting: Bool { !self.pending.isEmpty }

    /// Nothing came for a while: what began a sequence was a key by itself.
    package mutating func flush() -> [Key] {
        defer { self.pending = [] }
        return self.pending == [0x1b] ? [.escape] : []
    }

    package mutating func decode(_ bytes: some Sequence<UInt8>) -> [Key] {
        self.pending += bytes
        var keys: [Key] = []
        while let (key, used) = self.next() {
            self.pending.removeFirst(used)
            if let key { keys.append(key) }
        }
        return keys
    }

    /// nil: more octets are needed. A nil key: nothing of ours.
    private func next() -> (Key?, Int)? {
        guard let first = self.pending.first else { return nil }
        switch first {
        case 0x1b: return self.sequence()
        case 0x0d, 0x0a: return (.enter, 1)
        case 0x7f, 0x08: return (.backspace, 1)
        case 0: return (nil, 1)
        case 1...26: return (.control(Unicode.Scalar(first + 0x60)), 1)
        case 27..<0x20: return (nil, 1)
        case ..<0x80: return (.character(Unicode.Scalar(first)), 1)
        default: return self.character(first)
        }
    }

    private func character(_ first: UInt8) -> (Key?, Int)? {
        let count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1
        guard self.pending.count >= count else { return nil }
        let scalars = Array(String(decoding: self.pending.prefix(count), as: UTF8.self).unicodeScalars)
        guard count > 1, scalars.count == 1, scalars[0] != "\u{fffd}", scalars[0].value >= 0xa0 else { return (nil, 1) }
        return (.character(scalars[0]), count)
    }

    /// `ESC [ parameters final` and `ESC O final` (ECMA-48 §5.4).
    private func sequence() -> (Key?, Int)? {
        guard self.pending.count > 1 else { return nil }
        guard self.pending[1] == UInt8(ascii: "[") || self.pending[1] == UInt8(ascii: "O") else { return (.escape, 1) }
        guard let end = self.pending.dropFirst(2).firstIndex(where: { (0x40...0x7e).contains($0) }) else {
            return self.pending.count > Self.longest ? (nil, self.pending.count) : nil
        }
        let text = String(decoding: self.pending[2...end], as: UTF8.self)
        return (Self.named[text], end + 1)
    }

    private static let named: [String: Key] = [
        "A": .up, "B": .down, "C": .right, "D": .left, "H": .home, "F": .end, "1~": .home, "7~": .home, "4~": .end, "8~": .end,
        "5~": .pageUp, "6~": .pageDown,
    ]
}
