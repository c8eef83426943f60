import DNSClient
import MailTypes
import Testing

@Suite("DNS client")
struct DNSClientTests {
    @Test("A server that refuses is known at once, and again without asking", .timeLimit(.minutes(1)))
    func refused() async throws {
        let client = try DNSClient(DNSClient.Configuration(servers: ["127.0.0.1:1"]))
        let name = try #require(DNSName("example.org"))
        let start = ContinuousClock.now
        for type in DNSRecordType.allCases {
            guard case .failure = await client.resolve(name, type).outcome else {
                Issue.record("an answer from nobody")
                continue
            }
        }
        #expect(ContinuousClock.now - start < .seconds(3))
    }
}
