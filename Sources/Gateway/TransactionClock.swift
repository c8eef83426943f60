import Glibc
import MailTypes
import Synchronization

/// The wall clock, and ids that are never given twice by one process and practically never by two.
package final class TransactionClock: Sendable {
    private let sequence: Atomic<UInt32>

    package init() {
        self.sequence = Atomic(UInt32.random(in: 0...UInt32.max))
    }

    package func nextID() -> TransactionID {
        let number = self.sequence.wrappingAdd(1, ordering: .relaxed).newValue
        return TransactionID(milliseconds: UInt64(max(0, Self.milliseconds())), sequence: number)
    }

    /// Since 1970, UTC.
    package static func milliseconds() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }

    package static func seconds() -> Int { self.milliseconds() / 1_000 }
}

/// Measures how long something takes.
struct Stopwatch {
    private let start = ContinuousClock.now

    var microseconds: Int {
        let (seconds, attoseconds) = (ContinuousClock.now - self.start).components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }
}
