import Logging
import MailPolicy
import MailStore
import MailTypes
import OutpostTestKit
import Testing

@testable import Gateway

@Suite("Counting messages for reports of DMARC")
struct DMARCCounterTests {
    private static func findings(
        _ result: DMARCFinding.Result = .fail,
        record: String = "v=DMARC1; p=reject; rua=mailto:a@example.org",
        sample: Int = 0
    ) -> AuthenticationFindings {
        var dmarc = DMARCFinding(result, domain: "example.org")
        dmarc.record = DMARCRecord(Array(record.utf8))
        dmarc.recordDomain = "example.org"
        dmarc.policy = dmarc.record?.policy
        let spf = SPFFinding(.softfail, identity: .mailfrom, domain: "Example.net")
        return AuthenticationFindings(
            mailFrom: spf,
            dkim: [DKIMFinding(.fail, domain: "example.org", selector: "s1")],
            dmarc: dmarc,
            sample: sample
        )
    }

    private static func observation(_ findings: AuthenticationFindings) -> DMARCObservation? {
        let handling = DMARCHandling(findings, policy: Policy(name: "default"), isAllowed: false)
        return DMARCObservation(
            findings,
            client: .loopback6,
            reversePath: .null,
            handling: (handling.disposition, handling.reasons)
        )
    }

    @Test("What was counted is written at the end")
    func counting() async throws {
        let directory = try TemporaryDirectory()
        let counter = DMARCCounter(
            directory: directory.path,
            keptDays: 30,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        counter.start()
        let observation = try #require(Self.observation(Self.findings()))
        for _ in 0..<3 { counter.count(observation) }
        await counter.stop()
        let today = RuleHitCount.day(TimeText.now())
        let store = try DMARCStore(directory: directory.path)
        let rows = try await store.rows(day: today, domain: "example.org")
        #expect(rows.map(\.count) == [3])
        #expect(rows.first?.row == observation.row)
        #expect(observation.row.spf == [DMARCReportRow.SPF(domain: "example.net", scope: .helo, result: "softfail")])
        #expect(observation.row.disposition == "reject")
    }

    @Test("Only what DMARC has decided, and somebody wants to know, is counted")
    func leftOut() {
        #expect(Self.observation(Self.findings()) != nil)
        #expect(Self.observation(Self.findings(.pass)) != nil)
        #expect(Self.observation(Self.findings(.temperror)) == nil)
        #expect(Self.observation(Self.findings(record: "v=DMARC1; p=reject")) == nil)
        var unknown = Self.findings(.pass)
        unknown.mailFrom = nil
        #expect(Self.observation(unknown) == nil)
    }

    @Test("What was done, and why it is not what the owner asks for")
    func handling() {
        var policy = Policy(name: "default")
        policy.trustedSealers = ["list.example"]
        func handling(_ findings: AuthenticationFindings, isAllowed: Bool = false) -> DMARCHandling {
            DMARCHandling(findings, policy: policy, isAllowed: isAllowed)
        }
        let failed = Self.findings()
        #expect(handling(failed).disposition == .reject)
        #expect(handling(failed).reasons.isEmpty)
        #expect(handling(Self.findings(.pass)).disposition == .none)
        #expect(handling(failed, isAllowed: true).reasons.map(\.kind) == [.localPolicy])
        #expect(handling(failed, isAllowed: true).disposition == .none)

        let sampled = handling(Self.findings(record: "v=DMARC1; p=reject; pct=10; rua=mailto:a@example.org", sample: 50))
        #expect(sampled.disposition == .quarantine)
        #expect(sampled.reasons.map(\.kind) == [.sampledOut])

        var passedOn = failed
        passedOn.arc = ARCFinding(.pass, sealers: ["first.example", "list.example"], authenticationResults: ["i=1; dmarc=pass"])
        #expect(handling(passedOn).disposition == .none)
        #expect(handling(passedOn).reasons.map(\.comment) == ["arc=pass as[2].d=list.example as[1].d=first.example"])

        policy.dmarc[.reject] = SenderAction.none
        #expect(handling(failed).disposition == .none)
        #expect(handling(failed).reasons.map(\.kind) == [.localPolicy])
    }
}
