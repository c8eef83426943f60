import Logging
import MailStore
import MailTypes
import OpenSSLKit
import Synchronization

/// Which messages were taken while their clients may not have heard it: such a client sends its message again, and is told the same
/// instead of having it delivered twice.
///
/// A message is named by its sender and its octets as the client sent them, before any field of ours: a server that sends again
/// sends the same. Each recipient counts by itself, since a retry may have others, too.
///
/// An entry is written before the positive reply and settled when the client is seen to have heard that: then the same octets from the same
/// sender are a new message. While a client is connected and waits, another that sends the same is no retry either: a server that
/// tries again has given up its first connection.
final class Ledger: Sendable {
    /// One transaction's way through here.
    struct Passage: Hashable, Sendable {
        fileprivate let number: Int64
        fileprivate let key: [UInt8]
        /// Folded; those that another transaction has served are left out.
        fileprivate let recipients: Set<String>
        /// Entries that are of no more use when the client has heard its reply.
        fileprivate let entries: [Int64]
    }

    /// What is known of a message that has come.
    enum Standing: Sendable {
        /// Nothing. Its passage must be ended, `finished` or `taken`.
        case new(Passage)
        /// A client that has gone sent it before, and what becomes of that is not known yet.
        case underWay
        /// All have it; what its client was told, or would have been. The passage ends when that is `heard`.
        case taken(LedgerEntry, Passage)
        /// These have it; the passage is that of the others.
        case partly(Set<String>, Passage)
    }

    private struct Visit {
        var passage: Passage
        let began = ContinuousClock.now
        /// The client is silent.
        var since = ContinuousClock.now
        var isClientGone = false
        /// Taken, and the reply is on its way.
        var entry: LedgerEntry?
    }

    private struct State {
        /// Transactions that are under way or whose clients have not been seen to hear their reply, by key.
        var visits: [[UInt8]: [Visit]] = [:]
        /// Entries whose clients have gone, by the first octets of their keys: a message that is not among them is new without
        /// anybody's asking the disk.
        var open: [UInt64: [Int64]] = [:]
        var nextNumber: Int64 = 1
    }

    private let store: LedgerStore
    private let logger: Logger
    private let state = Mutex(State())
    private let forgetting = RecurringTask()
    private let rememberMilliseconds: Int64
    private let maxEntries: Int

    /// A message that lies in the spool or in the quarantine.
    struct Stored: Sendable {
        var key: [UInt8]
        var recipients: [Recipient]
        var id: TransactionID
        var reply: SMTPReply
        /// Milliseconds since 1970.
        var received: Int64

        init(_ record: QuarantineRecord, reply: SMTPReply) {
            self.key = Ledger.key(record.envelope.reversePath, contentHash: record.contentHash)
            self.recipients = record.envelope.recipients
            self.id = record.id
            self.reply = reply
            self.received = record.received
        }
    }

    /// Of the messages that were stored last, so many are looked at when the gateway starts: more than can be on their way at once.
    static let latest = 10_000
    /// Before the last of them, milliseconds: longer than a message waits between its storing and its entry here.
    private static let crashWindow: Int64 = 60_000
    /// Between two rounds of forgetting.
    private static let interval = Duration.seconds(60)
    /// A connection may be lost without a sign. When the same message comes after so long, its client has begun anew: mail servers
    /// wait ten minutes for the final reply (RFC 5321 §4.5.3.2.6), but their networks break sooner.
    private static let patience = Duration.seconds(60)

    init(_ configuration: GatewayConfiguration, logger: Logger) throws {
        self.store = try LedgerStore(directory: configuration.dataDirectory)
        self.logger = logger
        self.rememberMilliseconds = Int64(configuration.ledger.rememberSeconds) * 1_000
        self.maxEntries = configuration.ledger.maxEntries
    }

    static func key(_ reversePath: ReversePath, contentHash: [UInt8]) -> [UInt8] {
        SHA256.hash(Array("\(reversePath.address?.folded ?? "")\0".utf8) + contentHash)
    }

    // MARK: - A message

    /// Whether the whole message came from another client, which seems to be there still, before this session began. That client may
    /// have gone a moment ago, and its end not be seen yet; then this is its retry.
    func isWith(anotherSince sessionBegan: ContinuousClock.Instant, _ key: [UInt8], _ recipients: [Recipient]) -> Bool {
        self.state.withLock { state in
            guard let visits = state.visits[key] else { return false }
            let names = Set(recipients.map(\.forwardPath.folded))
            return visits.contains {
                !$0.isClientGone && $0.began < sessionBegan && !$0.passage.recipients.isDisjoint(with: names)
            }
        }
    }

    /// What is known of a message without asking the disk.
    /// - Returns: nil when that must be asked: `look` does.
    func enter(_ key: [UInt8], _ recipients: [Recipient]) -> Standing? {
        let names = Set(recipients.map(\.forwardPath.folded))
        return self.state.withLock { state in
            for visit in state.visits[key] ?? [] where !visit.passage.recipients.isDisjoint(with: names) {
                guard visit.isClientGone || ContinuousClock.now - visit.since > Self.patience else { continue }
                guard let entry = visit.entry else { return .underWay }
                if entry.recipients.isSuperset(of: names) { return .taken(entry, Self.repetition(of: [entry])) }
                return nil
            }
            guard state.open[Self.fingerprint(key)] == nil else { return nil }
            return .new(Self.begin(key, names, [], &state))
        }
    }

    /// What is known of a message, with what the disk says.
    func look(_ key: [UInt8], _ recipients: [Recipient]) async -> Standing {
        let names = Set(recipients.map(\.forwardPath.folded))
        let numbers = self.state.withLock { state in
            // Of clients that have gone, and of those that are silent.
            let silent = state.visits[key, default: []].filter { ContinuousClock.now - $0.since > Self.patience }
            return state.open[Self.fingerprint(key), default: []] + silent.map(\.passage.number)
        }
        var entries: [LedgerEntry] = []
        do {
            let oldest = TimeText.now() - self.rememberMilliseconds
            entries = try await self.store.entries(numbers).filter { $0.key == key && $0.moment >= oldest }
        } catch {
            self.logger.log(.warning, "the ledger cannot be read", [.error: "\(error)"])
        }
        entries.removeAll { $0.recipients.isDisjoint(with: names) }
        let served = entries.reduce(into: Set<String>()) { $0.formUnion($1.recipients) }.intersection(names)
        if served == names, let last = entries.last { return .taken(last, Self.repetition(of: entries)) }
        let earlier = entries.filter { $0.recipients.isSubset(of: names) }.map(\.number)
        let passage = self.state.withLock { Self.begin(key, names.subtracting(served), earlier, &$0) }
        return served.isEmpty ? .new(passage) : .partly(served, passage)
    }

    private static func begin(
        _ key: [UInt8],
        _ recipients: Set<String>,
        _ earlier: [Int64],
        _ state: inout State
    ) -> Passage {
        let number = state.nextNumber
        let passage = Passage(number: number, key: key, recipients: recipients, entries: earlier + [number])
        state.nextNumber += 1
        state.visits[key, default: []].append(Visit(passage: passage))
        return passage
    }

    /// Of a client that hears again what became of its message. It has no visit: the entries stay until it has heard.
    private static func repetition(of entries: [LedgerEntry]) -> Passage {
        Passage(number: 0, key: entries[0].key, recipients: [], entries: entries.map(\.number))
    }

    /// Writes down that the message was taken; it is on the disk when this returns.
    func taken(_ passage: Passage, id: TransactionID, reply: SMTPReply) async {
        let entry = LedgerEntry(
            number: passage.number,
            key: passage.key,
            recipients: passage.recipients,
            id: id,
            reply: reply,
            moment: TimeText.now()
        )
        do {
            try await self.store.record(entry)
        } catch {
            // The message is where it is; only its client's retry would not be known after a crash.
            self.logger.log(.warning, "the ledger cannot be written", [.id: "\(id)", .error: "\(error)"])
        }
        self.change(passage) { visit in
            visit.entry = entry
            visit.since = .now
            return visit.isClientGone
        }
    }

    /// The message was not taken: it may come again.
    func finished(_ passage: Passage) {
        self.change(passage) { visit in
            visit.entry = nil
            return true
        }
    }

    /// The client knows that the message was taken.
    func heard(_ passage: Passage) {
        self.finished(passage)
        self.state.withLock { state in
            for number in passage.entries { Self.close(number, passage.key, &state) }
        }
        self.store.settle(passage.entries)
    }

    /// The client has gone, and is not seen to have heard anything.
    func clientLeft(_ passage: Passage) {
        self.change(passage) { visit in
            visit.isClientGone = true
            // What is still under way stays known here until it ends.
            return visit.entry != nil
        }
    }

    /// - Parameter change: says whether the visit is over; what was taken then is open from now on.
    private func change(_ passage: Passage, _ change: (inout Visit) -> Bool) {
        self.state.withLock { state in
            guard let index = state.visits[passage.key]?.firstIndex(where: { $0.passage.number == passage.number }),
                var visit = state.visits[passage.key]?[index]
            else { return }
            guard change(&visit) else {
                state.visits[passage.key]?[index] = visit
                return
            }
            state.visits[passage.key]?.remove(at: index)
            if state.visits[passage.key]?.isEmpty == true { state.visits[passage.key] = nil }
            if visit.entry != nil { state.open[Self.fingerprint(passage.key), default: []].append(passage.number) }
        }
    }

    private static func close(_ number: Int64, _ key: [UInt8], _ state: inout State) {
        let fingerprint = self.fingerprint(key)
        state.open[fingerprint]?.removeAll { $0 == number }
        if state.open[fingerprint]?.isEmpty == true { state.open[fingerprint] = nil }
    }

    private static func fingerprint(_ key: [UInt8]) -> UInt64 { key.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

    // MARK: - Life

    /// Reads what is known.
    /// - Parameter stored: messages that were stored last before this start: a crash may have come between storing and writing here.
    func start(stored: [Stored]) async {
        do {
            let entries = try await self.store.keys()
            self.state.withLock { state in
                for entry in entries { state.open[Self.fingerprint(entry.key), default: []].append(entry.number) }
                state.nextNumber = (entries.last?.number ?? 0) + 1
            }
        } catch {
            self.logger.log(.error, "the ledger cannot be read", [.error: "\(error)"])
        }
        let newest = stored.map(\.received).max() ?? 0
        for message in stored where message.received >= newest - Self.crashWindow {
            switch await self.look(message.key, message.recipients) {
            case .new(let passage), .partly(_, let passage):
                await self.taken(passage, id: message.id, reply: message.reply)
                self.clientLeft(passage)
            case .taken, .underWay: break
            }
        }
        self.forgetting.start(every: Self.interval, isFirstAtOnce: true) { await self.forget() }
    }

    func stop() async {
        await self.forgetting.stop()
        await self.flush()
    }

    private func flush() async {
        do {
            try await self.store.flush()
        } catch {
            self.logger.log(.warning, "the ledger cannot be written", [.error: "\(error)"])
        }
    }

    private func forget() async {
        await self.flush()
        do {
            while !Task.isCancelled {
                let oldest = TimeText.now() - self.rememberMilliseconds
                let forgotten = try await self.store.forget(before: oldest, keeping: self.maxEntries)
                if forgotten.isEmpty { return }
                self.state.withLock { state in
                    for entry in forgotten { Self.close(entry.number, entry.key, &state) }
                }
            }
        } catch {
            self.logger.log(.warning, "the ledger cannot be written", [.error: "\(error)"])
        }
    }
}
