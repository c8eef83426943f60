import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

@testable import MailRules

private let modelFile = "/usr/share/spamassassin/languages"

/// Whole messages with the models of an installed SpamAssassin. What is expected is what SpamAssassin 4.0.1 answered with the same
/// settings.
@Suite("Rules on the language", .enabled(if: FileManager.default.fileExists(atPath: modelFile)))
struct LanguageRuleTests {
    private static let rules = """
        body     UNWANTED_LANGUAGE_BODY  eval:check_language()
        body     BODY_8BITS              eval:check_body_8bits()
        header   LANGUAGES               X-Languages =~ /^.*$/
        header   LENGTH                  X-Languages-Length =~ /^\\d+$/

        """

    private static func compile(_ text: String) throws -> RuleSet {
        let models = try Data(contentsOf: URL(filePath: modelFile))
        let compilation = RuleCompiler().compile([RuleSource(file: "rules/a.cf", text: text)]) { path in
            path == "rules/languages" ? RuleSource(file: path, bytes: Array(models)) : nil
        }
        return try #require(compilation.ruleSet, "\(compilation.problems)")
    }

    private func findings(_ ruleSet: RuleSet, _ message: String) throws -> [String: String] {
        let file = Fixture.directory.appending(path: "functions/languages/\(message).eml")
        let parsed = ParsedMessage(try Fixture.bytes(file))
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: parsed), envelope: envelope)
        return Dictionary(uniqueKeysWithValues: findings.hits.map { ($0.rule, $0.locations.first?.text ?? "") })
    }

    private static let names = "UNWANTED_LANGUAGE_BODY"
    private static let octets = "BODY_8BITS"

    @Test(
        "What a text is in, and whether it is unwelcome",
        arguments: [
            ("english", "en", 629, ["de fr": [names], "zh ja": [names]]),
            ("german", "de", 662, ["en": [names], "en ru": [names], "zh ja": [names], "sco": [names]]),
            ("german-latin1", "de", 662, ["en": [names], "en ru": [names], "zh ja": [names]]),
            // Nearly all of it are links, addresses and names of hosts in English words.
            ("german-links", "de", 1_215, ["en": [names], "en ru": [names], "zh ja": [names]]),
            ("german-short", "", 239, [:]),
            ("french", "fr", 643, ["en": [names], "en ru": [names], "zh ja": [names]]),
            ("spanish", "es", 500, ["en": [names], "de fr": [names], "en ru": [names], "zh ja": [names]]),
            ("russian", "ru.utf-8", 988, ["en": [names, octets], "de fr": [names, octets], "zh ja": [names]]),
            ("russian-koi8", "ru.utf-8", 988, ["en": [names, octets], "de fr": [names, octets], "zh ja": [names]]),
            (
                "japanese", "ja.shift-jis zh.utf-8", 780,
                ["en": [names, octets], "de fr": [names, octets], "en ru": [names], "sco": [names, octets]]
            ),
            (
                "japanese-iso2022", "ja.shift-jis zh.utf-8", 780,
                ["en": [names, octets], "de fr": [names, octets], "en ru": [names]]
            ),
            ("english-german", "en de", 1_264, ["zh ja": [names]]),
        ] as [(String, String, Int, [String: [String]])]
    )
    func messages(message: String, languages: String, length: Int, hits: [String: [String]]) throws {
        for welcome in ["all", "en", "de fr", "en ru", "zh ja"] + (hits["sco"] == nil ? [] : ["sco"]) {
            let found = try self.findings(Self.compile(Self.rules + "ok_languages \(welcome)\n"), message)
            #expect(Set(found.keys).subtracting(["LANGUAGES", "LENGTH"]) == Set(hits[welcome] ?? []), "\(message): \(welcome)")
            if let told = found[Self.names] { #expect(told == languages) }
            #expect(found["LANGUAGES"] == languages)
            #expect(found["LENGTH"] == String(length))
        }
    }

    @Test(
        "Each setting has its effect",
        arguments: [
            ("textcat_max_languages 1", ["english-german": "", "english": "en", "german": "de", "japanese": ""]),
            (
                "textcat_acceptable_score 1.0",
                ["english-german": "en", "english": "en", "german": "de", "japanese": "ja.shift-jis"]
            ),
            ("textcat_acceptable_score 1.2", ["english-german": "", "english": "", "german": "de", "japanese": ""]),
            ("textcat_max_ngrams 20", ["english-german": "de", "english": "en", "german": "de", "japanese": "zh.utf-8"]),
            ("textcat_optimal_ngrams 3", ["english-german": "en", "english": "en", "german": "de", "japanese": "ja.shift-jis"]),
            (
                "inactive_languages de en",
                ["english-german": "sco", "english": "sco", "german": "fy nl af", "japanese": "ja.shift-jis zh.utf-8"]
            ),
            ("ok_languages sco", ["english-german": "en de sco", "english": "en"]),
        ] as [(String, [String: String])]
    )
    func settings(line: String, expected: [String: String]) throws {
        let ruleSet = try Self.compile(Self.rules + line + "\n")
        for (message, languages) in expected {
            #expect(try self.findings(ruleSet, message)["LANGUAGES"] == languages, "\(message)")
        }
    }

    @Test("In little text Scots counts as English")
    func scots() throws {
        let found = try self.findings(Self.compile(Self.rules + "ok_languages sco\n"), "english-german")
        #expect(found["UNWANTED_LANGUAGE_BODY"] == nil)
    }

    @Test("X-Languages is there for every message, and the message's own field goes before it")
    func field() throws {
        let rules = """
            header A exists:X-Languages
            header B X-Languages =~ /^en$/
            header C X-Languages-Length =~ /^629$/
            header D X-Languages =~ /^$/
            header E ALL =~ /X-Languages/i
            header F X-Languages =~ /afar/
            """
        let ruleSet = try Self.compile(rules)
        #expect(try self.findings(ruleSet, "english").keys.sorted() == ["A", "B", "C"])
        #expect(try self.findings(ruleSet, "english-field").keys.sorted() == ["A", "C", "E", "F"])
        #expect(try self.findings(ruleSet, "german-short").keys.sorted() == ["A", "D"])
    }

    @Test("A text without a word is in no language (SpamAssassin takes any)")
    func numbers() throws {
        let found = try self.findings(Self.compile(Self.rules + "ok_languages en\n"), "numbers")
        #expect(found == ["LANGUAGES": "", "LENGTH": "544"])
    }
}

@Suite("Models of languages beside rule files")
struct LanguageModelFileTests {
    private let models = Array("e\nn\n0 en\nd\ne\n0 de\n".utf8)

    private static let unwanted = "body U eval:check_language()\n"
    private static let hint = "(put SpamAssassin's file 'languages' beside the rule files)"

    private static let needing = [
        unwanted + "ok_languages en\n",
        "loadplugin Mail::SpamAssassin::Plugin::TextCat\nheader H X-Languages =~ /en/\n",
        "header H X-Languages =~ /en/\n",
        "header H exists:X-Languages-Length\n",
    ]

    private static let others = [
        unwanted,
        unwanted + "ok_languages en all\n",
        unwanted + "ok_languages en\nscore U 0\n",
        "ifplugin X\n" + unwanted + "endif\nok_languages en\n",
        "loadplugin Mail::SpamAssassin::Plugin::Check\nheader H X-Languages =~ /en/\n",
        "body B eval:check_body_8bits()\nok_languages en\n",
        "header H X-Language =~ /en/\n",
    ]

    @Test("They are read only when a rule needs them", arguments: needing + others)
    func need(rules: String) {
        let isRead = Self.needing.contains(rules)
        var read: [String] = []
        let sources = ["1/a.cf", "2/a.cf", "2/b.cf"].enumerated().map { RuleSource(file: $1, text: $0 == 2 ? rules : "") }
        let compilation = RuleCompiler().compile(sources) { path in
            read.append(path)
            return path == "1/languages" ? RuleSource(file: path, bytes: self.models) : nil
        }
        // What stands later goes first.
        #expect(read == (isRead ? ["2/languages", "1/languages"] : []))
        #expect((compilation.ruleSet?.settings.languages.models != nil) == isRead)
        #expect(compilation.problems.filter { $0.severity != .note } == [])
    }

    @Test("A rule that needs them where there are none is named, and never hits")
    func missing() throws {
        let rules = """
            ok_languages en
            body     U eval:check_language()
            describe U Written in another language
            header   H X-Languages =~ /de/
            describe H Written in German
            """
        let problems = RuleCompiler().lint([RuleSource(file: "a.cf", text: rules)]).map(\.description)
        let asks = "asks for the language of the text, and there are no language models"
        #expect(
            problems == [
                "a.cf:2:10: warning: U \(asks); it never hits \(Self.hint)", "a.cf:4:10: warning: H \(asks) \(Self.hint)",
            ]
        )
        let empty = RuleCompiler().lint([RuleSource(file: "r/a.cf", text: rules)]) { RuleSource(file: $0, text: "a\nb\n") }
        #expect(Set(empty.map(\.description)).contains("r/languages:0: warning: there is no language model in this file"))
        #expect(empty.count == 3)

        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: rules)]).ruleSet)
        let message = ParsedMessage(
            Array("Subject: Hallo\r\n\r\n".utf8) + Array(repeating: "der die das ".utf8, count: 40).joined()
        )
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        let findings = RuleEvaluator(ruleSet: ruleSet).evaluate(ruleSet.text(of: message), envelope: envelope)
        #expect(findings.hits == [])
    }

    @Test(
        "A setting that is no number is an error",
        arguments: [
            "textcat_max_languages many", "textcat_max_ngrams -1", "textcat_optimal_ngrams 1.5", "textcat_max_ngrams 100001",
            "textcat_acceptable_score high", "textcat_acceptable_score -1",
        ]
    )
    func wrongSetting(line: String) {
        let problems = RuleCompiler().compile([RuleSource(file: "a.cf", text: line)]).problems
        #expect(problems.map(\.severity) == [.error])
        #expect(problems.map(\.line) == [1])
    }

    @Test("A welcome language that no text can be in is told")
    func impossibleLanguage() {
        let problems = RuleCompiler().compile([RuleSource(file: "a.cf", text: "ok_languages en zh.big5")]).problems
        let expected =
            "a.cf:1:14: warning: 'zh.big5' fits no text: languages are compared without what stands behind the dot (write zh)"
        #expect(problems.map(\.description) == [expected])
    }
}
