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

    /// Rules look at the envelope, too: their findings hold for the same one only.
    private struct KnownRules {
        var findings: RuleFindings
        var envelope: Envelope
    }

    private struct Entry {
        var scan: ScanFindings?
        var rules: KnownRules?
        var expires: ContinuousClock.Instant
    }

    /// Senders retry within minutes to a few hours (RFC 5321 §4.5.4.1).
    private static let lifetime = Duration.seconds(4 * 3_600)
    /// Each is some hundred octets; only messages that ran over their time are in here.
    private static let capacity = 10_000

    private let entries = Mutex<[Key: Entry]>([:])

    func remember(_ key: Key, scan: ScanFindings? = nil, rules: RuleFindings? = nil, envelope: Envelope? = nil) {
        let now = ContinuousClock.now
        self.entries.withLock { entries in
            if entries.count >= Self.capacity {
                entries = entries.filter { $0.value.expires > now }
                if entries.count >= Self.capacity { entries.removeAll() }
            }
            var entry = entries[key] ?? Entry(expires: now)
            entry.scan = scan ?? entry.scan
            if let rules, let envelope { entry.rules = KnownRules(findings: rules, envelope: Self.comparable(envelope)) }
            entry.expires = now + Self.lifetime
            entries[key] = entry
        }
    }

    func find(_ key: Key, envelope: Envelope) -> (scan: ScanFindings?, rules: RuleFindings?) {
        let wanted = Self.comparable(envelope)
        return self.entries.withLock { entries in
            guard let entry = entries[key], entry.expires > .now else { return (nil, nil) }
            return (entry.scan, entry.rules.flatMap { $0.envelope == wanted ? $0.findings : nil })
        }
    }

    /// A retry comes from another port, over another session of TLS, and what the DNS said of it may be new.
    private static func comparable(_ envelope: Envelope) -> Envelope {
        var envelope = envelope
        envelope.client.port = 0
        envelope.client.tls = nil
        envelope.authentication = nil
        envelope.reputation = nil
        envelope.network = nil
        return envelope
    }
}
