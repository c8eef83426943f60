import Glibc
import Synchronization
import SystemKit

/// Takes processor time from scans that turn out to be long, so that short ones pass them: a thread that has worked on one scan for
/// more than `fullSpeed` gives way from then on. Time is the thread's own, so that a busy machine slows nobody by itself.
///
/// A thread cannot take that back without being root, so it ends after the scan, and its connection with it.
final class ScanPace: Sendable {
    /// Milliseconds of processor time: thirty times what an ordinary message takes.
    private static let fullSpeed = 100
    /// How often running scans are looked at.
    private static let interval: UInt32 = 50_000

    private struct Scan {
        var thread: Int32
        var clock: clockid_t
        var began: Int
        var isSlowed = false
    }

    private struct State {
        var scans: [UInt64: Scan] = [:]
        var nextID: UInt64 = 0
        var isWatching = false
    }

    private let state = Mutex(State())
    /// Raised when the first of several scans begins: without scans nobody watches.
    private let begun = Semaphore(0)

    /// - Throws: when there can be no thread that watches.
    init() throws(SystemError) {
        if let error = startThread(name: "pace", { [self] in self.watch() }) { throw error }
    }

    /// The calling thread begins a scan; `end` follows on it.
    func begin() -> UInt64 {
        var clock = clockid_t()
        pthread_getcpuclockid(pthread_self(), &clock)
        let scan = Scan(thread: CurrentThread.id, clock: clock, began: Self.milliseconds(clock))
        let (id, wakes) = self.state.withLock { state in
            state.nextID += 1
            state.scans[state.nextID] = scan
            defer { state.isWatching = true }
            return (state.nextID, !state.isWatching)
        }
        if wakes { self.begun.signal() }
        return id
    }

    /// - Returns: whether the thread was slowed.
    func end(_ id: UInt64) -> Bool {
        self.state.withLock { $0.scans.removeValue(forKey: id)?.isSlowed ?? false }
    }

    private func watch() {
        while true {
            self.begun.wait()
            repeat { usleep(Self.interval) } while self.look()
        }
    }

    /// - Returns: whether there is anything to watch.
    private func look() -> Bool {
        // Within the lock: a thread that is told to give way has not ended its scan, and so lives.
        self.state.withLock { state in
            for (id, scan) in state.scans where !scan.isSlowed {
                guard Self.milliseconds(scan.clock) - scan.began >= Self.fullSpeed else { continue }
                CurrentThread.letGiveWay(scan.thread)
                state.scans[id]?.isSlowed = true
            }
            state.isWatching = !state.scans.isEmpty
            return state.isWatching
        }
    }

    private static func milliseconds(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}
