import DNSClient
import Foundation
import MailTypes
import OutpostTestKit
import Testing

/// Answers that are as large as the DNS allows, and such as are no honest message: each has its end in time, none is taken for more
/// than it is, and the next question is answered as ever.
///
/// A message over TCP has at most 65,535 octets (RFC 1035 §4.2.2), and a record takes 12 and its data where its name is a pointer. So it
/// holds 4,094 addresses, and never 10,000 records of any kind that mail asks for; a header may well say that it does.
@Suite("Hostile answers of the DNS", .serialized, .timeLimit(.minutes(2)))
struct HostileAnswerTests {
    /// Milliseconds for one question here.
    private static let timeout = 1_500
    private static let patience = Duration.milliseconds(timeout + 1_500)

    /// A record with the question's name that has a minute to live.
    private static func record(_ type: DNSRecordType, _ data: [UInt8], name: [UInt8] = [0xc0, 12], length: Int? = nil) -> [UInt8]
    {
        let length = length ?? data.count
        return name + [0, UInt8(type.rawValue), 0, 1, 0, 0, 0, 60, UInt8(length >> 8), UInt8(length & 0xff)] + data
    }

    private static func pointer(_ place: Int) -> [UInt8] { [0xc0 | UInt8(place >> 8), UInt8(place & 0xff)] }

    private static let address: [UInt8] = [192, 0, 2, 7]
    /// Four labels of 63 octets: with what a pointer behind them adds, a name of more than 255 (RFC 1035 §2.3.4).
    private static let longLabels = (0..<4).flatMap { _ in [63] + [UInt8](repeating: 0x61, count: 63) }
    /// Where the data of the first record begins, behind a name that is a pointer.
    private static let dataStart = 12

    /// What is wrong, the type that is asked for, the number of records that the header promises, and the answer.
    private static let lies: [(String, DNSRecordType, UInt16, @Sendable (Int) -> [UInt8])] = [
        ("ten-thousand-addresses", .a, 10_000, { _ in Self.record(.a, Self.address) }),
        ("as-many-as-can-be-said", .a, 65_535, { _ in (0..<30).flatMap { Self.record(.a, [192, 0, 2, $0]) } }),
        (
            "ten-thousand-over-tcp", .a, 10_000,
            { _ in (0..<4_000).flatMap { Self.record(.a, [10, 0, UInt8($0 >> 8), UInt8($0 & 255)]) } }
        ),
        ("ten-thousand-exchanges", .mx, 10_000, { _ in Self.record(.mx, [0, 1, 0xc0, 12]) }),
        ("ten-thousand-texts", .txt, 10_000, { _ in Self.record(.txt, [1, 0x61]) }),
        ("ten-thousand-names", .ptr, 10_000, { _ in Self.record(.ptr, [0xc0, 12]) }),
        ("one-that-is-not-there", .a, 1, { _ in [] }),
        ("a-name-that-points-to-itself", .a, 1, { Self.record(.a, Self.address, name: Self.pointer($0)) }),
        (
            "two-names-that-point-to-each-other", .a, 2,
            { start in
                Self.record(.a, Self.address, name: Self.pointer(start + 16))
                    + Self.record(.a, Self.address, name: Self.pointer(start))
            }
        ),
        ("a-name-behind-the-end", .a, 1, { _ in Self.record(.a, Self.address, name: Self.pointer(0x3fff)) }),
        ("a-name-of-256-octets", .a, 1, { _ in Self.record(.a, Self.address, name: Self.longLabels + [0xc0, 12]) }),
        (
            "a-label-of-64-octets", .a, 1,
            { _ in Self.record(.a, Self.address, name: [64] + [UInt8](repeating: 0x61, count: 64) + [0]) }
        ),
        (
            "a-label-of-128-octets", .a, 1,
            { _ in Self.record(.a, Self.address, name: [128] + [UInt8](repeating: 0x61, count: 128) + [0]) }
        ),
        ("an-exchange-that-points-to-itself", .mx, 1, { Self.record(.mx, [0, 1] + Self.pointer($0 + Self.dataStart + 2)) }),
        ("an-exchange-of-256-octets", .mx, 1, { _ in Self.record(.mx, [0, 1] + Self.longLabels + [0xc0, 12]) }),
        ("a-host-that-points-to-itself", .ptr, 1, { Self.record(.ptr, Self.pointer($0 + Self.dataStart)) }),
        ("a-host-that-points-into-its-own-label", .ptr, 1, { Self.record(.ptr, [1, 0x61] + Self.pointer($0 + Self.dataStart)) }),
        ("an-address-of-three-octets", .a, 1, { _ in Self.record(.a, [192, 0, 2]) }),
        ("an-address-longer-than-the-message", .a, 1, { _ in Self.record(.a, Self.address, length: 4_000) }),
        ("a-text-longer-than-its-record", .txt, 1, { _ in Self.record(.txt, [200, 0x61]) }),
    ]

    private static let zone: [String: FaultyNameServer.Behaviour] = lies.reduce(into: [
        "good.test": .address(0xc000_0207),
        "full.test": .full,
        // The name is in the data of its own record: pointers to the question's name, and to that with a label before it.
        "own-ahead.test": .section(count: 1) { start in
            Self.record(.txt, [2, 0xc0, 12], name: Self.pointer(start + Self.dataStart + 1))
        },
        "other-ahead.test": .section(count: 1) { start in
            Self.record(.txt, [4, 1, 0x61, 0xc0, 12], name: Self.pointer(start + Self.dataStart + 1))
        },
    ]) { zone, lie in zone[lie.0 + ".test"] = .section(count: lie.2, lie.3) }

    private let server: FaultyNameServer
    private let client: DNSClient

    init() throws {
        self.server = try FaultyNameServer(Self.zone)
        self.client = try DNSClient(
            DNSClient.Configuration(servers: ["127.0.0.1:\(self.server.port)"], timeoutMilliseconds: Self.timeout)
        )
    }

    private func ask(_ name: String, _ type: DNSRecordType) async throws -> DNSResponse {
        let start = ContinuousClock.now
        let response = await self.client.resolve(try #require(DNSName(name)), type)
        #expect(ContinuousClock.now - start < Self.patience, "\(name)")
        return response
    }

    private func stillGood() async throws {
        let good = DNSResponse.Outcome.found([.address(try #require(IPAddress("192.0.2.7")))])
        #expect(try await self.ask("good.test", .a).outcome == good)
    }

    @Test("of a message that is full to the last octet a bounded number of records is taken", arguments: [DNSRecordType.a, .txt])
    func full(type: DNSRecordType) async throws {
        let records = try #require(try await self.ask("full.test", type).records)
        #expect(records.count == DNSClient.maximumRecords)
        #expect(Set(records).count == records.count, "each is another one")
        // Over UDP it was told to come over TCP, and there it came once.
        #expect(self.server.questions(for: "full.test") == 2)
        try await self.stillGood()
    }

    /// What is no answer must not look like a domain without such records.
    @Test(
        "where names take more room than a message has, once libunbound has written them anew, that is a failure",
        arguments: [
            DNSRecordType.mx, .ptr,
        ]
    )
    func fullOfNames(type: DNSRecordType) async throws {
        #expect(try await self.ask("full.test", type).outcome == .failure(.failed("the answer is too long")))
        #expect(self.server.questions(for: "full.test") == 2)
        try await self.stillGood()
    }

    @Test("an answer that lies about its records or its names is a failure", arguments: lies.map { ($0.0, $0.1) })
    func lie(name: String, type: DNSRecordType) async throws {
        let response = try await self.ask(name + ".test", type)
        guard case .failure = response.outcome else {
            Issue.record("\(name): \(response.outcome)")
            return
        }
        try await self.stillGood()
    }

    /// RFC 1035 §4.1.4 has pointers to what was there before; libunbound follows others, too.
    @Test("a name that is written behind its place counts where it is that of the question, and else not")
    func ahead() async throws {
        #expect(try await self.ask("own-ahead.test", .txt).records?.count == 1)
        #expect(try await self.ask("other-ahead.test", .txt).records ?? [] == [])
        try await self.stillGood()
    }
}
