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

@Suite("Rates beside a store")
struct RateTableStoreTests {
    private func charge(_ limit: Int, per seconds: Int, key: String = "a", exempt: [IPNetwork] = []) -> RateCharge {
        let limit = RateLimit(per: .clientAddress, of: .messages, limit: limit, windowSeconds: seconds, exempt: exempt)
        return RateCharge(limit: limit, key: key)
    }

    @Test("what was written down goes on where it was, whoever is exempt by now")
    func restart() throws {
        var before = RateTable()
        let charge = self.charge(3, per: 30)
        for _ in 0..<3 { #expect(before.take([charge], now: 1_000) == nil) }
        let written = before.changes().map { RateBucket(charge: $0, full: $1) }
        #expect(written.map(\.full) == [31_000_000])
        #expect(before.changes().isEmpty, "told once")
        var after = RateTable()
        after.restore(written, now: 2_000)
        let same = self.charge(3, per: 30, exempt: [try #require(IPNetwork("10.0.0.0/8"))])
        #expect(after.take([same], now: 2_000)?.seconds == 9)
        #expect(after.take([same], now: 11_000) == nil)
        #expect(after.take([self.charge(4, per: 30)], now: 2_000) == nil, "another limit is another bucket")
        var late = RateTable()
        late.restore(written, now: 31_000)
        #expect(late.count == 0)
    }

    @Test("a clock that was set back makes nobody wait longer than a window")
    func clock() {
        var table = RateTable()
        let charge = self.charge(1, per: 60)
        table.restore([RateBucket(charge: charge, full: 1_000_000_000_000)], now: 1_000)
        #expect(table.take([charge], now: 1_000)?.seconds == 60)
        #expect(table.take([charge], now: 61_000) == nil)
    }

    @Test("a bucket that is made full is not written down as it was before")
    func forget() {
        var table = RateTable()
        let (mine, other) = (self.charge(1, per: 60), self.charge(1, per: 60, key: "b"))
        #expect(table.take([mine, other], now: 0) == nil)
        table.forget([mine])
        #expect(Array(table.changes().keys) == [other])
        #expect(table.take([mine], now: 0) == nil)
        #expect(table.take([other], now: 0) != nil)
    }

    @Test("what could not be written comes again, but not over what is newer; and it is bounded")
    func unwritten() {
        var table = RateTable(maximumKeys: 10)
        let charge = self.charge(5, per: 60)
        #expect(table.take([charge], now: 0) == nil)
        let lost = table.changes().map { RateBucket(charge: $0, full: $1) }
        table.unwritten(lost)
        #expect(table.changes() == [charge: lost[0].full])
        #expect(table.take([charge], now: 0) == nil)
        table.unwritten(lost)
        #expect(table.changes() == [charge: 24_000_000])
        for number in 0..<1_000 { #expect(table.take([self.charge(1, per: 60, key: "\(number)")], now: 0) == nil) }
        #expect(table.changes().count <= 10)
    }

    @Test("how much is used, and for how long there is nothing", arguments: [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 3, 10)])
    func bucket(taken: Int, used: Int, wait: Int64) {
        var table = RateTable()
        let charge = self.charge(3, per: 30)
        for _ in 0..<taken { #expect(table.take([charge], now: 0) == nil) }
        let bucket = RateBucket(charge: charge, full: table.changes()[charge] ?? 0)
        #expect(bucket.used(now: 0) == used)
        #expect(bucket.wait(now: 0) == wait * 1_000_000)
        #expect(bucket.used(now: 5_000_000) == used, "a token is back when it is there as a whole")
        #expect(bucket.used(now: 10_000_000) == max(0, used - 1))
    }
}

@Suite("Transactions at once")
struct OpenTransactionTests {
    private func place(_ key: String, limit: Int) -> OpenTransactionPlace {
        OpenTransactionPlace(.senderDomain, key, limit: limit)
    }

    @Test("all places of a transaction are taken, or none")
    func together() {
        var open = OpenTransactions()
        let (narrow, wide) = (self.place("narrow", limit: 1), self.place("wide", limit: 3))
        #expect(open.take([wide, narrow]) == nil)
        #expect(open.take([wide, narrow]) == narrow)
        #expect(open.count(wide) == 1)
        #expect(open.take([wide]) == nil)
        // A reload may have made it narrower than what is taken.
        #expect(open.take([self.place("wide", limit: 1)]) == wide)
        #expect(open.busiest(5).map(\.place.key) == ["narrow", "wide"])
        open.giveBack([narrow, wide])
        #expect(open.take([narrow]) == nil)
        open.giveBack([narrow, wide])
        #expect(open.isEmpty)
    }

    @Test("what is bounded for whom")
    func keys() throws {
        var limits = OpenTransactionLimits()
        let sender = ReversePath.mailbox(try #require(MailAddress("Ann@Example.org")))
        let recipient = try #require(MailAddress("bob@Example.com"))
        #expect(limits.places(of: sender).isEmpty && limits.place(of: recipient) == nil)
        limits.perSenderDomain = 2
        limits.perReversePath = 1
        limits.perRecipientDomain = 3
        #expect(limits.places(of: sender).map(\.key) == ["ann@example.org", "example.org"])
        #expect(limits.places(of: .null).isEmpty, "bounces come from nobody")
        #expect(limits.place(of: recipient)?.description == "3 transactions at once per recipient_domain")
        #expect(limits.places(of: sender)[0].refusal.description.hasPrefix("450 4.7.1 "))
    }
}
