import Logging
import MailStore
import MailTypes
import OutpostTestKit
import Testing

@testable import Gateway

@Suite("Counting the hits of rules")
struct RuleHitCounterTests {
    @Test("What was counted is written at the end, live and on trial apart")
    func counting() async throws {
        let directory = try TemporaryDirectory()
        let counter = try RuleHitCounter(
            directory: directory.path,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        counter.start()
        let hit = Hit(rule: "A", score: 1)
        counter.count(RuleFindings(hits: [hit], subhits: ["__X"], shadowHits: [Hit(rule: "B", score: 1)]))
        counter.count(RuleFindings(hits: [hit]))
        await counter.stop()
        let counts = try await RuleHitStore(directory: directory.path).counts()
        #expect(counts.map(\.rule) == ["A", "B"])
        #expect(counts.map(\.live) == [2, 0])
        #expect(counts.map(\.shadow) == [0, 1])
    }
}
