import DNSClient
import Foundation
import MailMessage
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

    /// Where keys and records of DMARC are: the fault of the domain is theirs, too.
    private static let zone: [String: FaultyNameServer.Behaviour] = ["s1._domainkey.", "_dmarc."].reduce(into: faults) {
        zone,
        prefix in
        for (name, behaviour) in faults { zone[prefix + name] = behaviour }
    }

    private static let faults: [String: FaultyNameServer.Behaviour] = [
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
        "many.test": .full,
        "slow.test": .slow(5, .text([["late"]])),
        "late.test": .slow(0.5, .text([["a little late"]])),
        "garbage.test": .garbage,
        "cut.test": .cutOff,
        "empty.test": .text([[]]),
        "mixed.test": .text([[], ["v=spf1 -all"]]),
        "include-silent.test": .text([["v=spf1 include:silent.test -all"]]),
        "include-servfail.test": .text([["v=spf1 include:servfail.test -all"]]),
        "include-garbage.test": .text([["v=spf1 include:garbage.test -all"]]),
        "include-itself.test": .text([["v=spf1 include:include-itself.test -all"]]),
        "include-empty.test": .text([["v=spf1 include:empty.test -all"]]),
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

    /// RFC 1035 §3.3.14 wants at least one string.
    @Test("A record without strings is one without text; the good ones beside it count")
    func empty() async throws {
        #expect(try await self.ask("empty.test").response.outcome == .found([.text([])]))
        let mixed = try await self.ask("mixed.test").response
        #expect(mixed.records?.compactMap(\.joinedText).filter { !$0.isEmpty } == [Array("v=spf1 -all".utf8)])
        #expect(mixed.timeToLive == 60)
        #expect(try await self.spf("mixed.test") == .fail)
        try await self.stillGood("empty.test")
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

    @Test("SPF: faults below an include are temperror, one that goes in circles is permerror (RFC 7208 §5.2, §4.6.4)")
    func include() async throws {
        for name in ["silent", "servfail", "garbage"] {
            #expect(try await self.spf("include-\(name).test") == .temperror, "\(name)")
        }
        #expect(try await self.spf("include-empty.test") == .permerror)
        #expect(try await self.spf("include-itself.test") == .permerror)
    }

    /// A signature that is right in form; it is never verified, because there is no key to be had.
    private func message(from domain: String) -> SignedMessage {
        // The digest of a body in relaxed form that is empty (RFC 6376 §3.4.4).
        let signature =
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=\(domain); s=s1; h=from; "
            + "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=YWJj"
        let lines = [signature, "From: ann@\(domain)", "To: bob@example.com", "", ""]
        return SignedMessage(ParsedMessage(Array(lines.joined(separator: "\r\n").utf8)))
    }

    @Test(
        "DKIM: a key that could not be had is temperror, one that is not there is permerror, in bounded time (RFC 6376 §6.1.2)",
        arguments: [
            ("silent.test", DKIMFinding.Result.temperror), ("servfail.test", .temperror), ("garbage.test", .temperror),
            ("loop1.test", .temperror), ("empty.test", .permerror), ("many.test", .permerror), ("nothere.test", .permerror),
        ]
    )
    func dkim(domain: String, expected: DKIMFinding.Result) async throws {
        let start = ContinuousClock.now
        let findings = await DKIMVerifier(resolver: self.client, time: 0).verify(self.message(from: domain))
        #expect(findings.map(\.result) == [expected], "\(findings)")
        #expect(ContinuousClock.now - start < Self.patience)
        try await self.stillGood("the key of \(domain)")
    }

    @Test(
        "DMARC: a record that could not be had is temperror, anything that is none is none (RFC 7489 §6.6.3)",
        arguments: [
            ("silent.test", DMARCFinding.Result.temperror), ("servfail.test", .temperror), ("loop1.test", .temperror),
            ("empty.test", .none), ("many.test", .none), ("nothere.test", .none),
        ]
    )
    func dmarc(domain: String, expected: DMARCFinding.Result) async throws {
        let checker = DMARCChecker(resolver: self.client, discovery: .publicSuffixes(PublicSuffixList(Array("test\n".utf8))))
        let start = ContinuousClock.now
        let finding = await checker.check(from: [domain], spf: SPFFinding(.fail, identity: .mailfrom, domain: domain), dkim: [])
        #expect(finding.result == expected, "\(finding)")
        #expect(ContinuousClock.now - start < Self.patience)
        try await self.stillGood("the record of \(domain)")
    }
}
