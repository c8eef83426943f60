import MailStore
import OutpostTestKit
import Testing

@Suite("Counts of rules' hits")
struct RuleHitStoreTests {
    private static let now: Int64 = 1_795_425_600_000
    private let day = RuleHitCount.day(Self.now)

    @Test("Batches add up by rule and day, and outlive the process that wrote them")
    func addition() async throws {
        let directory = try TemporaryDirectory()
        let first = try RuleHitStore(directory: directory.path)
        try await first.add(
            [
                RuleHitCount(rule: "B", day: self.day, live: 2, shadow: 0),
                RuleHitCount(rule: "A", day: self.day, live: 0, shadow: 1),
            ],
            now: Self.now
        )
        try await first.add([RuleHitCount(rule: "B", day: self.day, live: 1, shadow: 4)], now: Self.now)
        let second = try RuleHitStore(directory: directory.path)
        #expect(
            try await second.counts() == [
                RuleHitCount(rule: "A", day: self.day, live: 0, shadow: 1),
                RuleHitCount(rule: "B", day: self.day, live: 3, shadow: 4),
            ]
        )
    }

    @Test("Days that are too old go")
    func age() async throws {
        let directory = try TemporaryDirectory()
        let store = try RuleHitStore(directory: directory.path)
        let kept = RuleHitCount.day(Self.now - Int64(RuleHitStore.keptDays) * 86_400_000)
        try await store.add(
            [
                RuleHitCount(rule: "A", day: "2001-01-01", live: 1, shadow: 0),
                RuleHitCount(rule: "A", day: kept, live: 1, shadow: 0),
            ],
            now: Self.now
        )
        #expect(try await store.counts().map(\.day) == [kept])
    }

    @Test("The day of a time is that of UTC")
    func days() {
        #expect(RuleHitCount.day(0) == "1970-01-01")
        #expect(RuleHitCount.day(86_399_999) == "1970-01-01")
        #expect(RuleHitCount.day(86_400_000) == "1970-01-02")
    }
}
