import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

@Suite struct RegistrarBoundariesTests {
    private let boundaries = RegistrarBoundaries(
        topLevel: ["com", "org", "uk", "us", "de", "cn"].map(octets),
        secondLevel: ["co.uk", "com.cn", "fed.us", "uk.com"].map(octets),
        thirdLevel: ["demon.co.uk", "blu.livefilestore.com"].map(octets)
    )

    @Test(arguments: [
        ("www.example.com", "www", "example.com"),
        ("a.b.example.com", "a.b", "example.com"),
        ("example.com", "", "example.com"),
        ("com", "", "com"),
        ("", "", ""),
        ("www.example.co.uk", "www", "example.co.uk"),
        ("co.uk", "", "co.uk"),
        ("uk", "", "uk"),
        ("x.y.demon.co.uk", "x", "y.demon.co.uk"),
        ("demon.co.uk", "", "demon.co.uk"),
        ("WWW..Example.COM.", "www", "example.com"),
        ("..www.example.uk.com", "www", "example.uk.com"),
        // RFC 1480
        ("www.fire.ci.los-angeles.ca.us", "www", "fire.ci.los-angeles.ca.us"),
        ("a.school.pvt.k12.ca.us", "a", "school.pvt.k12.ca.us"),
        ("a.school.k12.ca.us", "a", "school.k12.ca.us"),
        ("www.agency.fed.us", "www", "agency.fed.us"),
        ("www.example.us", "www", "example.us"),
        ("x.example.zz.us", "x.example", "zz.us"),
        // No known end: two labels.
        ("a.b.c.nowhere", "a.b", "c.nowhere"),
    ])
    func aNameIsCutWhereARegistrantBegins(name: String, host: String, domain: String) {
        let split = self.boundaries.split(octets(name))
        #expect(text(split.host) == host)
        #expect(text(split.domain) == domain)
        #expect(text(self.boundaries.registeredDomain(of: octets(name))) == domain)
    }

    @Test(arguments: [
        ("example.com", true), ("EXAMPLE.COM", true), ("a_b.example.com", true), ("example.a_b", false), ("a_b.com", false),
        ("com", false), ("-a.com", false), ("a-.com", false), ("a.-com", false), ("a..com", false), (".a.com", false),
        ("a.com..", true), ("a b.com", false), ("é.com", false), ("a.b.-c.com", false), ("1.2", true),
        (String(repeating: "a", count: 63) + ".com", true), (String(repeating: "a", count: 64) + ".com", false),
        (String(repeating: "a.", count: 126) + "a", true), (String(repeating: "a.", count: 127) + "a", false),
    ])
    func aHostNameIsWhatCanBeLookedUp(name: String, isValid: Bool) {
        #expect(RegistrarBoundaries.isHostNameValid(octets(name)) == isValid)
    }

    @Test func withoutListsTheRootZoneAndTheRegistriesOfCountriesAreKnown() {
        let standard = RegistrarBoundaries.standard
        #expect(text(standard.registeredDomain(of: octets("www.example.co.uk"))) == "example.co.uk")
        #expect(text(standard.registeredDomain(of: octets("www.example.com.br"))) == "example.com.br")
        #expect(standard.isDomainValid(octets("example.bank")))
        #expect(!standard.isDomainValid(octets("example.exe")))
        #expect(!standard.isDomainValid(octets("com")))
    }

    private struct Cases: Decodable {
        struct Case: Decodable {
            var uri: String
            var domain: String?
        }

        var domain_of_uri: [Case]
    }

    @Test(.enabled(if: Fixture.shared("sa-rule-language/uri.json") != nil))
    func domainsOfURIsAreThoseOfSpamAssassin() throws {
        let file = try #require(Fixture.shared("sa-rule-language/uri.json"))
        let cases = try JSONDecoder().decode(Cases.self, from: Data(try Fixture.bytes(file)))
        // Those that the cases were made with.
        let boundaries = RegistrarBoundaries(
            topLevel: TopLevelDomains.names,
            secondLevel: SecondLevelDomains.all + [octets("live.com")],
            thirdLevel: [octets("three.3ldlive.com")]
        )
        for one in cases.domain_of_uri {
            let found = boundaries.domain(ofURI: octets(one.uri))
            #expect(found.map { text($0.domain) } == one.domain, "\(one.uri)")
        }
    }
}

@Suite struct OctetTableTests {
    @Test func valuesAreFoundByOctetsInEitherCase() {
        var table = OctetTable<Int>()
        #expect(table[octets("a")] == nil)
        for number in 0..<1_000 { table.set(number, for: octets("Name\(number)")) }
        table.set(-1, for: octets("name7"))
        #expect(table.count == 1_000)
        #expect(table[octets("NAME7")] == -1)
        #expect(table[octets("xname999x"), 1..<8] == 999)
        #expect(table[octets("name1000")] == nil)
        #expect(table[octets("")] == nil)
    }
}
