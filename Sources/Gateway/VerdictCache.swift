import MailTypes
import Synchronization

/// Remembers what slow checks found after the sender had been told to try again, so that the retry is answered at once
/// instead of running into the same time limit for ever.
final class VerdictCache: Sendable {
    struct Key: Hashable, Sendable {
        /// SHA-256 of the message as it came.
        var contentHash: [UInt8]
        /// Counts reloads: new rules, lists or limits make old findings worthless.
        var generation: Int
    }

    private struct Entry {
        var scan: ScanFindings?
        var rules: RuleFindings?
        var expires: ContinuousClock.Instant
    }

    /// Senders retry within minutes to a few hours (RFC 5321 §4.5.4.1).
    private static let lifetime = Duration.seconds(4 * 3_600)
    /// Each is some hundred octets; only messages that ran over their time are in here.
    private static let capacity = 10_000

    private let entries = Mutex<[Key: Entry]>([:])

    func remember(_ key: Key, scan: ScanFindings? = nil, rules: RuleFindings? = nil) {
        let now = ContinuousClock.now
        self.entries.withLock { entries in
            if entries.count >= Self.capacity {
                entries = entries.filter { $0.value.expires > now }
                if entries.count >= Self.capacity { entries.removeAll() }
            }
            var entry = entries[key] ?? Entry(expires: now)
            entry.scan = scan ?? entry.scan
            entry.rules = rules ?? entry.rules
            entry.expires = now + Self.lifetime
            entries[key] = entry
        }
    }

    func find(_ key: Key) -> (scan: ScanFindings?, rules: RuleFindings?) {
        self.entries.withLock { entries in
            guard let entry = entries[key], entry.expires > .now else { return (nil, nil) }
            return (entry.scan, entry.rules)
        }
    }
}
