import Foundation
import MailMessage
import MailRules
import MailTypes
import OutpostTestKit
import Testing

@Suite("Functions over parts, bodies and attachments")
struct PartFunctionTests {
    private struct Calls: Decodable {
        var calls: [String]
    }

    private struct Sample: Decodable {
        var name: String
        var message: Data
        /// Places in the list of calls.
        var hits: Set<Int>
    }

    private func ruleSet(_ calls: [String], _ settings: String = "") throws -> RuleSet {
        let rules = calls.enumerated().map { "body R\($0.offset) eval:\($0.element)\n" }.joined()
        let compilation = RuleCompiler().compile([RuleSource(file: "a.cf", text: settings + "\n" + rules)])
        return try #require(compilation.ruleSet, "\(compilation.problems)")
    }

    private func hits(_ ruleSet: RuleSet, _ message: [UInt8]) -> Set<Int> {
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: ParsedMessage(message)), envelope: envelope)
        return Set(findings.hits.compactMap { Int($0.rule.dropFirst()) })
    }

    /// Line feeds as CRLF, as the gateway receives it.
    private func received(_ text: some Sequence<UInt8>) -> [UInt8] {
        text.flatMap { $0 == 0x0a ? [0x0d, 0x0a] : [$0] }
    }

    @Test("Each function hits what SpamAssassin 4.0.1 hits")
    func golden() throws {
        let file = Fixture.directory.appending(path: "functions/parts.jsonl")
        let lines = try Fixture.bytes(file).split(separator: 0x0a).map { Data($0) }
        let calls = try JSONDecoder().decode(Calls.self, from: try #require(lines.first)).calls
        let ruleSet = try self.ruleSet(calls, "ok_locales en")
        for line in lines.dropFirst() {
            let sample = try JSONDecoder().decode(Sample.self, from: line)
            let found = self.hits(ruleSet, self.received(sample.message))
            let missed = sample.hits.subtracting(found).sorted().map { calls[$0] }
            let extra = found.subtracting(sample.hits).sorted().map { calls[$0] }
            #expect(missed.isEmpty && extra.isEmpty, "\(sample.name): missed \(missed), extra \(extra)")
        }
    }

    private static let officeCalls = [
        "check_olemacro", "check_oleobject", "check_olertfobject", "check_olemacro_malice", "check_olemacro_encrypted",
        "check_olemacro_zip_password", "check_olemacro_csv", "check_olemacro_download_exe", "check_olemacro_redirect_uri",
        "check_olemacro_mhtml_uri",
    ]

    @Test(
        "Office documents are judged as by SpamAssassin, and more is found in old ones",
        .enabled(if: Fixture.shared("malware-docs") != nil)
    )
    func officeDocuments() throws {
        let ruleSet = try self.ruleSet(Self.officeCalls.map { "\($0)()" })
        let table = try Fixture.bytes(Fixture.directory.appending(path: "functions/office-documents.tsv"))
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            let path = try #require(Fixture.shared(fields[0]))
            let expected = Set(fields[1].split(separator: " ").map(String.init))
            let message = self.message(try Fixture.bytes(path), path.lastPathComponent)
            let found = Set(self.hits(ruleSet, message).map { Self.officeCalls[$0] })
            #expect(found.isSuperset(of: expected), "\(fields[0])")
            #expect(found.subtracting(expected) == Self.additions[path.lastPathComponent, default: []], "\(fields[0])")
        }
    }

    /// What the structure of a document tells and its bytes do not: SpamAssassin looks for objects in spreadsheets of today
    /// only, and not into the streams of a presentation.
    private static let additions: [String: Set<String>] = [
        "embedded-simple-2007.doc": ["check_oleobject"], "embedded-simple-2007.dot": ["check_oleobject"],
        "embedded-simple-2007.xla": ["check_oleobject"], "embedded-simple-2007.xls": ["check_oleobject"],
        "embedded-simple-2007.xlt": ["check_oleobject"], "embedded-unicode.doc": ["check_oleobject"],
        "sample_with_calc_embedded.doc": ["check_oleobject"], "sample_with_lnk_file.doc": ["check_oleobject"],
        "sample_with_lnk_to_calc.doc": ["check_oleobject"], "sample_with_vba.ppt": ["check_olemacro"],
    ]

    private func message(_ content: [UInt8], _ name: String) -> [UInt8] {
        let encoded = Data(content).base64EncodedString(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
        return Array(
            """
            Subject: file\r
            MIME-Version: 1.0\r
            Content-Type: multipart/mixed; boundary=b\r
            \r
            --b\r
            Content-Type: application/octet-stream\r
            Content-Transfer-Encoding: base64\r
            Content-Disposition: attachment; filename="\(name)"\r
            \r
            \(encoded)\r
            --b--\r

            """.utf8
        )
    }

    @Test("A file of another name is looked into when all are to be, and wrong settings are told")
    func extendedScan() throws {
        let document = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1] + [UInt8](repeating: 0, count: 700)
        let calls = ["check_olemacro_renamed()"]
        #expect(try self.hits(self.ruleSet(calls), self.message(document, "a.txt")) == [])
        #expect(try self.hits(self.ruleSet(calls, "olemacro_extended_scan 1"), self.message(document, "a.txt")) == [0])
        let wrong = RuleCompiler().compile([RuleSource(file: "a.cf", text: "olemacro_num_mime many\nolemacro_exts (\n")])
        #expect(wrong.problems.filter { $0.severity == .error }.map(\.line).sorted() == [1, 2])
    }

    @Test(
        "An argument that cannot be used is told where it stands",
        arguments: ["image_count()", "pdf_name_regex('(')", "check_qp_ratio('much')"]
    )
    func arguments(call: String) {
        let compilation = RuleCompiler().compile([RuleSource(file: "a.cf", text: "body R eval:\(call)\n")])
        #expect(compilation.problems.contains { $0.severity == .error && $0.line == 1 })
    }
}
