import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import SenderAuth

@Suite("DKIM")
struct DKIMTests {
    fileprivate struct Case: Decodable {
        var file: String
        var alteration: String
        var selector: String
        var expect: String
    }

    static let generatedPath = "dkim-generated/public"

    @Test(
        "Messages that others signed and altered verify just where two other verifiers agree",
        .enabled(if: Fixture.shared(DKIMTests.generatedPath) != nil)
    )
    func generated() async throws {
        let directory = try #require(Fixture.shared(Self.generatedPath))
        let keys = try JSONDecoder().decode([String: String].self, from: Data(contentsOf: directory.appending(path: "zone.json")))
        let zone = ZoneResolver(
            zone: Dictionary(
                uniqueKeysWithValues: keys.compactMap { name, text in
                    DNSName(name).map { ($0, [.record(.txt, .text([Array(text.utf8)]))]) }
                }
            )
        )
        let verifier = DKIMVerifier(resolver: zone, time: 1_700_000_000)
        let lines = try String(contentsOf: directory.appending(path: "cases.jsonl"), encoding: .utf8).split(separator: "\n")
        for line in lines {
            let test = try JSONDecoder().decode(Case.self, from: Data(line.utf8))
            let bytes = try Fixture.bytes(directory.appending(path: "messages").appending(path: test.file))
            let findings = await verifier.verify(SignedMessage(ParsedMessage(bytes)))
            let passed = findings.contains { $0.result == .pass }
            #expect(passed == (test.expect == "pass"), "\(test.file) \(test.selector) \(test.alteration): \(findings)")
        }
        #expect(lines.count > 200)
    }

    @Test(
        "The signed examples of the standards verify",
        arguments: ["001", "002", "003", "004", "005", "006"].filter { Fixture.shared("dkim/mail-auth/\($0).txt") != nil }
    )
    func examples(name: String) async throws {
        let bytes = try Fixture.bytes(#require(Fixture.shared("dkim/mail-auth/\(name).txt")))
        let (zone, message) = try DKIMTests.splitRecords(bytes)
        let findings = await DKIMVerifier(resolver: zone, time: 1_528_637_909).verify(SignedMessage(ParsedMessage(message)))
        #expect(!findings.isEmpty)
        for finding in findings { #expect(finding.result == .pass, "\(finding)") }
    }

    /// The first lines are DNS records, `name text`; an empty line ends them.
    static func splitRecords(_ bytes: [UInt8]) throws -> (ZoneResolver, [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
        let end = try #require(text.range(of: "\n\n"))
        var zone = ZoneResolver()
        for line in text[..<end.lowerBound].split(separator: "\n") {
            let space = try #require(line.firstIndex(of: " "))
            let name = try #require(DNSName(line[..<space]))
            zone.zone[name, default: []].append(.record(.txt, .text([Array(line[line.index(after: space)...].utf8)])))
        }
        return (zone, Array(text[end.upperBound...].replacing("\n", with: "\r\n").utf8))
    }
}

@Suite("Keys that were read before")
struct KeyMemoryTests {
    @Test("A bounded number is kept, the same key is the same object, and what is no key never becomes one")
    func bounds() throws {
        let memory = KeyMemory()
        func octets(_ number: Int) -> [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 4))) } }
        let first = try #require(memory.key(octets(1), isEd25519: true))
        #expect(memory.key(octets(1), isEd25519: true) === first)
        #expect(memory.key(octets(1), isEd25519: false) == nil)
        #expect(memory.key([1, 2, 3], isEd25519: true) == nil)
        for number in 0..<(5 * KeyMemory.capacity) { _ = memory.key(octets(number), isEd25519: true) }
        #expect(memory.count <= 2 * KeyMemory.capacity)
        #expect(memory.key([1, 2, 3], isEd25519: true) == nil)
    }
}
