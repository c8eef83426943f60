import MailTypes
import Testing

@testable import MailPolicy

private func policy(_ change: (inout Policy) -> Void = { _ in }) -> Policy {
    var policy = Policy(name: "default")
    change(&policy)
    return policy
}

private func findings(
    score: Double = 0,
    action: RequestedAction? = nil,
    scan: ScanFindings.Status = .clean,
    rulesFailure: CheckFailure? = nil
) -> Findings {
    Findings(
        rules: RuleFindings(hits: [Hit(rule: "A_RULE", score: score, action: action)], failure: rulesFailure),
        scan: ScanFindings(status: scan)
    )
}

private func decide(_ findings: Findings, _ policy: Policy = policy(), allowed: Bool = false, denied: Bool = false)
    -> PolicyDecision
{
    let entry = ListEntry(id: "7", action: .allow, text: "example.org", subject: .domain("example.org"), comment: "ours")
    let match = ListMatch(entry: entry, evidence: .spf("example.org"))
    return PolicyDecider(policy: policy).decide(findings: findings, allowed: allowed ? match : nil, denied: denied ? match : nil)
}

@Suite("The policy decision")
struct PolicyDeciderTests {
    @Test(
        "scores decide from their threshold on",
        arguments: [
            (-3, .deliver, "score -3 < tag_score 5"), (4.999, .deliver, "score 4.999 < tag_score 5"),
            (5, .tag, "score 5 >= tag_score 5"),
            (7.9, .tag, "score 7.9 >= tag_score 5"), (8, .hold, "score 8 >= hold_score 8"),
            (14.9, .hold, "score 14.9 >= hold_score 8"),
            (15.2, .reject, "score 15.2 >= reject_score 15"),
        ] as [(Double, Disposition, String)]
    )
    func scores(score: Double, disposition: Disposition, reason: String) {
        let decision = decide(findings(score: score))
        #expect(decision.disposition == disposition)
        #expect(decision.reason == reason)
        #expect(decision.score == score)
        #expect(decision.reply?.description == (disposition == .reject ? "550 5.7.1 Message refused as spam" : nil))
        #expect(decision.keepsCopy == (disposition == .reject))
    }

    @Test("a message that readers take differently is held from the sum of its ambiguity on")
    func ambiguity() {
        let hits = [
            Hit(rule: "WEAK", score: 0, ambiguity: 0.5), Hit(rule: "STRONG", score: 0, ambiguity: 3),
            Hit(rule: "OTHER", score: 1),
            Hit(rule: "MIDDLE", score: 0, ambiguity: 1),
        ]
        let found = Findings(checks: CheckFindings(hits: hits))
        #expect(decide(found).disposition == .hold)
        #expect(decide(found).reason == "ambiguity 4.5 >= ambiguity_hold_score 4: STRONG, MIDDLE, WEAK")
        #expect(decide(found, policy { $0.ambiguityHoldScore = 5 }).disposition == .deliver)
        #expect(decide(found, policy { $0.ambiguityHoldScore = nil }).disposition == .deliver)
        #expect(decide(found, allowed: true).disposition == .deliver)
        #expect(decide(findings(), policy { $0.ambiguityHoldScore = 0 }).disposition == .deliver)
    }

    @Test("what a check says of this message is in the reason")
    func detail() {
        let hit = Hit(rule: "ARCHIVE_TOO_DEEP", score: 0, action: .hold, detail: "a.zip: archives 6 deep, max_depth 5")
        let decision = decide(Findings(checks: CheckFindings(hits: [hit])))
        #expect(decision.reason == "rule ARCHIVE_TOO_DEEP: hold (a.zip: archives 6 deep, max_depth 5)")
    }

    @Test("a step that is off is left out")
    func stepsOff() {
        #expect(decide(findings(score: 99), policy { $0.rejectScore = nil }).disposition == .hold)
        let off = policy { ($0.tagScore, $0.holdScore, $0.rejectScore) = (nil, nil, nil) }
        #expect(decide(findings(score: 99), off).disposition == .deliver)
    }

    @Test("a virus is refused by its name")
    func virus() {
        let decision = decide(findings(scan: .found(["Eicar-Signature"])))
        #expect(decision.disposition == .reject)
        #expect(decision.reason == "virus Eicar-Signature: reject")
        #expect(decision.reply?.description == "554 5.7.1 Message refused: it contains the virus Eicar-Signature")
    }

    @Test(
        "the first signature pattern that fits decides, and the strictest of several signatures",
        arguments: [
            (["Heuristics.Limits.Exceeded.MaxRecursion"], .hold), (["PUA.Win.Packer"], .tag), (["pua.win.packer"], .tag),
            (["PUA.Win.Packer", "Eicar"], .reject), (["Harmless.Test"], .deliver), (["Harmless.Test", "Heuristics.X"], .hold),
            ([], .reject),
        ] as [([String], Disposition)]
    )
    func signatures(names: [String], disposition: Disposition) {
        let policy = policy { $0.signatures.insert(SignatureRule(pattern: "Harmless.*", action: .ignore), at: 0) }
        #expect(decide(findings(scan: .found(names)), policy).disposition == disposition)
    }

    @Test(
        "rules' requests",
        arguments: [
            (.tag, .tag, nil), (.hold, .hold, nil), (.discard, .discard, nil),
            (.reject(text: nil), .reject, "550 5.7.1 Message refused by policy"),
            (.reject(text: "No such offers here"), .reject, "550 5.7.1 No such offers here"),
            (.reject(text: "554 5.4.6 Routing loop"), .reject, "554 5.4.6 Routing loop"),
            (.reject(text: "250 2.0.0 fine"), .reject, "550 5.7.1 250 2.0.0 fine"),
            (.defer(text: "450 4.2.0 Come later"), .defer, "450 4.2.0 Come later"),
            (.defer(text: nil), .defer, "451 4.7.1 Message deferred by policy, try again later"),
        ] as [(RequestedAction, Disposition, String?)]
    )
    func requests(action: RequestedAction, disposition: Disposition, reply: String?) {
        let decision = decide(findings(action: action))
        #expect(decision.disposition == disposition)
        #expect(decision.reply?.description == reply)
        #expect(decision.reason == "rule A_RULE: \(disposition.rawValue)")
    }

    @Test("the configuration's action for a rule wins over the rule's own")
    func configuredActions() {
        #expect(
            decide(findings(action: .reject(text: "x")), policy { $0.ruleActions["A_RULE"] = RuleAction.none }).disposition
                == .deliver
        )
        #expect(decide(findings(score: 0.1), policy { $0.ruleActions["A_RULE"] = .hold }).disposition == .hold)
        let kept = decide(findings(action: .reject(text: "its words")), policy { $0.ruleActions["A_RULE"] = .reject })
        #expect(kept.reply?.lines == ["its words"])
    }

    @Test("the order of the lines")
    func precedence() {
        let failed = ScanFindings.Status.notScanned(.timedOut)
        // A definite refusal needs no scan.
        #expect(decide(findings(score: 20, scan: failed)).disposition == .reject)
        #expect(decide(findings(action: .reject(text: nil), scan: failed)).reason == "rule A_RULE: reject")
        // What is missing goes before discarding, holding and delivering.
        for action in [RequestedAction.discard, .hold, .tag] {
            #expect(decide(findings(action: action, scan: failed)).disposition == .defer)
        }
        #expect(decide(findings(score: 9, scan: failed)).disposition == .defer)
        #expect(decide(findings(score: 9, action: .discard)).disposition == .discard)
        #expect(decide(findings(score: 20, action: .discard)).disposition == .reject)
        #expect(decide(findings(score: 20, scan: .found(["Eicar"]))).reason == "virus Eicar: reject")
        #expect(decide(findings(score: 20, scan: .found(["PUA.X"]))).disposition == .reject)
        #expect(decide(findings(score: 6, scan: .found(["Heuristics.X"]))).disposition == .hold)
    }

    @Test(
        "a check that failed follows on_failure",
        arguments: [
            (.accept, .deliver, ["virus"], nil),
            (.defer, .defer, [], "451 4.7.1 The virus check could not be completed, try again later"),
            (.reject, .reject, [], "554 5.7.1 Message refused: the virus check could not be completed"),
        ] as [(FailurePolicy, Disposition, [String], String?)]
    )
    func virusFailure(action: FailurePolicy, disposition: Disposition, unchecked: [String], reply: String?) {
        let findings = findings(scan: .notScanned(.failed("connect: /run/x: no such file")))
        let own = PolicyDecider(policy: policy { $0.onFailure["virus"] = action }, virusOnFailure: .defer).decide(
            findings: findings
        )
        let general = PolicyDecider(policy: policy(), virusOnFailure: action).decide(findings: findings)
        #expect(own == general)
        #expect(own.disposition == disposition)
        #expect(own.unchecked == unchecked)
        #expect(own.reply?.description == reply)
    }

    @Test("rules that failed defer by default")
    func rulesFailure() {
        #expect(decide(findings(rulesFailure: .timedOut)).reason == "rules check timed out: on_failure defer")
        let accepting = policy { $0.onFailure["rules"] = .accept }
        #expect(decide(findings(score: 6, rulesFailure: .timedOut), accepting).disposition == .tag)
        #expect(decide(findings(score: 6, rulesFailure: .timedOut), accepting).unchecked == ["rules"])
    }

    @Test("scanning that is off is no failure")
    func scanOff() {
        #expect(decide(findings(scan: .off)).disposition == .deliver)
        #expect(decide(findings(scan: .off)).unchecked == [])
    }

    @Test("the allow list silences content and the deny list, not viruses and not what is missing")
    func lists() {
        #expect(decide(findings(score: 99), allowed: true).reason == "allow list: 7 example.org (SPF of example.org): ours")
        #expect(decide(findings(action: .reject(text: nil)), allowed: true).disposition == .deliver)
        #expect(decide(findings(action: .defer(text: nil)), allowed: true).disposition == .deliver)
        #expect(decide(findings(), allowed: true, denied: true).disposition == .deliver)
        #expect(decide(findings(scan: .found(["Eicar"])), allowed: true).disposition == .reject)
        #expect(decide(findings(scan: .found(["Heuristics.X"])), allowed: true).disposition == .hold)
        #expect(decide(findings(scan: .notScanned(.timedOut)), allowed: true).disposition == .defer)
        let denied = decide(findings(score: -50), denied: true)
        #expect(denied.disposition == .reject)
        #expect(denied.reason == "deny list: 7 example.org (SPF of example.org): ours")
    }

    @Test("the allow list does not silence what a built-in check itself refuses")
    func builtInRefusal() {
        let loop = Hit(rule: "ROUTING_LOOP", score: 0, action: .reject(text: "554 5.4.6 Routing loop"))
        let findings = Findings(checks: CheckFindings(hits: [loop]))
        #expect(decide(findings, allowed: true).reply?.description == "554 5.4.6 Routing loop")
        #expect(
            decide(findings, policy { $0.ruleActions["ROUTING_LOOP"] = RuleAction.none }, allowed: true).disposition == .deliver
        )
        let forged = Findings(checks: CheckFindings(hits: [Hit(rule: "HELO_FORGES_US", score: 4)]))
        let strict = policy { $0.ruleActions["HELO_FORGES_US"] = .reject }
        #expect(decide(forged, strict).disposition == .reject)
        #expect(decide(forged, strict, allowed: true).disposition == .deliver)
    }

    @Test("no copy is kept where the policy says so")
    func copies() {
        #expect(!decide(findings(score: 99), policy { $0.keepRejected = false }).keepsCopy)
        #expect(!decide(findings(score: 9)).keepsCopy)
    }
}

@Suite("Properties of the policy decision")
struct PolicyPropertyTests {
    /// All combinations of what can be found.
    private static let cases: [(Findings, Bool, Bool)] = {
        var cases: [(Findings, Bool, Bool)] = []
        let actions: [RequestedAction?] = [nil, .tag, .hold, .discard, .defer(text: nil), .reject(text: "550 no")]
        let scans: [ScanFindings.Status] = [
            .clean, .off, .found(["Eicar"]), .found(["PUA.x"]), .found(["Heuristics.x"]), .notScanned(.timedOut),
        ]
        for action in actions {
            for scan in scans {
                for score in [-5.0, 0, 5, 8, 15] {
                    for failure in [nil, CheckFailure.timedOut] {
                        for (allowed, denied) in [(false, false), (true, false), (false, true)] {
                            cases.append(
                                (findings(score: score, action: action, scan: scan, rulesFailure: failure), allowed, denied)
                            )
                        }
                    }
                }
            }
        }
        return cases
    }()

    private static func policies() -> [Policy] {
        FailurePolicy.allCases.map { action in
            policy {
                $0.onFailure = ["rules": action, "virus": action]
            }
        }
    }

    /// From mild to strict.
    private static func strictness(_ disposition: Disposition) -> Int {
        [.deliver, .tag, .hold, .discard, .defer, .reject].firstIndex(of: disposition) ?? -1
    }

    @Test("a refusal has a 5xx reply, a deferral a 4xx one, and nothing else has a reply")
    func replies() {
        for policy in Self.policies() {
            for (findings, allowed, denied) in Self.cases {
                let decision = decide(findings, policy, allowed: allowed, denied: denied)
                switch decision.disposition {
                case .reject: #expect(decision.reply?.isPermanentFailure == true)
                case .defer: #expect(decision.reply?.isTransientFailure == true)
                case .deliver, .tag, .hold, .discard: #expect(decision.reply == nil)
                }
                #expect(!decision.reason.isEmpty)
            }
        }
    }

    @Test("a further hit with a positive score never makes the decision milder")
    func monotone() {
        for policy in Self.policies() {
            for (findings, allowed, denied) in Self.cases {
                let before = decide(findings, policy, allowed: allowed, denied: denied)
                for score in [0.1, 3, 7, 100] {
                    var more = findings
                    more.rules.hits.append(Hit(rule: "MORE", score: score))
                    let after = decide(more, policy, allowed: allowed, denied: denied)
                    #expect(Self.strictness(after.disposition) >= Self.strictness(before.disposition))
                }
            }
        }
    }

    @Test("a virus whose action is reject is never let through")
    func virusAlways() {
        for (findings, allowed, denied) in Self.cases where findings.scan.status == .found(["Eicar"]) {
            #expect(decide(findings, allowed: allowed, denied: denied).disposition == .reject)
        }
    }

    @Test("nothing goes out unscanned without being recorded")
    func unscanned() {
        for policy in Self.policies() {
            for (findings, allowed, denied) in Self.cases where findings.scan.status == .notScanned(.timedOut) {
                let decision = decide(findings, policy, allowed: allowed, denied: denied)
                if ![.reject, .defer].contains(decision.disposition) { #expect(decision.unchecked.contains("virus")) }
            }
        }
    }
}
