import MailMessage
import MailRules
import MailTypes

/// A message whose views are given by the test, so that rules can be tested apart from parsing.
struct SampleSubject: RuleSubject {
    var header = ""
    var paragraphs: [String] = []
    var raw: [String] = []
    var uris: [String] = []
    var full = ""
    var parts: [SubjectPart] = []
    var partFields: [[SubjectField]] = []

    func allFields() -> [SubjectField] {
        var lines: [String] = []
        for line in self.header.split(separator: "\n") {
            if line.hasPrefix(" ") || line.hasPrefix("\t"), let last = lines.popLast() {
                lines.append(last + "\n" + line)
            } else {
                lines.append(String(line))
            }
        }
        return lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...]
            let unfolded = value.replacing("\n", with: "").drop { $0 == " " }
            return SubjectField(name: Array(line[..<colon].utf8), raw: Array(value.utf8), decoded: Array(unfolded.utf8))
        }
    }

    func fields(named name: HeaderName) -> [SubjectField] {
        self.allFields().filter { HeaderName(String(decoding: $0.name, as: UTF8.self)) == name }
    }

    func decodingWords(_ bytes: [UInt8]) -> [UInt8] { bytes }

    func bodySegments() -> [TextSegment] {
        let subject = self.fields(named: "subject").first.map { [TextSegment(bytes: $0.decoded, part: nil, offset: 0)] } ?? []
        return subject + self.paragraphs.map { TextSegment(bytes: Array($0.utf8), part: 0, offset: 0) }
    }

    func rawBodySegments() -> [TextSegment] { self.raw.map { TextSegment(bytes: Array($0.utf8), part: 0, offset: 0) } }
    func links() -> [MessageURI] { self.uris.map { MessageURI(bytes: Array($0.utf8), part: 0, offset: 7) } }
    func fullText() -> [UInt8] { Array(self.full.utf8) }
    func mimeParts() -> [SubjectPart] { self.parts }
    func partHeaders() -> [PartHeader] {
        zip(1..., self.partFields).map { number, fields in
            PartHeader(path: "\(number)", fields: fields.map { FilterField(name: $0.name, raw: $0.raw) })
        }
    }

    func path(ofPart index: Int) -> String { "1" }
}

extension SubjectField {
    init(_ name: String, _ value: String) {
        self.init(name: Array(name.utf8), raw: Array((" " + value).utf8), decoded: Array(value.utf8))
    }
}

/// Compiles one file's text.
func compile(_ text: String, load: (String) -> RuleSource? = { _ in nil }) -> RuleCompilation {
    RuleCompiler().compile([RuleSource(file: "test.cf", text: text)], load: load)
}

let sampleEnvelope = Envelope(
    origin: .stated,
    client: ClientIdentity(address: IPAddress(v4: 0xc000_0201), helo: "mail.example.org"),
    reversePath: .mailbox(MailAddress(localPart: "anna", domain: "example.org", text: "anna@example.org")),
    recipients: [Recipient(MailAddress(localPart: "bert", domain: "example.net", text: "bert@example.net"))]
)

/// The findings of a rule text on a subject; the text must be without errors.
func findings(_ rules: String, _ subject: SampleSubject, skipping: Set<String> = []) throws -> RuleFindings {
    let compilation = compile(rules)
    guard let ruleSet = compilation.ruleSet else { throw RulesAreWrong(problems: compilation.problems) }
    return RuleEvaluator(ruleSet: ruleSet).evaluate(subject, envelope: sampleEnvelope, skipping: skipping)
}

struct RulesAreWrong: Error {
    var problems: [RuleProblem]
}
