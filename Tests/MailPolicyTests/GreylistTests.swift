import MailTypes
import Testing

@testable import MailPolicy

@Suite("Greylist")
struct GreylistTests {
    private static let minute: Int64 = 60_000
    private static let day: Int64 = 86_400_000

    @Test("a message is delayed once, and its sender is known afterwards")
    func course() {
        let settings = GreylistSettings()
        var record = GreylistRecord()
        var now: Int64 = 1_000_000
        #expect(record.visit(settings, now: now) == .delay(seconds: 300))
        now += Self.minute
        #expect(record.visit(settings, now: now) == .delay(seconds: 240))
        now += 4 * Self.minute - 1
        #expect(record.visit(settings, now: now) == .delay(seconds: 1))
        now += 1
        #expect(record.visit(settings, now: now) == .returned)
        #expect(record.visit(settings, now: now) == .known)
        now += 35 * Self.day
        #expect(record.visit(settings, now: now) == .known)
        now += 35 * Self.day
        #expect(record.visit(settings, now: now) == .known, "each message begins the time anew")
        now += 36 * Self.day
        #expect(record.visit(settings, now: now) == .delay(seconds: 300))
    }

    @Test("whoever comes again within the window passes, however often in between and whatever the interval")
    func noLoop() {
        let settings = GreylistSettings()
        for interval in [1, 7, 60, 299, 300, 301, 3_600, 4 * 3_600, 47 * 3_600] as [Int64] {
            var record = GreylistRecord()
            var now: Int64 = 5
            var visits = 1
            while case .delay = record.visit(settings, now: now), visits < 1_000 {
                now += interval * 1_000
                visits += 1
            }
            #expect(visits <= 300 / interval + 2, "every \(interval) s")
        }
    }

    @Test("a message that comes back too late begins again; a clock set back makes nobody wait longer")
    func edges() {
        let settings = GreylistSettings()
        var record = GreylistRecord(first: 0)
        #expect(record.visit(settings, now: 2 * Self.day) == .returned)
        record = GreylistRecord(first: 0)
        #expect(record.visit(settings, now: 2 * Self.day + 1) == .delay(seconds: 300))
        record = GreylistRecord(first: 10 * Self.day)
        #expect(record.visit(settings, now: Self.day) == .delay(seconds: 300))
        #expect(record.first == Self.day)
    }

    @Test(
        "reverse paths without what changes",
        arguments: [
            ("ann@example.org", "ann@example.org"), ("Ann+X@Example.org", "ann+x@example.org"),
            ("bounce-123-45@list.example", "bounce-#-#@list.example"), ("prvs=0123abcdef=ann@example.org", "ann@example.org"),
            ("srs0=hhh=tt=home.example=ann@fwd.example", "home.example=ann@fwd.example"), ("", "<>"),
        ]
    )
    func paths(given: String, stable: String) {
        #expect(GreylistKey.stablePath(MailAddress(given).map { .mailbox($0) } ?? .null) == stable)
    }

    @Test("the key is the proven domain, else the network")
    func keys() throws {
        func key(_ client: String, spf: SPFResult) throws -> GreylistKey {
            let sender = try #require(MailAddress("ann@example.org"))
            let facts = SenderFacts(
                client: try #require(IPAddress(client)),
                reversePath: .mailbox(sender),
                spf: SPFFinding(spf, identity: .mailfrom, domain: "example.org")
            )
            return GreylistKey(facts, content: [1])
        }
        #expect(try key("192.0.2.1", spf: .pass) == key("198.51.100.9", spf: .pass))
        #expect(try key("192.0.2.1", spf: .none) == key("192.0.2.200", spf: .none))
        #expect(try key("192.0.2.1", spf: .none) != key("192.0.3.1", spf: .none))
        #expect(try key("2001:db8::1", spf: .none).source == "network 2001:db8::/64")
    }

    @Test(
        "what is doubtful",
        arguments: [
            (2.9, Disposition.deliver, false), (3, .deliver, true), (7.9, .tag, true), (8, .tag, false), (5, .hold, false),
            (5, .reject, false), (5, .defer, false),
        ] as [(Double, Disposition, Bool)]
    )
    func doubt(score: Double, disposition: Disposition, isDoubtful: Bool) throws {
        let decider = PolicyDecider(policy: Policy(name: "default"))
        let decision = PolicyDecision(disposition: disposition, policy: "default", reason: "x", score: score)
        #expect(decider.isDoubtful(decision, allowed: nil, greylist: GreylistSettings()) == isDoubtful)
        let entry = try ListEntry.configured("192.0.2.1", action: .allow, index: 0)
        let allowed = ListMatch(entry: entry, evidence: .client(.loopback4))
        #expect(!decider.isDoubtful(decision, allowed: allowed, greylist: GreylistSettings()))
    }

    @Test("the reply is 451 4.7.1 with the time")
    func reply() {
        let decider = PolicyDecider(policy: Policy(name: "default"))
        let decision = PolicyDecision(disposition: .tag, policy: "default", reason: "score 5", score: 5)
        let delayed = decider.decide(decision, greylist: .delay(seconds: 61))
        #expect(delayed.disposition == .defer)
        #expect(
            delayed.reply?.description == "451 4.7.1 Greylisted: this message will be accepted when it is sent again in 2 minutes"
        )
        #expect(decider.decide(decision, greylist: .returned) == decision)
    }
}
