import MailTypes
import Testing

@testable import MailPolicy

@Suite("Rates")
struct RateTests {
    private static let client = IPAddress(v4: 0xc000_0201)

    private func charge(_ limit: Int, per seconds: Int, key: String = "a") -> RateCharge {
        RateCharge(limit: RateLimit(per: .clientAddress, of: .messages, limit: limit, windowSeconds: seconds), key: key)
    }

    @Test("the whole limit at once, then one after the other")
    func bucket() {
        var table = RateTable()
        let charge = self.charge(3, per: 30)
        for _ in 0..<3 { #expect(table.take([charge], now: 0) == nil) }
        #expect(table.take([charge], now: 0)?.seconds == 10)
        #expect(table.take([charge], now: 9_999) != nil)
        #expect(table.take([charge], now: 10_000) == nil)
        #expect(table.take([charge], now: 10_000) != nil)
        for _ in 0..<3 { #expect(table.take([charge], now: 100_000) == nil) }
        #expect(table.take([charge], now: 100_000) != nil)
    }

    @Test("in the long run nobody gets more than the limit, and who stays below it is never refused")
    func longRun() {
        var table = RateTable()
        let charge = self.charge(10, per: 60)
        var taken = 0
        for tick in 0..<36_000 where table.take([charge], now: Int64(tick) * 100) == nil { taken += 1 }
        #expect((600...610).contains(taken), "\(taken) in an hour")
        var calm = RateTable()
        for minute in 0..<100 {
            for _ in 0..<5 { #expect(calm.take([charge], now: Int64(minute) * 60_000) == nil) }
        }
    }

    @Test("one empty bucket refuses, and takes nothing from the others")
    func together() {
        var table = RateTable()
        let (small, large) = (self.charge(1, per: 60, key: "small"), self.charge(2, per: 60, key: "large"))
        #expect(table.take([small, large], now: 0) == nil)
        for _ in 0..<5 { #expect(table.take([large, small], now: 0)?.charge == small) }
        #expect(table.take([large], now: 0) == nil)
    }

    @Test("memory is bounded, and the oldest go first")
    func bounded() {
        var table = RateTable(maximumKeys: 100)
        let mine = self.charge(1, per: 3_600, key: "mine")
        #expect(table.take([mine], now: 0) == nil)
        for number in 0..<49 { #expect(table.take([self.charge(1, per: 3_600, key: "\(number)")], now: 1) == nil) }
        #expect(table.take([mine], now: 2) != nil)
        for number in 0..<10_000 {
            _ = table.take([self.charge(1, per: 3_600, key: "n\(number)")], now: 3)
            #expect(table.count <= 100)
        }
        #expect(table.take([mine], now: 4) == nil, "long gone")
    }

    @Test(
        "what is counted when, and for whom",
        arguments: [
            (RateSubject.clientAddress, RateUnit.connections, true), (.clientNetwork, .messages, true),
            (.reversePath, .connections, false), (.senderDomain, .messages, true), (.senderDomain, .recipients, true),
            (.recipientDomain, .messages, false), (.recipientDomain, .recipients, true),
        ]
    )
    func countable(per: RateSubject, of: RateUnit, isCountable: Bool) {
        #expect(RateLimit(per: per, of: of, limit: 1, windowSeconds: 1).isCountable == isCountable)
    }

    @Test("keys, and those who are exempt")
    func keys() throws {
        let limits = RateLimits(
            RateSubject.allCases.map { RateLimit(per: $0, of: .recipients, limit: 1, windowSeconds: 1) } + [
                RateLimit(
                    per: .clientAddress,
                    of: .recipients,
                    limit: 1,
                    windowSeconds: 1,
                    exempt: [try #require(IPNetwork("192.0.2.0/28"))]
                )
            ]
        )
        let (sender, recipient) = (try #require(MailAddress("Ann@Example.org")), try #require(MailAddress("bob@example.com")))
        let charges = limits.recipient(recipient, from: Self.client, sender: .mailbox(sender))
        #expect(charges.map(\.key) == ["192.0.2.1", "192.0.2.0/24", "ann@example.org", "example.org", "example.com"])
        #expect(limits.recipient(recipient, from: Self.client, sender: .null).count == 3, "bounces come from nobody")
        #expect(limits.message(from: Self.client, sender: .mailbox(sender)).isEmpty)
    }

    @Test("replies")
    func replies() {
        let codes = RateUnit.allCases.map { unit in
            let limit = RateLimit(per: .clientAddress, of: unit, limit: 1, windowSeconds: 1)
            return RateOverrun(charge: RateCharge(limit: limit, key: "x"), seconds: 1).reply.description.prefix(9)
        }
        #expect(codes == ["421 4.7.0", "450 4.7.1", "450 4.7.1"])
    }
}
