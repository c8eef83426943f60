/// What is irregular in base64 text (RFC 2045 §6.8).
struct Base64Oddities: OptionSet {
    let rawValue: UInt8

    /// Characters that are none of the alphabet.
    static let junk = Base64Oddities(rawValue: 1)
    /// Data behind padding, or padding where none belongs.
    static let padding = Base64Oddities(rawValue: 2)
    /// An empty line between data.
    static let gap = Base64Oddities(rawValue: 4)
    /// Lines, other than the last, that do not end with a whole group of four.
    static let lines = Base64Oddities(rawValue: 8)
    /// The data does not end with a whole group.
    static let end = Base64Oddities(rawValue: 16)
    /// `-` and `_`, which RFC 4648 §5 has for `+` and `/`.
    static let urlSafe = Base64Oddities(rawValue: 32)
}

/// Ways in which readers take irregular base64. All give the same for regular text.
enum Base64Dialect: CaseIterable {
    /// Padding ends a group, other characters are passed over: `TransferDecoding.base64`.
    case lenient
    /// The first padding ends the data.
    case untilPadding
    /// Padding is passed over like any other character that is not of the alphabet.
    case withoutPadding
    /// Groups are four characters, padding counted wherever it stands.
    case paddingInGroups
    /// Each line for itself; what is no whole group at its end is dropped.
    case byLine
    /// Lines with a character that is not of the alphabet are dropped.
    case cleanLines
    /// The first character that is not of the alphabet ends the data.
    case untilJunk
    case urlSafe
    /// The first one, two, three characters do not count: something that was no data stood before.
    case skippingOne, skippingTwo, skippingThree

    /// The dialects that can differ from the lenient one.
    static func plausible(for oddities: Base64Oddities) -> [Base64Dialect] {
        self.allCases.filter { dialect in
            switch dialect {
            case .lenient: true
            case .untilPadding, .withoutPadding, .paddingInGroups: oddities.contains(.padding)
            case .byLine: oddities.contains(.lines)
            case .cleanLines, .untilJunk: oddities.contains(.junk)
            case .urlSafe: oddities.contains(.urlSafe)
            case .skippingOne, .skippingTwo, .skippingThree: !oddities.isDisjoint(with: [.junk, .padding, .gap])
            }
        }
    }

    /// Those that are tried where the text was cut out by a guess, too.
    var isUsual: Bool { self == .lenient || self == .withoutPadding || self == .byLine }

    // Classes of octets: below 64 the value.
    private static let blank: UInt8 = 64
    private static let pad: UInt8 = 65
    private static let other: UInt8 = 66

    private static let classes: [UInt8] = {
        var table = [UInt8](repeating: other, count: 256)
        let alphabet = [UInt8](ascii: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        for (value, octet) in alphabet.enumerated() { table[Int(octet)] = UInt8(value) }
        for octet in [0x09, 0x0a, 0x0d, 0x20] { table[octet] = blank }
        table[0x3d] = pad
        return table
    }()

    private static let urlClasses: [UInt8] = {
        var table = classes
        table[0x2d] = 62
        table[0x5f] = 63
        return table
    }()

    /// One pass, without decoding.
    static func oddities(_ bytes: [UInt8], _ range: Range<Int>) -> Base64Oddities {
        let classes = self.classes
        var found: Base64Oddities = []
        var group = 0
        var isPadded = false
        var lineHasData = false
        var hasData = false
        var isGap = false
        var isLineBroken = false
        for index in range {
            let octet = bytes[index]
            let kind = classes[Int(octet)]
            if kind < 64 {
                if isPadded { found.insert(.padding) }
                if isGap { found.insert(.gap) }
                if isLineBroken { found.insert(.lines) }
                (isGap, isLineBroken, lineHasData, hasData) = (false, false, true, true)
                group = (group + 1) & 3
            } else if octet == .lineFeed {
                if hasData, !lineHasData { isGap = true }
                if group != 0 { isLineBroken = true }
                lineHasData = false
            } else if kind == self.pad {
                // Two characters at least, then padding to the group's end.
                if group < 2 { found.insert(.padding) }
                isPadded = true
                lineHasData = true
                group = group < 2 ? group : (group + 1) & 3
            } else if kind == self.other {
                found.insert(.junk)
                if octet == 0x2d || octet == 0x5f { found.insert(.urlSafe) }
            }
        }
        if group != 0 { found.insert(.end) }
        return found
    }

    func decode(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
        if self == .lenient { return TransferDecoding.base64(bytes, range).bytes }
        let classes = self == .urlSafe ? Self.urlClasses : Self.classes
        var output = Base64Groups()
        output.bytes.reserveCapacity(range.count / 4 * 3 + 3)
        var skip = self == .skippingOne ? 1 : self == .skippingTwo ? 2 : self == .skippingThree ? 3 : 0
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            var hasJunk = false
            while end < range.upperBound, bytes[end] != .lineFeed {
                if classes[Int(bytes[end])] == Self.other { hasJunk = true }
                end += 1
            }
            if self == .cleanLines, hasJunk {
                start = end + 1
                continue
            }
            for index in start..<end {
                let kind = classes[Int(bytes[index])]
                if kind < 64 {
                    if skip > 0 { skip -= 1 } else { output.add(kind) }
                } else if kind == Self.pad {
                    switch self {
                    case .untilPadding:
                        output.finishGroup()
                        return output.bytes
                    case .withoutPadding: break
                    case .paddingInGroups: output.addPadding()
                    default: output.finishGroup()
                    }
                } else if kind == Self.other, self == .untilJunk {
                    output.finishGroup()
                    return output.bytes
                }
            }
            if self == .byLine { output.dropGroup() }
            start = end + 1
        }
        output.finishGroup()
        return output.bytes
    }
}

/// Collects values of six bits.
private struct Base64Groups {
    var bytes: [UInt8] = []
    private var pending: UInt32 = 0
    private var count = 0
    private var paddings = 0

    @inline(__always)
    mutating func add(_ value: UInt8) {
        self.pending = self.pending << 6 | UInt32(value)
        self.count += 1
        if self.count + self.paddings == 4 { self.finishGroup() }
    }

    mutating func addPadding() {
        self.paddings += 1
        if self.count + self.paddings >= 4 { self.finishGroup() }
    }

    mutating func dropGroup() { (self.pending, self.count, self.paddings) = (0, 0, 0) }

    mutating func finishGroup() {
        switch self.count {
        case 4:
            self.bytes.append(UInt8(truncatingIfNeeded: self.pending >> 16))
            self.bytes.append(UInt8(truncatingIfNeeded: self.pending >> 8))
            self.bytes.append(UInt8(truncatingIfNeeded: self.pending))
        case 3:
            self.bytes.append(UInt8(truncatingIfNeeded: self.pending >> 10))
            self.bytes.append(UInt8(truncatingIfNeeded: self.pending >> 2))
        case 2: self.bytes.append(UInt8(truncatingIfNeeded: self.pending >> 4))
        default: break
        }
        self.dropGroup()
    }
}
