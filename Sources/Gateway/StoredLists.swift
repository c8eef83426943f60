import Glibc
import Logging
import MailPolicy
import MailStore
import MailTypes
import Synchronization

/// The allow and deny lists that commands change, as the mail path needs them: compiled, in memory, at most a second old.
///
/// SQLite counts for each connection what others have written (`PRAGMA data_version`); that number is asked for once a second on
/// a thread of the database's own, and only when it is another one the lists are read again. While they cannot be read, the last
/// known stay in force and the log says so.
final class StoredLists: Sendable {
    /// Between two looks: how long a change may take to count.
    static let interval = Duration.seconds(1)

    private let store: any ListSource
    private let interval: Duration
    private let logger: Logger
    private let current: Mutex<SenderLists>
    /// What the store said when it was read last.
    private let mark = Mutex<Int?>(nil)
    private let reading = RecurringTask()

    /// - Throws: when the lists cannot be read: a gateway that does not know whom to refuse does not start.
    convenience init(directory: String, logger: Logger) throws {
        let store = try ListStore(directory: directory)
        self.init(store, known: try store.entriesAtStart().entries.map(\.entry), logger: logger)
    }

    init(_ store: any ListSource, known: [ListEntry], interval: Duration = StoredLists.interval, logger: Logger) {
        self.store = store
        self.interval = interval
        self.logger = logger
        self.current = Mutex(SenderLists(known))
    }

    /// Both kinds of lists for a command; those that are stored where the caller may open them.
    static func offline(_ snapshot: GatewaySnapshot) throws -> SenderGate {
        let directory = snapshot.configuration.dataDirectory
        guard access(ListStore.file(in: directory), R_OK | W_OK) == 0 else { return SenderGate([snapshot.senders]) }
        let stored = try ListStore(directory: directory).entriesAtStart().entries.map(\.entry)
        return SenderGate([snapshot.senders, SenderLists(stored)])
    }

    /// Both kinds of lists together.
    func gate(with snapshot: GatewaySnapshot) -> SenderGate {
        SenderGate([snapshot.senders, self.current.withLock { $0 }])
    }

    func start() {
        self.reading.start(
            every: self.interval,
            isFirstAtOnce: true,
            report: .init(
                logger: self.logger,
                failing: "lists cannot be read, the last known stay in force",
                recovered: "lists can be read again"
            )
        ) { try await self.readIfChanged() }
    }

    private func readIfChanged() async throws {
        let now = try await self.store.changeMark()
        let last = self.mark.withLock { $0 }
        // Read again once: somebody may have written since the start.
        if now != last { try await self.read(isChange: last != nil) }
        self.mark.withLock { $0 = now }
    }

    private func read(isChange: Bool) async throws {
        let (entries, unknown) = try await self.store.entries()
        let lists = SenderLists(entries.map(\.entry))
        self.current.withLock { $0 = lists }
        if unknown > 0 {
            let text = "\(unknown) of them were written by another version"
            self.logger.log(.warning, "entries of the lists are not understood and do not count", [.error: "\(text)"])
        }
        if isChange { self.logger.log(.notice, "lists changed", [.entries: .stringConvertible(entries.count)]) }
    }

    func stop() async { await self.reading.stop() }
}
