import MailTypes
import SMTPCore
import Testing

/// The 250 rule over everything that can happen: a positive final reply comes from the downstream server's own acceptance, from
/// a store that is durable, or from an administrator's wish to discard, and from nothing else.
@Suite("The 250 rule")
struct RelayMachineTests {
    private static let id = TransactionID(milliseconds: 1, sequence: 2)

    /// Every code that a reply may have.
    private static let replies = (200...599).compactMap { SMTPReply.received(code: $0, lines: ["words"]) }

    private static func decision(_ disposition: Disposition, _ reply: SMTPReply?) -> PolicyDecision {
        PolicyDecision(
            disposition: disposition,
            policy: "default",
            reason: "a test",
            score: 0,
            reply: reply,
            keepsCopy: disposition == .reject
        )
    }

    private static func outcomes() -> [DeliveryOutcome] {
        self.replies.flatMap { [DeliveryOutcome.accepted($0), .refused($0)] } + [
            .away(reason: "away"), .unknown(reason: "unknown"), .internalError("broken"),
        ]
    }

    private static func reply(_ action: RelayMachine.Action) -> SMTPReply? {
        if case .reply(let reply, _, _) = action { reply } else { nil }
    }

    @Test("the downstream's outcome is the only way to 2xx for what is delivered", arguments: [Disposition.deliver, .tag])
    func delivered(_ disposition: Disposition) throws {
        for policyReply in [nil] + Self.replies.map(Optional.some) {
            var machine = RelayMachine(id: Self.id)
            #expect(machine.decided(Self.decision(disposition, policyReply)) == .deliver(marked: disposition == .tag))
        }
        for outcome in Self.outcomes() {
            var machine = RelayMachine(id: Self.id)
            _ = machine.decided(Self.decision(disposition, nil))
            let reply = try #require(Self.reply(machine.downstreamFinished(outcome)))
            if case .accepted(let own) = outcome, own.isPositive {
                #expect(reply.code == 250, "\(outcome)")
            } else {
                #expect(reply.isTransientFailure || reply.isPermanentFailure, "\(outcome)")
                #expect(!reply.isPermanentFailure || outcome == .refused(reply), "\(outcome)")
            }
        }
    }

    @Test("the downstream's own words pass unchanged")
    func words() throws {
        for own in Self.replies where own.code == 250 || own.code >= 400 {
            var machine = RelayMachine(id: Self.id)
            _ = machine.decided(Self.decision(.deliver, nil))
            let action = machine.downstreamFinished(own.code == 250 ? .accepted(own) : .refused(own))
            #expect(action == .reply(own, abortsDownstream: false, keepsCopy: false))
        }
    }

    @Test(
        "what is held is promised only when it is durable",
        arguments: [
            (RelayMachine.StoreOutcome.durable, 250), (.full, 452), (.failed(reason: "disk"), 451),
        ]
    )
    func held(_ outcome: RelayMachine.StoreOutcome, _ code: Int) throws {
        for policyReply in [nil] + Self.replies.map(Optional.some) {
            var machine = RelayMachine(id: Self.id)
            #expect(machine.decided(Self.decision(.hold, policyReply)) == .store)
            let reply = try #require(Self.reply(machine.storeFinished(outcome)))
            #expect(reply.code == code)
            #expect(reply.lines.last?.hasSuffix("(\(Self.id))") == true)
        }
    }

    @Test(
        "a refusal has the class of its decision, whatever reply policy gives",
        arguments: [(Disposition.reject, 5), (.defer, 4)]
    )
    func refused(_ disposition: Disposition, _ replyClass: Int) throws {
        for policyReply in [nil] + Self.replies.map(Optional.some) {
            var machine = RelayMachine(id: Self.id)
            let action = machine.decided(Self.decision(disposition, policyReply))
            guard case .reply(let reply, let aborts, let keepsCopy) = action else {
                Issue.record("\(disposition) with \(String(describing: policyReply)) is no reply")
                continue
            }
            #expect(reply.code / 100 == replyClass)
            #expect(reply.enhanced.map { $0.statusClass == replyClass } ?? true)
            #expect(aborts)
            #expect(keepsCopy == (disposition == .reject))
            if let policyReply, policyReply.code / 100 == replyClass { #expect(reply.code == policyReply.code) }
        }
    }

    @Test("a positive reply is written down before it is given, and is the same afterwards; a refusal is not")
    func recorded() throws {
        for outcome in Self.outcomes() {
            var plain = RelayMachine(id: Self.id)
            var machine = RelayMachine(id: Self.id, recordsReplies: true)
            _ = plain.decided(Self.decision(.deliver, nil))
            _ = machine.decided(Self.decision(.deliver, nil))
            let expected = try #require(Self.reply(plain.downstreamFinished(outcome)))
            let action = machine.downstreamFinished(outcome)
            if expected.isPositive {
                #expect(action == .record(expected))
                #expect(Self.reply(machine.recorded()) == expected)
            } else {
                #expect(Self.reply(action) == expected)
            }
        }
    }

    @Test("what was stored is written down, too; what could not be stored is not")
    func storedIsRecorded() {
        for isSpooled in [true, false] {
            for outcome in [RelayMachine.StoreOutcome.durable, .full, .failed(reason: "disk")] {
                var machine = RelayMachine(id: Self.id, isBackedUp: true, recordsReplies: true)
                if isSpooled {
                    _ = machine.decided(Self.decision(.deliver, nil))
                    #expect(machine.downstreamFinished(.away(reason: "away")) == .spool)
                } else {
                    #expect(machine.decided(Self.decision(.hold, nil)) == .store)
                }
                switch machine.storeFinished(outcome) {
                case .record(let reply):
                    #expect(outcome == .durable && Self.reply(machine.recorded()) == reply)
                    #expect(reply == (isSpooled ? RelayMachine.spooledReply(Self.id) : RelayMachine.heldReply(Self.id)))
                case let action: #expect(outcome != .durable && Self.reply(action)?.isTransientFailure == true)
                }
            }
        }
    }

    @Test("a message that was taken before gets the same positive reply and goes nowhere")
    func takenBefore() {
        for own in Self.replies {
            var machine = RelayMachine(id: Self.id, recordsReplies: true)
            guard case .reply(let reply, abortsDownstream: true, keepsCopy: false) = machine.takenBefore(own) else {
                Issue.record("no reply to \(own)")
                continue
            }
            #expect(own.isPositive ? reply == own : reply.isTransientFailure)
        }
    }

    @Test("while a message is on its way elsewhere, its sender keeps it")
    func underWayElsewhere() {
        var machine = RelayMachine(id: Self.id, recordsReplies: true)
        #expect(Self.reply(machine.underWayElsewhere())?.isTransientFailure == true)
    }

    @Test("what is discarded is accepted, and goes nowhere")
    func discarded() {
        for policyReply in [nil] + Self.replies.map(Optional.some) {
            var machine = RelayMachine(id: Self.id)
            let action = machine.decided(Self.decision(.discard, policyReply))
            #expect(Self.reply(action)?.code == 250)
            if case .reply(_, let aborts, let keepsCopy) = action { #expect(aborts && !keepsCopy) }
        }
    }
}
