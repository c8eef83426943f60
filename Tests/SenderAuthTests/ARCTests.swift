import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import SenderAuth
import Testing
import Yams

@Suite("ARC")
struct ARCTests {
    static let suite = "arc/valimail/arc-draft-validation-tests.yml"

    @Test("The public suite of validation cases", .enabled(if: Fixture.shared(ARCTests.suite) != nil))
    func validation() async throws {
        let text = try String(contentsOf: #require(Fixture.shared(Self.suite)), encoding: .utf8)
        var count = 0
        // Some names stand twice, which YAML does not allow: each gets its line's number.
        let unique = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { number, line in
            line.wholeMatch(of: /\ \ \w+:/) != nil ? "\(line.dropLast())-\(number):" : String(line)
        }
        var documents = try Yams.load_all(yaml: unique.joined(separator: "\n"), Resolver.basic)
        while let document = documents.next() {
            let scenario = try #require(document as? [String: Any])
            var zone = ZoneResolver()
            for (name, value) in scenario["txt-records"] as? [String: Any] ?? [:] {
                let record = "\(value)".replacing("\n", with: "")
                try zone.zone[#require(DNSName(name))] = [.record(.txt, .text([Array(record.utf8)]))]
            }
            for (name, value) in try #require(scenario["tests"] as? [String: Any]) {
                let test = try #require(value as? [String: Any])
                let message = "\(test["message"] ?? "")".replacing("\n", with: "\r\n")
                let finding = await ARCValidator(resolver: zone).validate(SignedMessage(ParsedMessage(Array(message.utf8))))
                // The suite leaves open what a chain that failed before is called.
                let wanted = (test["cv"] as? String ?? "").lowercased()
                #expect(finding.result.rawValue == (wanted.isEmpty ? "fail" : wanted), "\(name): \(finding)")
                count += 1
            }
        }
        #expect(documents.error == nil)
        #expect(count >= 171)
    }
}
