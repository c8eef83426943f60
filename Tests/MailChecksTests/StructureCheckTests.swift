import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailChecks

@Suite("The checks of size and structure")
struct StructureCheckTests {
    @Test("each kind of anomaly has a symbol of its own in the structure group")
    func symbols() {
        let symbols = StructureAnomaly.Kind.allCases.map(\.symbol)
        #expect(Set(symbols).count == symbols.count)
        #expect(Set(symbols) == Set(CheckCatalogue.all.filter { ["structure", "readings"].contains($0.check) }.map(\.symbol)))
    }

    @Test("one hit for a kind, with all its places")
    func places() {
        let anomalies = [
            StructureAnomaly(kind: .brokenBase64, part: 1, offset: 50), StructureAnomaly(kind: .nulInHeader, part: 0, offset: 3),
            StructureAnomaly(kind: .brokenBase64, part: 2, offset: 90),
        ]
        let findings = StructureCheck().run(anomalies) { ["", "1", "2"][$0] }
        #expect(Set(findings.hits.map(\.rule)) == ["HEADER_NUL", "MIME_BROKEN_BASE64"])
        let base64 = findings.hits.first { $0.rule == "MIME_BROKEN_BASE64" }
        #expect(base64?.locations.map(\.part) == ["1", "2"])
        #expect(base64?.locations.map(\.offset) == [50, 90])
        #expect(findings.reports.map(\.result) == ["2 hits"])
    }

    @Test("on a real message")
    func real() {
        let text = "From: a@b.example\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n\r\nx\r\n"
        #expect(StructureCheck().run(ParsedMessage([UInt8](text.utf8))).hits.map(\.rule) == ["MIME_DUPLICATE_CONTENT_TYPE"])
        #expect(StructureCheck().run(ParsedMessage([UInt8]("From: a@b.example\r\n\r\nx\r\n".utf8))).hits == [])
    }

    @Test(
        "sizes",
        arguments: [(998, false, []), (999, false, ["LINE_TOO_LONG"]), (10, true, ["BARE_LINE_ENDS"])] as [(Int, Bool, [String])]
    )
    func sizes(line: Int, bare: Bool, expected: [String]) {
        let message = ParsedMessage([UInt8]("From: a@b.example\r\n\r\nx\r\n".utf8))
        #expect(SizeCheck().run(message, longestLine: line, hasBareLineEnds: bare).hits.map(\.rule) == expected)
    }

    @Test("a message beyond the size of its recipients' policy is refused with the code for that", arguments: [0, 1])
    func beyondPolicy(excess: Int) {
        let message = ParsedMessage([UInt8]("From: a@b.example\r\n\r\nx".utf8))
        let limit = message.bytes.count - excess
        let findings = SizeCheck().run(message, maximumSize: limit, longestLine: 17, hasBareLineEnds: false)
        #expect(findings.hits.map(\.rule) == (excess > 0 ? ["MESSAGE_TOO_LARGE"] : []))
        #expect(
            findings.hits.map(\.action) == (excess > 0 ? [.reject(text: "552 5.3.4 Message too large for this recipient")] : [])
        )
    }

    @Test("a large header")
    func largeHeader() {
        let text =
            "From: a@b.example\r\n" + String(repeating: "X-Filler: \(String(repeating: "x", count: 500))\r\n", count: 140)
            + "\r\nx\r\n"
        let findings = SizeCheck().run(ParsedMessage([UInt8](text.utf8)), longestLine: 510, hasBareLineEnds: false)
        #expect(findings.hits.map(\.rule) == ["HEADER_LARGE"])
    }
}

@Suite("The catalogue of checks")
struct CheckCatalogueTests {
    @Test("every symbol has a group, a description and a name in capitals")
    func entries() {
        for entry in CheckCatalogue.all {
            #expect(["size", "structure", "readings", "archives", "sender", "connection"].contains(entry.check))
            #expect(!entry.description.isEmpty)
            #expect(entry.symbol.rawValue.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 95 })
            #expect(entry.score >= 0 && entry.score < 5)
        }
    }

    @Test("docs/checks.md is the catalogue")
    func documentation() throws {
        let file = Fixture.root.appending(path: "docs/checks.md")
        let stored = try? String(contentsOf: file, encoding: .utf8)
        if stored != CheckCatalogue.markdown, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
            try Data(CheckCatalogue.markdown.utf8).write(to: file.appendingPathExtension("got"))
        }
        #expect(stored == CheckCatalogue.markdown)
    }
}
