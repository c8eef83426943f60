import MailStore
import MailTypes
import OutpostTestKit
import Testing

@Suite("What reports of DMARC are made of")
struct DMARCStoreTests {
    private static let now: Int64 = 1_795_425_600_000
    private let day = RuleHitCount.day(Self.now)
    private let directory: TemporaryDirectory

    init() throws {
        self.directory = try TemporaryDirectory()
    }

    private func tally(_ domain: String = "example.org", source: String, policy: String = "reject", count: Int = 1) throws
        -> DMARCTally
    {
        let record = try #require(DMARCRecord(Array("v=DMARC1; p=\(policy); rua=mailto:a@\(domain)".utf8)))
        let row = DMARCReportRow(
            source: try #require(IPAddress(source)),
            disposition: .none,
            isDKIMAligned: source.hasSuffix("1"),
            isSPFAligned: false,
            headerFrom: domain,
            envelopeFrom: domain
        )
        let observation = DMARCObservation(published: DMARCPublished(domain: domain, record: record), row: row)
        return DMARCTally(day: self.day, observation: observation, count: count)
    }

    @Test("Equal rows add up, and the policy seen last is the one reported")
    func addition() async throws {
        let first = try DMARCStore(directory: self.directory.path)
        try await first.add([self.tally(source: "192.0.2.1", count: 2), self.tally(source: "192.0.2.2")], oldest: self.day)
        let second = try DMARCStore(directory: self.directory.path)
        try await second.add([self.tally(source: "192.0.2.2", policy: "none", count: 5)], oldest: self.day)
        let domains = try await second.domains(from: self.day, through: self.day)
        #expect(domains.map(\.messages) == [8])
        #expect(domains.map(\.rows) == [2])
        #expect(domains.map(\.passed) == [2])
        #expect(domains.map(\.published.policy) == ["none"])
        let rows = try await second.rows(day: self.day, domain: "example.org")
        #expect(rows.map(\.count) == [6, 2])
        #expect(rows.map(\.row.source) == ["192.0.2.2", "192.0.2.1"])
        #expect(try await second.domains(from: self.day, through: self.day, domain: "example.net").isEmpty)
    }

    @Test("Rows are bounded for a domain and for a day; what is beyond is counted, names that are made up are not")
    func bounds() async throws {
        let store = try DMARCStore(directory: self.directory.path, rowsPerDay: 5, rowsPerDomain: 3)
        for number in 1...6 { try await store.add([self.tally(source: "192.0.2.\(number)")], oldest: self.day) }
        try await store.add([self.tally(source: "192.0.2.3", count: 10)], oldest: self.day)
        var domains = try await store.domains(from: self.day, through: self.day)
        #expect(domains.map(\.rows) == [3])
        #expect(domains.map(\.dropped) == [3])
        #expect(domains.map(\.messages) == [16])
        try await store.add((1...9).map { try self.tally("made-up-\($0).example", source: "192.0.2.1") }, oldest: self.day)
        domains = try await store.domains(from: self.day, through: self.day)
        #expect(domains.count == 3)
        #expect(domains.reduce(0) { $0 + $1.rows } == 5)
    }

    @Test("Days that are too old go, with what was said of their reports")
    func age() async throws {
        let store = try DMARCStore(directory: self.directory.path)
        try await store.add([self.tally(source: "192.0.2.1")], oldest: self.day)
        #expect(try await store.claim(day: self.day, domain: "example.org", destination: "a@example.org", now: Self.now))
        let next = RuleHitCount.day(Self.now + 86_400_000)
        try await store.add([], oldest: next)
        #expect(try await store.domains(from: self.day, through: next).isEmpty)
        #expect(try await store.rows(day: self.day, domain: "example.org").isEmpty)
        #expect(try await store.deliveries(day: self.day, domain: "example.org").isEmpty)
    }

    @Test("A report goes to each destination once; a failure, and a process that went away, leave it for the next run")
    func deliveries() async throws {
        let store = try DMARCStore(directory: self.directory.path)
        let day = self.day
        func claim(_ destination: String, after milliseconds: Int64 = 0) async throws -> Bool {
            try await store.claim(day: day, domain: "example.org", destination: destination, now: Self.now + milliseconds)
        }
        func finish(_ destination: String, _ state: DMARCDelivery.State) async throws {
            try await store.finish(
                day: day,
                domain: "example.org",
                destination: destination,
                state,
                detail: "x",
                now: Self.now
            )
        }
        #expect(try await claim("a@example.org"))
        #expect(try await !claim("a@example.org"))
        #expect(try await claim("b@example.org"))
        try await finish("a@example.org", .failed)
        #expect(try await claim("a@example.org"))
        try await finish("a@example.org", .sent)
        #expect(try await !claim("a@example.org", after: 10 * DMARCStore.abandoned))
        try await finish("b@example.org", .uncertain)
        #expect(try await !claim("b@example.org", after: 10 * DMARCStore.abandoned))
        #expect(try await claim("c@example.org"))
        #expect(try await claim("c@example.org", after: DMARCStore.abandoned + 1))
        #expect(try await store.deliveries(day: day, domain: "example.org").map(\.state) == [.sent, .uncertain, .sending])
    }
}
