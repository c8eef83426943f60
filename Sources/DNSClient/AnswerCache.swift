import MailTypes

/// Answers that are still good, by question. It holds a bounded number in two halves: when the younger one is full it becomes
/// the older one, and what was not asked for in that time is gone.
struct AnswerCache {
    struct Question: Hashable, Sendable {
        var name: DNSName
        var type: DNSRecordType
    }

    private struct Entry {
        var response: DNSResponse
        var expires: ContinuousClock.Instant
    }

    /// Answers in each half: some megabytes in all.
    static let capacity = 10_000
    /// Seconds an answer is kept at most, whatever its time to live.
    static let maximumSeconds: UInt32 = 3_600
    /// The same for an answer that says that there is nothing (RFC 2308 §5 allows hours): it is asked again soon.
    static let maximumSecondsOfNothing: UInt32 = 300

    private var young: [Question: Entry] = [:]
    private var old: [Question: Entry] = [:]

    var count: Int { self.young.count + self.old.count }

    mutating func find(_ question: Question, now: ContinuousClock.Instant) -> DNSResponse? {
        if let entry = self.young[question] { return entry.expires > now ? entry.response : nil }
        guard let entry = self.old[question], entry.expires > now else { return nil }
        self.insert(entry, question)
        return entry.response
    }

    mutating func keep(_ response: DNSResponse, _ question: Question, now: ContinuousClock.Instant) {
        let limit: UInt32
        switch response.outcome {
        case .found: limit = Self.maximumSeconds
        case .noData, .noName: limit = Self.maximumSecondsOfNothing
        case .failure: return
        }
        let seconds = min(response.timeToLive, limit)
        guard seconds > 0 else { return }
        self.insert(Entry(response: response, expires: now + .seconds(Int(seconds))), question)
    }

    private mutating func insert(_ entry: Entry, _ question: Question) {
        if self.young.count >= Self.capacity {
            self.old = self.young
            self.young = [:]
        }
        self.young[question] = entry
    }
}
