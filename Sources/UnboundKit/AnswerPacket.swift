/// A message of the DNS (RFC 1035 §4.1) as libunbound hands it over beside its own reading of it.
struct AnswerPacket {
    /// RFC 1035 §4.1.1
    let code: Int
    /// The data of the answer's records of one type, as it stands there; for types without names in it.
    let records: [[UInt8]]
    /// Seconds; the shortest of the records.
    let timeToLive: UInt32

    private static let headerLength = 12
    /// What a record has behind its name: type, class, time to live, length.
    private static let fixedLength = 10

    /// - Returns: nil for what is no whole message.
    init?(_ octets: some RandomAccessCollection<UInt8>, type: UInt16) {
        let octets = Array(octets)
        guard octets.count >= Self.headerLength else { return nil }
        func number(_ place: Int) -> UInt16 { UInt16(octets[place]) << 8 | UInt16(octets[place + 1]) }
        var place = Self.headerLength
        for _ in 0..<number(4) {
            guard let end = Self.endOfName(octets, at: place), end + 4 <= octets.count else { return nil }
            place = end + 4
        }
        var records: [[UInt8]] = []
        var timeToLive = UInt32.max
        for _ in 0..<number(6) {
            guard let fixed = Self.endOfName(octets, at: place), fixed + Self.fixedLength <= octets.count else { return nil }
            let start = fixed + Self.fixedLength
            let end = start + Int(number(fixed + 8))
            guard end <= octets.count else { return nil }
            place = end
            guard number(fixed) == type, records.count < UnboundContext.maximumRecords else { continue }
            records.append(Array(octets[start..<end]))
            timeToLive = min(timeToLive, UInt32(number(fixed + 4)) << 16 | UInt32(number(fixed + 6)))
        }
        self.code = Int(octets[3] & 0xf)
        self.records = records
        self.timeToLive = records.isEmpty ? 0 : timeToLive
    }

    /// RFC 1035 §2.3.4
    private static let maximumName = 255
    private static let maximumLabel: UInt8 = 63

    /// Where a name ends that begins here; a pointer ends it (RFC 1035 §4.1.4).
    private static func endOfName(_ octets: [UInt8], at start: Int) -> Int? {
        var place = start
        while place < octets.count, place - start < self.maximumName {
            let length = octets[place]
            if length == 0 { return place + 1 }
            if length >= 0xc0 { return place + 2 }
            guard length <= self.maximumLabel else { return nil }
            place += 1 + Int(length)
        }
        return nil
    }
}
