import MailMessage
import MailRules
import MailTypes
import Testing

@Suite("Functions of HTML")
struct HTMLEvalTests {
    private static let html = """
        <!DOCTYPE html><html><head><title>A very long title that says it all</title>
        <meta http-equiv=Content-Type content="text/html; charset=koi8-r"></head>
        <!-- saved from url=(0022)http://example.org/ -->
        <body><center><font face="Arial, sans-serif" size=7>big</font>
        <font color=white>hidden</font> <font color=fff face="A*">odd</font>
        <a href=http://example.org/><img src=a.gif width=100 height=50></a>
        v<b></b>ia<x></x>gra <nonsense></font>
        <form action=mailto:joe@example.org></form><iframe src=http://example.net/></iframe>
        </body>
        """

    @Test(
        "Each function hits what SpamAssassin 4.0.1 hits",
        arguments: [
            ("html_tag_balance('center', '!= 0')", true), ("html_tag_balance('center', '> 1')", false),
            ("html_tag_balance('head', '!= 0')", false), ("html_tag_balance('table', '== 0')", false),
            ("html_tag_exists('iframe')", true), ("html_tag_exists('table')", false),
            ("html_test('html')", true), ("html_test('font_low_contrast')", true), ("html_test('font_invalid_color')", true),
            ("html_test('font_face_bad')", true), ("html_test('form_action_mailto')", true), ("html_test('embeds')", false),
            ("html_eval('length', '< 2000')", true), ("html_eval('length', '<100')", false),
            ("html_eval('max_size', '== 7')", true), ("html_eval('min_size', '< 3')", false),
            ("html_image_only('0000','0400')", false), ("html_image_only('0400','0800')", true),
            ("html_image_ratio('0.000','0.002')", false), ("html_image_ratio('0.008','0.009')", true),
            ("html_range('max_size','6','inf')", true), ("html_range('obfuscation_ratio','.05','.1')", true),
            ("html_range('obfuscation_ratio','.1','.2')", false), ("html_range('bad_tag_ratio','0.05','0.20')", true),
            ("html_range('closed_extra_ratio', '0.02', 'inf')", true), ("html_range('backhair_count','1','inf')", true),
            ("html_text_match('title', '.{20}')", true), ("html_text_match('title', '.{120}')", false),
            ("html_text_match('comment', '<!-- saved from url=\\(\\d{4}\\)')", true),
            ("html_text_match('anchor', '<img>')", true), ("html_text_not_match('title', 'title')", false),
            ("html_title_subject_ratio('3.5')", true), ("html_title_subject_ratio('30')", false),
            ("html_charset_faraway()", false), ("check_iframe_src()", true),
        ]
    )
    func function(call: String, hits: Bool) throws {
        let message = "Subject: Hi\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\(Self.html)\r\n"
        #expect(try self.hits("body R eval:\(call)", message) == (hits ? ["R"] : []))
    }

    @Test("Text that is no HTML has no results")
    func plain() throws {
        #expect(try self.hits("body R eval:html_test('html')", "Subject: s\r\n\r\n<html>\r\n") == [])
    }

    @Test("A result that does not exist is an error", arguments: ["html_test('colour')", "html_eval('length', 'many')"])
    func unknown(call: String) {
        let rules = RuleSource(file: "r.cf", bytes: Array("body R eval:\(call)".utf8))
        #expect(RuleCompiler().compile([rules], load: { _ in nil }).problems.contains { $0.severity == .error })
    }

    private func hits(_ rules: String, _ message: String) throws -> [String] {
        let compilation = RuleCompiler().compile([RuleSource(file: "r.cf", bytes: Array(rules.utf8))], load: { _ in nil })
        let evaluator = RuleEvaluator(ruleSet: try #require(compilation.ruleSet))
        let text = MessageText(ParsedMessage(Array(message.utf8)))
        let envelope = Envelope(client: ClientIdentity(address: .loopback4), reversePath: .null)
        return evaluator.evaluate(text, envelope: envelope).hits.map(\.rule)
    }
}
