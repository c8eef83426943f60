import Glibc

/// Points in time as text.
package enum TimeText {
    /// `2026-11-23T18:30:35.123Z` (RFC 3339).
    package static func utc(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds.flooredQuotient(1_000))
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let fraction = milliseconds - Int64(seconds) * 1_000
        return "\(self.date(parts))T\(self.time(parts)).\(self.digits(Int(fraction), 3))Z"
    }

    /// `2026-11-23 18:30`, in the time zone of this process.
    package static func local(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds.flooredQuotient(1_000))
        var parts = tm()
        localtime_r(&seconds, &parts)
        return "\(self.date(parts)) \(self.time(parts).prefix(5))"
    }

    /// Milliseconds since 1970, now.
    package static func now() -> Int64 {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return Int64(value.tv_sec) * 1_000 + Int64(value.tv_nsec) / 1_000_000
    }

    private static func date(_ parts: tm) -> String {
        "\(self.digits(Int(parts.tm_year) + 1_900, 4))-\(self.digits(Int(parts.tm_mon) + 1, 2))-\(self.digits(Int(parts.tm_mday), 2))"
    }

    private static func time(_ parts: tm) -> String {
        "\(self.digits(Int(parts.tm_hour), 2)):\(self.digits(Int(parts.tm_min), 2)):\(self.digits(Int(parts.tm_sec), 2))"
    }

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

extension Int64 {
    fileprivate func flooredQuotient(_ divisor: Int64) -> Int64 {
        let (quotient, remainder) = self.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
