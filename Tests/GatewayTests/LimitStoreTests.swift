import Logging
import MailPolicy
import MailStore
import MailTypes
import OutpostTestKit
import Synchronization
import Testing

@testable import Gateway

/// A store that another host might have, and that is away.
private final class AwayStore: GreylistStore, RateStore, ListSource {
    struct Away: Error {}

    let isAway: Mutex<Bool>
    let mark = Mutex(1)
    let stored = Mutex<[StoredListEntry]>([])

    init(isAway: Bool) {
        self.isAway = Mutex(isAway)
    }

    private func ask() throws {
        if self.isAway.withLock({ $0 }) { throw Away() }
    }

    func visit(_ key: GreylistKey, settings: GreylistSettings, now: Int64) async throws -> GreylistVerdict {
        try self.ask()
        return .delay(seconds: 1)
    }

    func take(_ charges: [RateCharge], now: Int64) async throws -> RateOverrun? {
        try self.ask()
        return RateOverrun(charge: charges[0], seconds: 1)
    }

    func changeMark() async throws -> Int {
        try self.ask()
        return self.mark.withLock { $0 }
    }

    func entries() async throws -> (entries: [StoredListEntry], unknown: Int) {
        try self.ask()
        return (self.stored.withLock { $0 }, 0)
    }
}

@Suite("Stores of lists and limits that are away")
struct LimitStoreTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let client = IPAddress(v4: 0xc000_0201)

    @Test("without a greylist nobody is delayed")
    func greylist() async {
        let key = GreylistKey(source: "network 192.0.2.0/24", path: "<>", content: [1])
        let settings = GreylistSettings()
        #expect(await Greylist(AwayStore(isAway: true), logger: Self.logger).visit(key, settings: settings) == nil)
        let there = Greylist(AwayStore(isAway: false), logger: Self.logger)
        #expect(await there.visit(key, settings: settings) == .delay(seconds: 1))
    }

    @Test("without counts everybody may go on")
    func rates() async {
        let limit = RateLimit(per: .clientAddress, of: .messages, limit: 1, windowSeconds: 60)
        let charge = RateCharge(limit: limit, key: "192.0.2.1")
        #expect(await RateCounter(AwayStore(isAway: true), logger: Self.logger).take([[charge], []]) == [nil, nil])
        let counted = await RateCounter(AwayStore(isAway: false), logger: Self.logger).take([[charge], []])
        #expect(counted.map { $0 == nil } == [false, true])
    }

    private func entry(_ id: String, _ text: String) throws -> StoredListEntry {
        let subject = try ListEntry.subject(text, action: .deny, isSpoofable: false)
        return StoredListEntry(
            entry: ListEntry(id: id, action: .deny, text: text, subject: subject),
            created: 0,
            createdBy: ""
        )
    }

    @Test("lists that cannot be read stay as they were last known, and are read again when they can")
    func lists() async throws {
        let store = AwayStore(isAway: true)
        let known = try self.entry("1", "192.0.2.0/24")
        let lists = StoredLists(store, known: [known.entry], interval: .milliseconds(5), logger: Self.logger)
        let snapshot = GatewaySnapshot(
            configuration: GatewayConfiguration(hostname: "mx.example.com", dataDirectory: "/nowhere"),
            rules: nil
        )
        func decisive() -> String? { lists.gate(with: snapshot).atConnect(client: Self.client, now: 0)?.entry.id }
        lists.start()
        try await Task.sleep(for: .milliseconds(50))
        #expect(decisive() == "1")
        store.stored.withLock { $0 = [] }
        store.isAway.withLock { $0 = false }
        try await Self.until { decisive() == nil }
        // Nothing is read until somebody has written.
        let added = try self.entry("2", "192.0.2.1")
        store.stored.withLock { $0 = [added] }
        try await Task.sleep(for: .milliseconds(50))
        #expect(decisive() == nil)
        store.mark.withLock { $0 += 1 }
        try await Self.until { decisive() == "2" }
        await lists.stop()
    }

    private static func until(_ condition: () -> Bool) async throws {
        for _ in 0..<1_000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
        #expect(condition())
    }
}
