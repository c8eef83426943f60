import Foundation
import MailTypes
import OutpostTestKit
import Testing

@testable import SenderAuth

@Suite("DMARC")
struct DMARCTests {
    static let casesPath = "dmarc/mailauth-dmarc-cases.json"

    /// Cases of the other implementation's own interface, or where it goes another way than the standard.
    static let leftOut: [String: String] = [
        "Should handle headerFrom without @ symbol": "an address is parsed before",
        "Should handle domains with string DKIM/SPF entries": "types of another language",
        "Should return false for headerFrom array with multiple elements": "two mailboxes of one domain have one owner",
        "Should handle invalid pct value as 0": "RFC 7489 §6.3: a wrong tag counts as not there, so 100",
        "Should handle tags starting with equals": "types of another language",
        "Should handle tags with no value": "types of another language",
    ]

    @Test("Cases of another implementation", .enabled(if: Fixture.shared(DMARCTests.casesPath) != nil))
    func cases() async throws {
        let data = try Data(contentsOf: #require(Fixture.shared(Self.casesPath)))
        let tests = try #require(JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        let list = PublicSuffixList(Array("com\nnet\n".utf8))
        var count = 0
        for test in tests {
            let title = "\(test["title"] ?? "")"
            if Self.leftOut[title] != nil { continue }
            let calls = try #require(test["calls"] as? [[String: Any]])
            var findings: [DMARCFinding] = []
            for call in calls {
                let checker = DMARCChecker(resolver: Self.zone(call["zone"]), discovery: .publicSuffixes(list))
                let input = try #require(call["input"] as? [String: Any])
                let from =
                    input["headerFrom"] as? [String] ?? [input["headerFrom"] as? String ?? input["domain"] as? String ?? ""]
                let dkim = (input["dkimDomains"] as? [[String: Any]] ?? []).compactMap { $0["domain"] as? String }
                let spf = (input["spfDomains"] as? [[String: Any]] ?? []).first?["domain"] as? String
                let domains = from.map { String($0.split(separator: "@").last ?? "") }
                findings.append(await checker.check(from: domains, spf: Self.spf(spf), dkim: Self.dkim(dkim)))
            }
            for expectation in try #require(test["expect"] as? [[String: Any]]) {
                guard let index = expectation["call"] as? Int, let path = expectation["path"] as? String else { continue }
                count += Self.check(findings[index], path, expectation, title) ? 1 : 0
            }
        }
        #expect(count > 55)
    }

    /// - Returns: whether it was something that we say, too.
    private static func check(_ finding: DMARCFinding, _ path: String, _ expectation: [String: Any], _ title: String) -> Bool {
        let wanted = expectation["arg"].map { "\($0)" } ?? ""
        let record = finding.record
        let got: String?
        switch path {
        case "status.result": got = finding.result.rawValue
        case "policy": got = finding.policy?.rawValue
        case "p": got = record?.policy.rawValue
        case "sp": got = record?.subdomainPolicy?.rawValue
        case "pct": got = record.map { "\($0.percentage)" }
        case "adkim": got = record.map { $0.isStrictForDKIM ? "s" : "r" }
        case "aspf": got = record.map { $0.isStrictForSPF ? "s" : "r" }
        case "rua": got = record?.aggregateReports.first
        case "ruf": got = record?.failureReports.first
        case "fo": got = record?.failureOptions
        case "ri": got = record.map { "\($0.reportInterval)" }
        case "rr": got = record?.text
        case "domain", "status.header.d": got = finding.recordDomain
        case "status.header.from": got = finding.domain
        case "v": got = record.map { _ in "DMARC1" }
        case "alignment.dkim.strict", "alignment.spf.strict":
            let isStrict = path.contains("dkim") ? record?.isStrictForDKIM : record?.isStrictForSPF
            #expect("\(isStrict ?? false)" == "\(expectation["op"] ?? "")", "\(title): \(path)")
            return true
        case "alignment.dkim.result":
            #expect(finding.alignedDKIM.isEmpty, "\(title): \(path)")
            return true
        case "alignment.spf.result": got = finding.alignedSPF
        case "$" where expectation["op"] as? String == "false":
            #expect(record == nil, "\(title): \(finding)")
            return true
        case "isOrgRecord":
            #expect("\(finding.recordDomain != finding.domain)" == "\(expectation["op"] ?? "")", "\(title): \(path)")
            return true
        default: return false
        }
        #expect(got == wanted, "\(title): \(path): \(finding)")
        return true
    }

    private static func zone(_ value: Any?) -> ZoneResolver {
        var zone = ZoneResolver()
        for (key, records) in value as? [String: [String: Any]] ?? [:] {
            guard let name = DNSName(key) else { continue }
            zone.zone[name] = records.flatMap { type, content -> [ZoneResolver.Entry] in
                guard type == "TXT" else { return [] }
                if let error = (content as? [String: Any])?["error"] as? String {
                    return error == "ETIMEOUT" ? [.timeout(.txt)] : []
                }
                return (content as? [[String]] ?? []).map { .record(.txt, .text($0.map { Array($0.utf8) })) }
            }
        }
        return zone
    }

    /// SPF that passed for a domain; nil: it failed.
    private static func spf(_ domain: String?, _ result: SPFResult = .pass) -> SPFFinding {
        SPFFinding(domain == nil ? .fail : result, identity: .mailfrom, domain: domain ?? "unnamed.example")
    }

    private static func dkim(_ domains: [String], _ result: DKIMFinding.Result = .pass) -> [DKIMFinding] {
        domains.map { DKIMFinding(result, domain: $0) }
    }

    @Test("What was not asked or not answered fails nobody, if it could have vouched for From")
    func undecided() async throws {
        var zone = ZoneResolver()
        zone.zone[try #require(DNSName("_dmarc.bank.example"))] = [.record(.txt, .text([Array("v=DMARC1; p=reject".utf8)]))]
        let checker = DMARCChecker(resolver: zone, discovery: .publicSuffixes(PublicSuffixList(Array("example\n".utf8))))
        func result(_ spf: SPFFinding?, _ dkim: [DKIMFinding] = []) async -> DMARCFinding.Result {
            await checker.check(from: ["bank.example"], spf: spf, dkim: dkim).result
        }
        #expect(await result(nil) == .none)
        #expect(await result(nil, Self.dkim(["bank.example"], .fail)) == .none)
        #expect(await result(nil, Self.dkim(["bank.example"])) == .pass)
        #expect(await result(Self.spf("mail.bank.example", .temperror)) == .temperror)
        #expect(await result(Self.spf("silent.invalid", .temperror)) == .fail)
        #expect(await result(Self.spf(nil), Self.dkim(["bank.example"], .temperror)) == .temperror)
        #expect(await result(Self.spf(nil), Self.dkim(["silent.invalid"], .temperror)) == .fail)
        #expect(await result(Self.spf("bank.example", .temperror), Self.dkim(["bank.example"])) == .pass)
    }

    @Test("A second address in From is no way around the policy of the first")
    func severalAuthors() async throws {
        var zone = ZoneResolver()
        for (name, text) in [("bank.example", "v=DMARC1; p=reject"), ("evil.example", "v=DMARC1; p=none")] {
            zone.zone[try #require(DNSName("_dmarc." + name))] = [.record(.txt, .text([Array(text.utf8)]))]
        }
        let checker = DMARCChecker(resolver: zone, discovery: .publicSuffixes(PublicSuffixList()))
        for from in [["bank.example", "evil.example"], ["evil.example", "bank.example"], ["x.invalid", "bank.example"]] {
            let finding = await checker.check(from: from, spf: Self.spf("evil.example"), dkim: Self.dkim(["evil.example"]))
            #expect(finding.result == .fail)
            #expect(finding.domain == "bank.example")
            #expect(finding.policy == .reject)
        }
        let harmless = await checker.check(from: ["evil.example", "other.example"], spf: Self.spf("evil.example"), dkim: [])
        #expect(harmless.result == .permerror)
    }

    @Test("Walking up the tree, records say where an organization ends")
    func treeWalk() async throws {
        func zone(_ records: [String: String]) -> ZoneResolver {
            ZoneResolver(
                zone: Dictionary(
                    uniqueKeysWithValues: records.compactMap { name, text in
                        DNSName(name).map { ($0, [.record(.txt, .text([Array(text.utf8)]))]) }
                    }
                )
            )
        }
        let records = ["_dmarc.bank": "v=DMARC1; p=reject; psd=y", "_dmarc.first.bank": "v=DMARC1; p=quarantine"]
        let checker = DMARCChecker(resolver: zone(records), discovery: .treeWalk)
        let own = await checker.check(from: ["mail.first.bank"], spf: Self.spf("other.first.bank"), dkim: [])
        #expect(own.result == .pass)
        #expect(own.recordDomain == "first.bank")
        let neighbour = await checker.check(
            from: ["mail.first.bank"],
            spf: Self.spf("second.bank"),
            dkim: Self.dkim(["second.bank"])
        )
        #expect(neighbour.result == .fail)
        let without = await checker.check(from: ["second.bank"], spf: Self.spf(nil), dkim: [])
        #expect(without.policy == .reject)
        #expect(without.recordDomain == "bank")
    }
}

@Suite("Public suffix list")
struct PublicSuffixListTests {
    @Test("The list's own test cases", .enabled(if: Fixture.shared("psl/tests.txt") != nil))
    func published() throws {
        let list = PublicSuffixList(try Fixture.bytes(#require(Fixture.shared("psl/public_suffix_list.dat"))))
        let lines = String(decoding: try Fixture.bytes(#require(Fixture.shared("psl/tests.txt"))), as: UTF8.self)
        var count = 0
        for line in lines.split(separator: "\n") where !line.hasPrefix("//") {
            let words = line.split(separator: " ")
            guard words.count == 2, words[0] != "null" else { continue }
            count += 1
            func name(_ text: Substring) -> DNSName? {
                DNSName(labels: text.split(separator: ".", omittingEmptySubsequences: false).map { Punycode.asciiLabel($0.utf8) })
            }
            let got = name(words[0]).flatMap { list.organizationalDomain(of: $0) }
            #expect(got == (words[1] == "null" ? nil : name(words[1])), "\(line)")
        }
        #expect(count > 70)
    }
}
