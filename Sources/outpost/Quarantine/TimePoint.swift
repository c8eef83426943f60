import ArgumentParser
import Foundation
import MailStore

/// An age: `90m`, `12h`, `30d`, `4w`.
struct Age: ExpressibleByArgument {
    let seconds: Int

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        guard let unit = argument.last.flatMap({ units[$0] }), argument.dropLast().allSatisfy(\.isNumber),
            let count = Int(argument.dropLast())
        else { return nil }
        let (seconds, isTooMuch) = count.multipliedReportingOverflow(by: unit)
        // Beyond a thousand years it is a slip.
        guard !isTooMuch, seconds <= 1_000 * 366 * 86_400 else { return nil }
        self.seconds = seconds
    }
}

/// A point in time, said by an age, a day or a time.
struct TimePoint: ExpressibleByArgument {
    let milliseconds: Int64

    init?(argument: String) {
        if let age = Age(argument: argument) {
            self.milliseconds = TimeText.now() - Int64(age.seconds) * 1_000
            return
        }
        // A day begins when it does here; a time says its zone.
        let day = DateFormatter()
        day.locale = Locale(identifier: "en_US_POSIX")
        day.dateFormat = "yyyy-MM-dd"
        day.isLenient = false
        guard let date = day.date(from: argument) ?? (try? Date(argument, strategy: .iso8601)) else { return nil }
        self.milliseconds = Int64(date.timeIntervalSince1970 * 1_000)
    }
}
