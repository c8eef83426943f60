/// `date-time` (RFC 5322 §3.3) with the obsolete forms of §4.3, as mail in use has them.
enum DateSyntax {
    private static let days: Set<String> = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    /// Days of each month; February has its 29th here, the year decides below.
    private static let lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    /// No date is longer; nothing more is looked at.
    private static let maximumLength = 200

    /// `[ day-name "," ] day month year hour ":" minute [ ":" second ] zone`
    static func isDate(_ value: [UInt8]) -> Bool {
        guard value.count <= maximumLength, let bare = withoutComments(value) else { return false }
        let separators = [UInt8](" \t,".utf8)
        var words = bare.split { separators.contains($0) }.map { String(decoding: $0, as: UTF8.self).lowercased() }[...]
        if let first = words.first, days.contains(first) { words = words.dropFirst() }
        guard words.count == 5 else { return false }
        let fields = Array(words)
        return isDay(fields[0], fields[1], fields[2]) && isTime(fields[3]) && isZone(fields[4])
    }

    /// Comments nest (RFC 5322 §3.2.2); nil if one has no end.
    private static func withoutComments(_ value: [UInt8]) -> [UInt8]? {
        var depth = 0
        var kept: [UInt8] = []
        for octet in value {
            switch octet {
            case UInt8(ascii: "("): depth += 1
            case UInt8(ascii: ")"):
                guard depth > 0 else { return nil }
                depth -= 1
            default: if depth == 0 { kept.append(octet) }
            }
        }
        return depth == 0 ? kept : nil
    }

    private static func number(_ text: some StringProtocol, digits: ClosedRange<Int>) -> Int? {
        digits.contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) } ? Int(text) : nil
    }

    private static func isDay(_ day: String, _ month: String, _ year: String) -> Bool {
        // Two and three digits are years of old (RFC 5322 §4.3).
        guard let day = number(day, digits: 1...2), let index = months.firstIndex(of: month),
            var full = number(year, digits: 2...4)
        else {
            return false
        }
        if year.utf8.count < 4 { full += year.utf8.count == 2 && full < 50 ? 2_000 : 1_900 }
        let isLeap = full % 4 == 0 && (full % 100 != 0 || full % 400 == 0)
        let length = index == 1 && !isLeap ? 28 : lengths[index]
        return full >= 1_900 && (1...length).contains(day)
    }

    private static func isTime(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            .map { number(Substring($0), digits: 1...2) }
        guard (2...3).contains(parts.count), let hour = parts[0], let minute = parts[1] else { return false }
        // A leap second is second 60.
        let second = parts.count == 3 ? parts[2] : 0
        return hour < 24 && minute < 60 && second.map { $0 <= 60 } ?? false
    }

    /// `+0100`, or letters as in obs-zone.
    private static func isZone(_ text: String) -> Bool {
        if let sign = text.first, sign == "+" || sign == "-" {
            return number(text.dropFirst(), digits: 4...4).map { $0 % 100 < 60 } ?? false
        }
        return (1...5).contains(text.utf8.count) && text.utf8.allSatisfy { (97...122).contains($0) }
    }
}
