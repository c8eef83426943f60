import Foundation
import OutpostTestKit
import Testing

@testable import MailMessage

/// Cases that others wrote, read where they stand beside the checkout.
@Suite("Public test material")
struct PublicCorpusTests {
    private static func has(_ path: String) -> Bool { Fixture.shared(path) != nil }

    private func cases<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(contentsOf: try #require(Fixture.shared(path))))
    }

    // MARK: mail-parser

    private struct AddressCase: Decodable {
        struct Mailbox: Decodable {
            var name: String?
            var address: String?
        }
        struct Group: Decodable {
            var addresses: [Mailbox]
        }
        struct Expected: Decodable {
            var list: [Mailbox]?
            var group: [Group]?

            enum CodingKeys: String, CodingKey {
                case list = "List"
                case group = "Group"
            }
        }
        var header: String
        var expected: Expected?
    }

    @Test("Addresses of mail-parser's cases", .enabled(if: has("mime/mail-parser/address.json")))
    func addresses() throws {
        var agreed = 0
        var differing: [String] = []
        for test in try self.cases("mime/mail-parser/address.json", as: [AddressCase].self) {
            let header = octets(test.header)
            let found = MailboxList(Unfolding.unfold(header, 0..<header.count)).mailboxes.map(\.address).filter { !$0.isEmpty }
            let mailboxes = test.expected?.list ?? test.expected?.group?.flatMap(\.addresses) ?? []
            let expected = mailboxes.compactMap(\.address)
            if found == expected { agreed += 1 } else { differing.append("\(test.header) \(expected) \(found)") }
        }
        // The others are addresses within comments and broken groups, where readers differ.
        #expect(agreed >= 54, "\(differing.joined(separator: "\n"))")
    }

    private struct TypeCase: Decodable {
        struct Expected: Decodable {
            var c_type: String
            var c_subtype: String?
            var attributes: [[String]]?
        }
        var header: String
        var expected: Expected?
    }

    @Test("Parameters of mail-parser's cases", .enabled(if: has("mime/mail-parser/content_type.json")))
    func contentTypes() throws {
        var agreed = 0
        var differing: [String] = []
        for test in try self.cases("mime/mail-parser/content_type.json", as: [TypeCase].self) {
            guard let expected = test.expected else { continue }
            let header = octets(test.header)
            let value = ParameterizedValue(Unfolding.unfold(header, 0..<header.count))
            let type = expected.c_subtype.map { "\(expected.c_type)/\($0)" } ?? expected.c_type
            var parameters: [String: String] = [:]
            for pair in expected.attributes ?? [] where parameters[pair[0]] == nil { parameters[pair[0]] = pair[1] }
            if text(value.value) == type.lowercased(), value.parameters == parameters {
                agreed += 1
            } else {
                differing.append("\(test.header) \(parameters) \(text(value.value)) \(value.parameters)")
            }
        }
        // The others: white space in unclosed quotes, languages of RFC 2231 as parameters of their own, a charset in every
        // section, white space between encoded words within quotes, whole sets of nonsense.
        #expect(agreed >= 77, "\(agreed)\n\(differing.joined(separator: "\n"))")
    }

    private struct TextCase: Decodable {
        var header: String
        var expected: String?
    }

    @Test("Unstructured fields of mail-parser's cases", .enabled(if: has("mime/mail-parser/unstructured.json")))
    func unstructured() throws {
        var agreed = 0
        var differing: [String] = []
        for test in try self.cases("mime/mail-parser/unstructured.json", as: [TextCase].self) {
            let message = ParsedMessage(octets("Subject:" + test.header + "\n\n"))
            let found = text(message.decodedValue(of: message.fields(named: "subject")[0]))
            if found == test.expected ?? "" { agreed += 1 } else { differing.append("\(test.header) \(found)") }
        }
        // The others: a field that ends at the next line, the white space of folds of more than one octet, and folds within
        // encoded words; here as in SpamAssassin each fold is one space.
        #expect(agreed >= 20, "\(agreed)\n\(differing.joined(separator: "\n"))")
    }

    // MARK: Whole messages

    private func messages(below path: String) throws -> [URL] {
        let base = try #require(Fixture.shared(path))
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.sorted().map { base.appending(path: $0) }.filter {
            (try? $0.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true
        }
    }

    @Test(
        "Every message is parsed, its parts lie within their parents, and its views are made",
        arguments: [
            "mime/mail-parser/eml", "mime/mime4j", "mime/jsmime", "mime/cpython", "mime/spamscope", "mime/nodemailer",
            "mime/haraka",
            "mime/mime-is-broken",
        ].filter(has)
    )
    func parses(_ path: String) throws {
        for file in try self.messages(below: path) {
            let bytes = try Fixture.bytes(file)
            // Debug builds are slow; the large ones are no different.
            guard bytes.count < 100_000 else { continue }
            checkInvariants(ParsedMessage(bytes))
        }
    }

    private struct Structure: Decodable {
        struct Part: Decodable {}
        var parts: [Part]
    }

    @Test("The number of parts of mail-parser's messages", .enabled(if: has("mime/mail-parser/eml")))
    func mailParserStructures() throws {
        var agreed = 0
        var differing: [String] = []
        for file in try self.messages(below: "mime/mail-parser/eml") where file.pathExtension == "eml" {
            let structure = try JSONDecoder().decode(
                Structure.self,
                from: Data(contentsOf: file.deletingPathExtension().appendingPathExtension("json"))
            )
            let message = ParsedMessage(try Fixture.bytes(file))
            // What stands within a message/rfc822 is counted there as a message of its own.
            let count = message.parts.filter { !self.isWithinMessage($0, message) }.count
            if count == structure.parts.count {
                agreed += 1
            } else {
                differing.append("\(file.lastPathComponent) \(structure.parts.count) \(count)")
            }
        }
        let total = agreed + differing.count
        #expect(agreed * 100 >= total * 90, "\(agreed) of \(total): \(differing.joined(separator: ", "))")
    }

    private func isWithinMessage(_ part: MIMEPart, _ message: ParsedMessage) -> Bool {
        var parent = part.parent
        while let index = parent {
            if message.parts[index].type == "message" { return true }
            parent = message.parts[index].parent
        }
        return false
    }

    @Test("The number of parts of mime4j's messages", .enabled(if: has("mime/mime4j")))
    func mime4jStructures() throws {
        var agreed = 0
        var differing: [String] = []
        for file in try self.messages(below: "mime/mime4j") where file.pathExtension == "msg" {
            guard let xml = try? String(contentsOf: file.deletingPathExtension().appendingPathExtension("xml"), encoding: .utf8)
            else { continue }
            let expected = xml.components(separatedBy: "<body-part>").count + xml.components(separatedBy: "<message>").count - 2
            let message = ParsedMessage(try Fixture.bytes(file))
            if message.parts.count == expected {
                agreed += 1
            } else {
                differing.append("\(file.lastPathComponent) \(expected) \(message.parts.count)")
            }
        }
        let total = agreed + differing.count
        #expect(agreed * 100 >= total * 85, "\(agreed) of \(total): \(differing.joined(separator: ", "))")
    }

    // MARK: SpamAssassin

    private struct URIInText: Decodable {
        var text: String
        var must_find: [String]
        var must_not_find: [String]
    }

    @Test("Links in texts, as SpamAssassin's tests want them", .enabled(if: has("sa-rule-language/uri-in-text.json")))
    func urisInText() throws {
        var differing: [String] = []
        let all = try self.cases("sa-rule-language/uri-in-text.json", as: [URIInText].self)
        for test in all {
            let uris = MessageText(ParsedMessage(octets("\n" + test.text + "\n"))).uris.map { text($0.bytes) }
            let isFound = try test.must_find.allSatisfy { pattern in try uris.contains { try Self.matches(pattern, $0) } }
            let isNotFound = try test.must_not_find.allSatisfy { pattern in try !uris.contains { try Self.matches(pattern, $0) } }
            if !isFound || !isNotFound { differing.append("\(test.text) \(test.must_find) \(test.must_not_find) \(uris)") }
        }
        // One wants `com.foo.web` not to be found; `web` has become a top-level domain since.
        #expect(all.count - differing.count >= 171, "\(differing.joined(separator: "\n"))")
    }

    private static func matches(_ pattern: String, _ text: String) throws -> Bool {
        let expression = try NSRegularExpression(pattern: pattern)
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    private struct URICases: Decodable {
        struct Forms: Decodable {
            var uris: [String]
            var expect: [String]
        }
        var canonical_forms: [Forms]
    }

    @Test("Canonical forms of links, as SpamAssassin's tests want them", .enabled(if: has("sa-rule-language/uri.json")))
    func canonicalForms() throws {
        var differing: [String] = []
        let all = try self.cases("sa-rule-language/uri.json", as: URICases.self).canonical_forms
        for test in all {
            let forms = Set(test.uris.flatMap { URICanonical.forms(of: octets($0)) }.map { text($0) })
            if forms != Set(test.expect) { differing.append("\(test.uris) \(forms.sorted()) \(test.expect)") }
        }
        // Four want redirector patterns that a configuration brings.
        #expect(all.count - differing.count >= all.count - 4, "\(differing.joined(separator: "\n"))")
    }

    private struct Oracle: Decodable {
        struct Link: Decodable {
            var cleaned: [String]
        }
        var file: String
        var body: [String]
        var rawbody: [String]
        var uris: [Link]
        var headers: [String: String]
    }

    private static func words(_ segments: [String]) -> [Substring] {
        segments.joined().split(whereSeparator: \.isWhitespace)
    }

    @Test("Body, links and sender as SpamAssassin 4.0.1 saw them", .enabled(if: has("sa-reference/public/stock.oracle.jsonl")))
    func oracle() throws {
        let base = try #require(Fixture.shared("sa-reference/public"))
        let lines = try String(contentsOf: base.appending(path: "stock.oracle.jsonl"), encoding: .utf8).split(separator: "\n")
        var bodies = 0
        var raws = 0
        var links = 0
        var senders = 0
        // A fifth of them: debug builds are slow.
        let sample = lines.enumerated().filter { $0.offset.isMultiple(of: 5) }.map(\.element)
        for line in sample {
            let oracle = try JSONDecoder().decode(Oracle.self, from: Data(line.utf8))
            let message = ParsedMessage(try Fixture.bytes(base.appending(path: "messages/\(oracle.file)")))
            let views = MessageText(message)
            // The program that wrote the reference left the line end before a delimiter with the part, which SpamAssassin
            // itself does not, and its FREEMAIL functions blank addresses in the text they are shown.
            if Self.words(views.body.map { latinOrUTF8($0.bytes) }) == Self.words(oracle.body) { bodies += 1 }
            if Self.words(views.rawBody.map { latinOrUTF8($0.bytes) }) == Self.words(oracle.rawbody) { raws += 1 }
            if Set(views.uris.map { latinOrUTF8($0.bytes) }) == Set(oracle.uris.flatMap(\.cleaned)) { links += 1 }
            let from = message.fields(named: "from").first.map { message.mailboxes(in: $0) } ?? []
            let sender = from.first { !$0.address.isEmpty }?.address
            if sender ?? "" == oracle.headers["From:addr"] ?? "" { senders += 1 }
        }
        #expect(bodies * 100 >= sample.count * 97)
        #expect(raws == sample.count)
        #expect(links * 100 >= sample.count * 98)
        #expect(senders == sample.count)
    }
}

/// As the reference tells octets that are no UTF-8.
private func latinOrUTF8(_ bytes: [UInt8]) -> String {
    String(validating: bytes, as: UTF8.self) ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

/// What holds for every message, whatever it is.
func checkInvariants(_ message: ParsedMessage) {
    #expect(!message.parts.isEmpty)
    for (index, part) in message.parts.enumerated() {
        #expect(part.index == index)
        #expect(part.body.upperBound <= message.bytes.count)
        if let parent = part.parent {
            #expect(parent < index)
            #expect(message.parts[parent].body.contains(part.body) || part.body.isEmpty)
        }
        for field in part.headerFields { #expect(field.name.upperBound <= field.value.lowerBound) }
    }
    let views = MessageText(message)
    for segment in views.body + views.invisible + views.visibleBody {
        #expect(!segment.bytes.isEmpty)
        #expect(segment.part ?? 0 < message.parts.count)
    }
    for field in message.headerFields { _ = (message.decodedValue(of: field), message.mailboxes(in: field)) }
    for uri in views.uris { #expect(uri.bytes.count <= URICanonical.maximumLength) }
}
