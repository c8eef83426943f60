import DeliveryCore
import MailTypes
import Testing

@Suite("Who is told what")
struct DeliveryNoticeTests {
    private static let sender = MailAddress(localPart: "alice", domain: "example.org", text: "alice@example.org")

    private static func recipients(_ notify: [String?]) -> [Recipient] {
        notify.enumerated().map { index, notify in
            Recipient(MailAddress(localPart: "r\(index)", domain: "example.net", text: "r\(index)@example.net"), notify: notify)
        }
    }

    private func decide(
        _ events: [Int: DeliveryEvent],
        _ notify: [String?],
        reversePath: ReversePath = .mailbox(Self.sender),
        standing: SenderStanding = .unknown,
        history: NoticeHistory = NoticeHistory()
    ) -> [DeliveryNotice] {
        DeliveryNotice.decide(
            events,
            recipients: Self.recipients(notify),
            reversePath: reversePath,
            standing: standing,
            history: history
        )
    }

    @Test(
        "NOTIFY",
        arguments: [
            (nil, [.failed, .delayed]), ("NEVER", []), ("SUCCESS", [.relayed, .delivered]), ("FAILURE", [.failed]),
            ("DELAY", [.delayed]), ("success,failure", [.failed, .relayed, .delivered]),
            ("SUCCESS,FAILURE,DELAY", [.failed, .delayed, .relayed, .delivered]),
            // None of the client's: nothing is kept from the sender that it would be told without.
            ("", [.failed, .delayed]), ("NEVER,FAILURE", [.failed, .delayed]), ("LATER", [.failed, .delayed]),
        ] as [(String?, [DeliveryEvent])]
    )
    func notify(text: String?, told: [DeliveryEvent]) {
        for event in DeliveryEvent.allCases {
            let expected: DeliveryNotice.Handling = told.contains(event) ? .tell(Self.sender) : .silent(.notAskedFor)
            #expect(
                self.decide([0: event], [text]) == [DeliveryNotice(event: event, recipients: [0], handling: expected)],
                "\(text ?? "absent"), \(event)"
            )
        }
    }

    @Test("one notice for those who failed at the same time; other events and those who want none apart")
    func groups() {
        let events: [Int: DeliveryEvent] = [0: .failed, 1: .relayed, 2: .failed, 3: .failed, 4: .delayed, 9: .failed]
        let notices = self.decide(events, [nil, "SUCCESS", "FAILURE", "NEVER", nil, nil])
        #expect(
            notices == [
                DeliveryNotice(event: .failed, recipients: [0, 2], handling: .tell(Self.sender)),
                DeliveryNotice(event: .failed, recipients: [3], handling: .silent(.notAskedFor)),
                DeliveryNotice(event: .delayed, recipients: [4], handling: .tell(Self.sender)),
                DeliveryNotice(event: .relayed, recipients: [1], handling: .tell(Self.sender)),
            ]
        )
    }

    @Test("nobody is told about a notice", arguments: DeliveryEvent.allCases)
    func nullReversePath(event: DeliveryEvent) {
        for standing in [SenderStanding.unknown, .vouchedFor, .forged] {
            let notices = self.decide([0: event], ["SUCCESS,FAILURE,DELAY"], reversePath: .null, standing: standing)
            #expect(notices.map(\.handling) == [.silent(.nullReversePath)])
        }
    }

    @Test("a forged sender is not bothered, and what fails is kept for somebody to look at")
    func forged() {
        for notify in [nil, "NEVER", "SUCCESS,FAILURE,DELAY"] {
            let expected: [(DeliveryEvent, DeliveryNotice.Handling)] = [
                (.failed, .holdForAdministrator), (.delayed, .silent(.forgedSender)), (.relayed, .silent(.forgedSender)),
                (.delivered, .silent(.forgedSender)),
            ]
            for (event, handling) in expected {
                #expect(self.decide([0: event], [notify], standing: .forged).map(\.handling) == [handling])
            }
        }
    }

    @Test("a delay is told once for the message, an end once for each recipient")
    func once() {
        var history = NoticeHistory()
        func decide(_ events: [Int: DeliveryEvent]) -> [DeliveryNotice.Handling] {
            let notices = self.decide(events, [nil, nil, "NEVER"], history: history)
            for notice in notices { history.record(notice) }
            return notices.map(\.handling)
        }
        #expect(decide([2: .delayed]) == [.silent(.notAskedFor)])
        #expect(decide([0: .delayed, 1: .delayed]) == [.tell(Self.sender)])
        #expect(decide([0: .delayed]) == [.silent(.alreadyTold)])
        #expect(decide([0: .failed]) == [.tell(Self.sender)])
        #expect(decide([0: .failed, 1: .failed]) == [.silent(.alreadyTold), .tell(Self.sender)])
        #expect(decide([1: .relayed]) == [.silent(.alreadyTold)])
        #expect(history == NoticeHistory(isDelayTold: true, settled: [0, 1]))
    }

    @Test(
        "whose reverse path it is",
        arguments: [
            (nil, nil, .none, .unknown), (.pass, nil, .fail, .vouchedFor), (.fail, nil, .none, .forged),
            (.fail, nil, .fail, .forged),
            (nil, nil, .fail, .forged), (.softfail, nil, .none, .unknown), (.neutral, nil, .fail, .forged),
            (.temperror, nil, .none, .unknown),
            // A message that was forwarded: SPF fails, the signature stands.
            (.fail, "example.org", .pass, .vouchedFor), (.fail, "Example.ORG", .fail, .vouchedFor),
            (.fail, "org.example", .pass, .forged), (SPFResult.none, "ple.org", .fail, .forged),
        ] as [(SPFResult?, String?, DMARCFinding.Result, SenderStanding)]
    )
    func standing(spf: SPFResult?, signer: String?, dmarc: DMARCFinding.Result, expected: SenderStanding) {
        var findings = AuthenticationFindings(
            mailFrom: spf.map { SPFFinding($0, identity: .mailfrom, domain: "example.org") },
            dmarc: DMARCFinding(dmarc)
        )
        findings.dkim = signer.map { [Self.signature($0)] } ?? []
        #expect(SenderStanding(.mailbox(Self.sender), findings) == expected)
        #expect(SenderStanding(.null, findings) == .unknown)
        #expect(SenderStanding(.mailbox(Self.sender), nil) == .unknown)
    }

    private static func signature(_ domain: String) -> DKIMFinding {
        DKIMFinding(.pass, domain: domain)
    }
}
