/// Reads the dates of header fields: RFC 5322 §3.3, its obsolete forms, and what programs write instead.
enum MailDate {
    /// Seconds since 1970; nil for what has no day, month and year. What cannot be is bent into the nearest that can, as
    /// SpamAssassin does.
    static func seconds(_ text: [UInt8]) -> Int? {
        var tokens = self.tokens(text)
        guard var date = self.takeDate(&tokens) else { return nil }
        var clock = self.takeTime(&tokens) ?? (0, 0, 0)
        let offset = self.zone(tokens)
        clock = (min(clock.0, 23), min(clock.1, 59), min(clock.2, 59))
        if date.day > self.days(in: date) {
            date.day = 1
            date.month += 1
            if date.month > 12 { (date.month, date.year) = (1, date.year + 1) }
        }
        guard date.day > 0 else { return nil }
        date.year = min(max(date.year, 1970), 2037)
        let time = self.dayNumber(date) * 86_400 + clock.0 * 3_600 + clock.1 * 60 + clock.2
        return offset > 0 && time < offset ? 0 : time - offset
    }

    private typealias Day = (year: Int, month: Int, day: Int)

    /// Words; a comma ends one.
    private static func tokens(_ text: [UInt8]) -> [ArraySlice<UInt8>] {
        var tokens: [ArraySlice<UInt8>] = []
        var start = 0
        for index in text.indices {
            let isComma = text[index] == UInt8(ascii: ",")
            guard isComma || text[index].isBlank else { continue }
            let end = isComma ? index + 1 : index
            if end > start { tokens.append(text[start..<end]) }
            start = index + 1
        }
        if start < text.count { tokens.append(text[start...]) }
        return tokens
    }

    // MARK: - The day

    private static func takeDate(_ tokens: inout [ArraySlice<UInt8>]) -> Day? {
        guard tokens.count >= 3 else { return nil }
        for index in 0...(tokens.count - 3) {
            guard let day = self.number(tokens[index]), let month = self.month(tokens[index + 1]), tokens[index + 2].count == 4,
                let year = self.number(tokens[index + 2])
            else { continue }
            tokens.removeSubrange(index..<(index + 3))
            return (year, month, day)
        }
        // As ctime() writes it; what the time of day is does not matter then.
        for index in 0..<max(tokens.count - 3, 0) {
            guard let month = self.month(tokens[index]), let day = self.number(tokens[index + 1]),
                self.isTime(tokens[index + 2]), tokens[index + 3].count == 4, let year = self.number(tokens[index + 3])
            else { continue }
            tokens.removeSubrange(index..<(index + 4))
            return (year, month, day)
        }
        for index in 0...(tokens.count - 3) {
            let length = tokens[index + 2].count
            guard let day = self.number(tokens[index]), let month = self.month(tokens[index + 1]), (2...3).contains(length),
                let year = self.number(tokens[index + 2])
            else { continue }
            tokens.removeSubrange(index..<(index + 3))
            // RFC 5322 §4.3.
            return (length == 2 && year < 50 ? year + 2000 : year + 1900, month, day)
        }
        return nil
    }

    private static func number(_ token: ArraySlice<UInt8>) -> Int? {
        guard !token.isEmpty, token.count <= 9, token.allSatisfy(\.isDigit) else { return nil }
        return token.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    private static let months = "janfebmaraprmayjunjulaugsepoctnovdec".utf8.map { $0 }

    private static func month(_ token: ArraySlice<UInt8>) -> Int? {
        guard token.count == 3 else { return nil }
        let name = token.map(\.lowercased)
        return (0..<12).first { self.months[(3 * $0)..<(3 * $0 + 3)].elementsEqual(name) }.map { $0 + 1 }
    }

    private static func isTime(_ token: ArraySlice<UInt8>) -> Bool {
        let pieces = token.split(separator: 0x3a, omittingEmptySubsequences: false)
        return pieces.count == 3 && pieces.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isDigit) }
    }

    private static func days(in date: Day) -> Int {
        switch date.month {
        case 4, 6, 9, 11: 30
        // SpamAssassin's rule for centuries is the wrong way round below 400; years of mail are not affected.
        case 2: date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    /// Days since 1970-01-01 (Howard Hinnant's algorithm for the Gregorian calendar, for years from 0 on).
    private static func dayNumber(_ date: Day) -> Int {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    // MARK: - Time of day and zone

    private static func takeTime(_ tokens: inout [ArraySlice<UInt8>]) -> (Int, Int, Int)? {
        for (index, token) in tokens.enumerated() where token.contains(0x3a) {
            let pieces = token.split(separator: 0x3a, omittingEmptySubsequences: false)
            guard (2...3).contains(pieces.count), (1...2).contains(pieces[0].count),
                pieces.dropFirst().allSatisfy({ $0.count == 2 })
            else { continue }
            let numbers = pieces.compactMap(self.number)
            guard numbers.count == pieces.count else { continue }
            tokens.remove(at: index)
            return (numbers[0], numbers[1], numbers.count == 3 ? numbers[2] : 0)
        }
        return nil
    }

    /// Seconds east of Greenwich.
    private static func zone(_ tokens: [ArraySlice<UInt8>]) -> Int {
        for token in tokens where token.count == 5 && (token.first == 0x2b || token.first == 0x2d) {
            guard let value = self.number(token.dropFirst()) else { continue }
            let offset = (value / 100 * 60 + value % 100) * 60
            return token.first == 0x2d ? -offset : offset
        }
        guard let name = self.zoneName(Array(tokens.joined(separator: [0x20]))) else { return 0 }
        return (self.zones[name] ?? 0) * 60
    }

    /// The first word of two to four capitals, maybe with `-DST`.
    private static func zoneName(_ text: [UInt8]) -> String? {
        var index = 0
        while index < text.count {
            guard text[index].isWord else {
                index += 1
                continue
            }
            let end = text[index...].firstIndex { !$0.isWord } ?? text.count
            let word = text[index..<end]
            if (2...4).contains(word.count), word.allSatisfy({ (0x41...0x5a).contains($0) }) {
                let daylight = Array("-DST".utf8)
                let behind = end + daylight.count
                let hasDaylight = text[end...].starts(with: daylight) && (behind == text.count || !text[behind].isWord)
                return String(decoding: text[index..<(hasDaylight ? behind : end)], as: UTF8.self)
            }
            index = end
        }
        return nil
    }

    /// Minutes east of Greenwich.
    private static let zones: [String: Int] = [
        "UT": 0, "UTC": 0, "NDT": -150, "AST": -240, "ADT": -180, "NST": -210, "EST": -300, "EDT": -240, "CST": -360,
        "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "HST": -600, "AKST": -540, "AKDT": -480,
        "HADT": -540, "HAST": -600, "GMT": 0, "BST": 60, "IST": 60, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120,
        "EET": 120, "EEST": 180, "MSK": 180, "MSD": 240, "MET": 60, "MEZ": 60, "MEST": 120, "MESZ": 120, "BRST": -120,
        "BRT": -180, "AEST": 600, "AEDT": 660, "ACST": 570, "ACDT": 630, "AWST": 480, "NZST": 720, "NZDT": 780,
        "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "PHT": 480, "IDT": 180,
    ]
}
