import MailPolicy
import MailRules
import MailTypes
import Testing

@testable import Gateway

@Suite("Judging with one rule set")
struct RuleJudgeTests {
    private func judge(_ rules: String) throws -> DispositionChange.Verdict {
        var configuration = GatewayConfiguration(hostname: "mx.example.com", dataDirectory: "/nowhere")
        configuration.policies = ["default": Policy(name: "default")]
        let ruleSet = try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: rules)]).ruleSet)
        let judge = RuleJudge(snapshot: GatewaySnapshot(configuration: configuration, rules: ruleSet), policy: "default")
        let message = """
            From: Anna <anna@example.org>\r
            To: bert@example.com\r
            Date: Mon, 23 Nov 2026 10:00:00 +0000\r
            Message-ID: <1@example.org>\r
            Subject: free pills\r
            \r
            Hello\r

            """
        return judge.judge(Array(message.utf8))
    }

    private static let own = "ifplugin Mail::SpamAssassin::Plugin::Outpost\n%\nendif"

    @Test("Rules score, ask for actions, and on trial or as drafts do neither")
    func stages() throws {
        let rule = "header A Subject =~ /pills/\nscore A 100\n"
        func added(_ lines: String) -> String { rule + Self.own.replacing("%", with: lines) }
        #expect(try self.judge(rule).disposition == .reject)
        #expect(try self.judge("header A Subject =~ /nothing/").disposition == .deliver)
        #expect(try self.judge(added("action A hold\nscore A 0.1")).disposition == .hold)
        for stage in ["draft", "shadow"] {
            let verdict = try self.judge(added("action A reject\nstage A \(stage)"))
            #expect(verdict.disposition == .deliver)
            #expect(verdict.hits["A"] == nil)
        }
        #expect(try self.judge(added("stage A live")).disposition == .reject)
    }
}
