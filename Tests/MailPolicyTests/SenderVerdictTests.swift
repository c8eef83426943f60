import MailTypes
import Testing

@testable import MailPolicy

@Suite("Senders that are not who they say")
struct SenderVerdictTests {
    private static func findings(_ record: String, result: DMARCFinding.Result = .fail) -> AuthenticationFindings {
        var findings = AuthenticationFindings()
        findings.dmarc = DMARCFinding(result, domain: "example.org")
        findings.dmarc.record = DMARCRecord(Array(record.utf8))
        findings.dmarc.policy = findings.dmarc.record?.policy
        return findings
    }

    private func decide(_ findings: AuthenticationFindings, _ policy: Policy = Policy(name: "default")) -> PolicyDecision {
        PolicyDecider(policy: policy).decide(findings: Findings(authentication: findings))
    }

    @Test("What the owner asks for is done as the policy says")
    func dmarc() {
        #expect(self.decide(Self.findings("v=DMARC1; p=reject")).disposition == .reject)
        #expect(self.decide(Self.findings("v=DMARC1; p=reject")).reply?.description.contains("5.7.26") == true)
        #expect(self.decide(Self.findings("v=DMARC1; p=quarantine")).disposition == .hold)
        #expect(self.decide(Self.findings("v=DMARC1; p=none")).disposition == .deliver)
        #expect(self.decide(Self.findings("v=DMARC1; p=reject", result: .pass)).disposition == .deliver)
        var lenient = Policy(name: "lenient")
        lenient.dmarc = [.reject: .tag, .quarantine: .none]
        #expect(self.decide(Self.findings("v=DMARC1; p=reject"), lenient).disposition == .tag)
        #expect(self.decide(Self.findings("v=DMARC1; p=quarantine"), lenient).disposition == .deliver)
    }

    @Test("Beyond pct the next weaker policy is in force")
    func percentage() {
        var findings = Self.findings("v=DMARC1; p=reject; pct=30")
        findings.sample = 29
        #expect(self.decide(findings).disposition == .reject)
        findings.sample = 30
        #expect(self.decide(findings).disposition == .hold)
    }

    @Test("A trusted hop that saw DMARC pass is believed, another is not")
    func sealers() {
        var findings = Self.findings("v=DMARC1; p=reject")
        findings.arc = ARCFinding(.pass, sealers: ["lists.example.net"], authenticationResults: ["lists.example.net; dmarc=pass"])
        #expect(self.decide(findings).disposition == .reject)
        var policy = Policy(name: "default")
        policy.trustedSealers = ["lists.example.net"]
        #expect(self.decide(findings, policy).disposition == .deliver)
        findings.arc.authenticationResults = ["lists.example.net; dmarc=fail"]
        #expect(self.decide(findings, policy).disposition == .reject)
        findings.arc = ARCFinding(.fail, sealers: ["lists.example.net"], authenticationResults: ["x; dmarc=pass"])
        #expect(self.decide(findings, policy).disposition == .reject)
    }

    @Test("SPF counts where DMARC says nothing")
    func spf() {
        var findings = AuthenticationFindings(mailFrom: SPFFinding(.fail, identity: .mailfrom, domain: "example.org"))
        #expect(self.decide(findings).disposition == .deliver)
        var policy = Policy(name: "strict")
        policy.spfFail = .reject
        #expect(self.decide(findings, policy).disposition == .reject)
        #expect(self.decide(findings, policy).reply?.description.contains("5.7.23") == true)
        findings.dmarc = DMARCFinding(.pass, domain: "example.org")
        #expect(self.decide(findings, policy).disposition == .deliver)
    }

    @Test("Questions without an answer follow on_failure and are told")
    func unanswered() {
        var findings = AuthenticationFindings()
        findings.dmarc = DMARCFinding(.temperror, domain: "example.org")
        #expect(self.decide(findings).disposition == .deliver)
        #expect(self.decide(findings).unchecked == ["authentication"])
        var policy = Policy(name: "strict")
        policy.onFailure["authentication"] = .defer
        #expect(self.decide(findings, policy).disposition == .defer)
    }
}
