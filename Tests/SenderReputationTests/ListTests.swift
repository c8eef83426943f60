import MailTypes
import Testing

@testable import SenderReputation

@Suite("DNS lists")
struct ListTests {
    private static func list(_ codes: [DNSList.Code] = [], subjects: Set<ListSubject> = [.client]) throws -> DNSList {
        DNSList(
            zone: try #require(DNSName("bl.example")),
            symbol: "DNSLIST_BL",
            subjects: subjects,
            weight: 3,
            codes: codes
        )
    }

    @Test(
        "What an address of an answer is tested for",
        arguments: [
            ("127.0.0.2", "127.0.0.2", true), ("127.0.0.2", "127.0.0.3", false), ("127.0.0.4-127.0.0.7", "127.0.0.7", true),
            ("127.0.0.4-127.0.0.7", "127.0.0.8", false), ("127.0.1.0/255.255.255.0", "127.0.1.99", true),
            ("127.0.1.0/255.255.255.0", "127.0.2.99", false), ("0x10/0x10", "127.0.0.24", true), ("8", "127.0.0.10", true),
            ("8", "127.0.0.4", false), ("8", "10.0.0.8", false), ("0.0.0.16/0.0.0.16", "127.0.0.16", true),
        ]
    )
    func addressTests(test: String, answer: String, matches: Bool) throws {
        let address = try #require(IPAddress(answer))
        #expect(try #require(AddressTest(test)).matches(address) == matches)
    }

    @Test("What is no test of an address", arguments: ["", "x", "127.0.0", "127.0.0.9-127.0.0.2", "1/", "0x123456789", "-1"])
    func noTests(text: String) {
        #expect(AddressTest(text) == nil)
    }

    @Test("Answers outside of what is expected are errors, and refusals never list anybody")
    func readings() throws {
        let open = try Self.list()
        let narrow = try Self.list([DNSList.Code(match: try #require(AddressTest("127.0.0.2")), weight: 5, meaning: "spam")])
        func reading(_ list: DNSList, _ text: String) throws -> DNSList.Reading {
            list.reading(of: try #require(IPAddress(text)))
        }
        #expect(try reading(open, "127.0.0.2") == .listed(weight: 3, meaning: ""))
        #expect(try reading(narrow, "127.0.0.2") == .listed(weight: 5, meaning: "spam"))
        for (list, answer) in [
            (open, "127.0.0.1"), (open, "127.255.255.254"), (open, "192.0.2.1"), (narrow, "127.0.0.3"),
            (narrow, "127.255.255.252"),
        ] {
            guard case .error = try reading(list, answer) else {
                Issue.record("\(answer) counts")
                continue
            }
        }
    }

    @Test("Entries tell which list, which answer, and the list's own words; addresses of both families are asked backwards")
    func entries() async throws {
        let v6 = "8.b.d.0.1.0.0.2"
        let zone = ZoneText(
            """
            7.2.0.192.bl.example A 127.0.0.2
            7.2.0.192.bl.example TXT see https://bl.example/192.0.2.7
            1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.\(v6).bl.example A 127.0.0.2
            9.2.0.192.bl.example A 127.255.255.254
            8.2.0.192.bl.example
            """
        )
        let list = try Self.list()
        let addresses = ["192.0.2.7", "2001:db8::1", "192.0.2.9", "192.0.2.8", "192.0.2.10"].compactMap { IPAddress($0) }
        let found = await ListChecker(resolver: zone).ask(addresses.compactMap { ListInquiry(list, .client, address: $0) })
        #expect(
            found.entries.map(\.explanation) == [
                "192.0.2.7 is listed in bl.example: 127.0.0.2, see https://bl.example/192.0.2.7",
                "2001:db8::1 is listed in bl.example: 127.0.0.2",
            ]
        )
        #expect(
            found.failures.map(\.reason) == ["127.255.255.254: the list does not answer us", "no answer about 192.0.2.8"]
        )
    }

    @Test(
        "A list that has no entries for tests, lists everything or does not answer us is not asked",
        arguments: [
            ("2.0.0.127.bl.example A 127.0.0.2", "works"), ("", "127.0.0.2 is not listed"),
            ("2.0.0.127.bl.example A 127.0.0.2\n1.0.0.127.bl.example A 127.0.0.2", "127.0.0.1 is listed"),
            ("2.0.0.127.bl.example A 127.255.255.254", "127.255.255.254: the list does not answer us"),
            ("2.0.0.127.bl.example A 192.0.2.1", "127.0.0.2 is not listed"), ("2.0.0.127.bl.example", "unanswered"),
        ]
    )
    func tests(zone: String, expected: String) async throws {
        let outcome = await ListTest(resolver: ZoneText(zone)).run(try Self.list())
        switch outcome {
        case .works: #expect(expected == "works")
        case .unanswered: #expect(expected == "unanswered")
        case .fails(let reason): #expect(expected == reason)
        }
    }

    @Test("A list of names is tested by names")
    func nameTests() async throws {
        let list = try Self.list(subjects: [.uri, .sender])
        let good = ZoneText("test.bl.example A 127.0.0.2")
        let bad = ZoneText("test.bl.example A 127.0.0.2\ninvalid.bl.example A 127.0.0.2")
        #expect(await ListTest(resolver: good).run(list) == .works)
        #expect(await ListTest(resolver: bad).run(list) == .fails("INVALID is listed"))
    }

    @Test("Symbols are names of rules")
    func symbols() {
        #expect(DNSList.symbol("zen.example-list.org") == "DNSLIST_ZEN_EXAMPLE_LIST_ORG")
    }
}
