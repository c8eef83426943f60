import DNSClient
import Foundation
import MailTypes
import OutpostTestKit
import SenderAuth
import Testing

/// What servers and networks do wrong, over real packets: each question has its end in time, the right kind of answer, and harms
/// no other.
@Suite("Faults of the DNS", .serialized, .timeLimit(.minutes(3)))
struct DNSFaultTests {
    /// Milliseconds for one question here.
    private static let timeout = 1_500
    /// What a question may take: its time, and some for a busy machine.
    private static let patience = Duration.milliseconds(timeout + 1_500)

    private let server: FaultyNameServer
    private let client: DNSClient

    private static let zone: [String: FaultyNameServer.Behaviour] = [
        "good.test": .text([["v=spf1 -all"]]),
        "address.test": .address(0xc000_0207),
        "silent.test": .silence,
        "servfail.test": .failure(2),
        "refused.test": .failure(5),
        "long.test": .truncated(.text([["over ", "TCP"]])),
        "nowhere.test": .truncated(nil),
        "wrongid.test": .wrongID,
        "loop1.test": .alias("loop2.test"),
        "loop2.test": .alias("loop1.test"),
        "self.test": .alias("self.test"),
        "many.test": .manyTexts(4_600),
        "slow.test": .slow(5, .text([["late"]])),
        "late.test": .slow(0.5, .text([["a little late"]])),
        "garbage.test": .garbage,
        "cut.test": .cutOff,
        "empty.test": .text([[]]),
        "mixed.test": .text([[], ["v=spf1 -all"]]),
    ]

    init() throws {
        self.server = try FaultyNameServer(Self.zone)
        self.client = try DNSClient(
            DNSClient.Configuration(servers: ["127.0.0.1:\(self.server.port)"], timeoutMilliseconds: Self.timeout)
        )
    }

    private func ask(_ name: String, _ type: DNSRecordType = .txt) async throws -> (response: DNSResponse, time: Duration) {
        let start = ContinuousClock.now
        let response = await self.client.resolve(try #require(DNSName(name)), type)
        return (response, ContinuousClock.now - start)
    }

    /// After every fault a question of another name is answered as ever.
    private func stillGood(_ fault: String) async throws {
        let (response, time) = try await self.ask("good.test")
        #expect(response.outcome == .found([.text([Array("v=spf1 -all".utf8)])]), "after \(fault): \(response.outcome)")
        #expect(time < Self.patience)
        // Not from the cache.
        let name = "address.test"
        let fresh = try await self.ask(name, .a)
        #expect(fresh.response.outcome == .found([.address(try #require(IPAddress("192.0.2.7")))]), "after \(fault)")
    }

    @Test(
        "What is no answer is a failure in bounded time, and a good answer right after it is good",
        arguments: [
            "silent.test", "servfail.test", "refused.test", "nowhere.test", "wrongid.test", "garbage.test", "cut.test",
            "slow.test", "loop1.test", "self.test",
        ]
    )
    func failures(name: String) async throws {
        let (response, time) = try await self.ask(name)
        #expect(response.records == nil, "\(name): \(response.outcome)")
        #expect(time < Self.patience, "\(name): \(time)")
        try await self.stillGood(name)
    }

    @Test("An answer that is too long for a packet comes over TCP; one that is late in time is taken")
    func truncated() async throws {
        let long = try await self.ask("long.test")
        #expect(long.response.records?.first?.joinedText == Array("over TCP".utf8))
        let late = try await self.ask("late.test")
        #expect(late.response.records?.first?.joinedText == Array("a little late".utf8))
        try await self.stillGood("long.test")
    }

    @Test("A record without strings is none that can be used, and does not spoil those beside it")
    func empty() async throws {
        for name in ["empty.test", "mixed.test"] {
            let (response, _) = try await self.ask(name)
            let texts = response.records?.compactMap(\.joinedText).filter { !$0.isEmpty } ?? []
            #expect(texts.count <= 1)
        }
        try await self.stillGood("empty.test")
    }

    @Test("Of an answer of thousands of records a bounded number is taken, in bounded time")
    func many() async throws {
        let (response, time) = try await self.ask("many.test")
        let count = response.records?.count ?? 0
        #expect(count <= DNSClient.maximumRecords, "\(count)")
        #expect(time < Self.patience)
        try await self.stillGood("many.test")
    }

    @Test("Questions that hang do not stand in the way of others, also many of them")
    func flood() async throws {
        // The server is known to answer.
        try await self.stillGood("nothing")
        let client = self.client
        let start = ContinuousClock.now
        let failed = await withTaskGroup(of: Bool.self) { tasks in
            for number in 0..<200 {
                tasks.addTask {
                    guard let name = DNSName("silent.test"), let own = name.prefixed(by: [Array("x\(number)".utf8)]) else {
                        return false
                    }
                    // Half of them are for the name that is silent, the others for names that do not exist.
                    return await client.resolve(number.isMultiple(of: 2) ? name : own, .txt).records == nil
                }
            }
            return await tasks.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failed == 100)
        #expect(ContinuousClock.now - start < Self.patience)
        try await self.stillGood("a flood")
    }

    // MARK: - What checks make of it

    private func spf(_ domain: String) async throws -> SPFResult {
        let checker = SPFChecker(resolver: self.client, receiver: "mx.test", time: 0)
        return await checker.checkMailFrom("ann@\(domain)", helo: domain, client: try #require(IPAddress("192.0.2.7"))).result
    }

    @Test("SPF: no answer is temperror, an answer that is none is none (RFC 7208 §4.4)")
    func spf() async throws {
        for name in ["silent.test", "servfail.test", "nowhere.test", "garbage.test", "loop1.test"] {
            #expect(try await self.spf(name) == .temperror, "\(name)")
        }
        #expect(try await self.spf("good.test") == .fail)
        #expect(try await self.spf("nothere.test") == .none)
        #expect(try await self.spf("long.test") == .none)
        #expect(try await self.spf("many.test") == .none)
        #expect(try await self.spf("good.test") == .fail)
    }
}
