import MailTypes
import SMTPCore
import Testing

@Suite("Dialogue with a downstream server")
struct ClientSessionMachineTests {
    private static func machine(_ security: ClientSessionSettings.Security = .none) -> ClientSessionMachine {
        ClientSessionMachine(settings: ClientSessionSettings(heloName: "gw.test", security: security))
    }

    private static func reply(_ code: Int, _ lines: String...) -> SMTPReply {
        SMTPReply.received(code: code, lines: lines)!
    }

    private static func send(_ line: String) -> ClientSessionMachine.Action { .send(Array((line + "\r\n").utf8)) }

    private static let greeting = Self.reply(220, "mx")
    private static let client = ClientIdentity(address: .loopback4)
    private static let mail = MailCommand(reversePath: .null)
    private static let recipient = Recipient(MailAddress("a@example.org")!)

    @Test("a server without EHLO is asked with HELO")
    func fallsBackToHELO() {
        var machine = Self.machine()
        #expect(machine.received(Self.greeting, unread: 0) == [Self.send("EHLO gw.test")])
        #expect(machine.received(Self.reply(502, "what"), unread: 0) == [Self.send("HELO gw.test")])
        #expect(machine.received(Self.reply(250, "mx"), unread: 0) == [.ready(DownstreamCapabilities())])
        #expect(machine.wait == .nothing)
    }

    @Test("after STARTTLS everything is learnt anew")
    func startTLS() {
        var machine = Self.machine(.required)
        _ = machine.received(Self.greeting, unread: 0)
        #expect(machine.received(Self.reply(250, "mx", "STARTTLS", "DSN"), unread: 0) == [Self.send("STARTTLS")])
        #expect(machine.received(Self.reply(220, "go"), unread: 0) == [.upgradeToTLS])
        #expect(machine.wait == .handshake)
        #expect(machine.tlsEstablished() == [Self.send("EHLO gw.test")])
        #expect(machine.received(Self.reply(250, "mx"), unread: 0) == [.ready(DownstreamCapabilities())])
    }

    @Test(
        "plain text behind the reply to STARTTLS ends the connection",
        arguments: [ClientSessionSettings.Security.opportunistic, .required]
    )
    func injection(security: ClientSessionSettings.Security) {
        var machine = Self.machine(security)
        _ = machine.received(Self.greeting, unread: 0)
        _ = machine.received(Self.reply(250, "mx", "STARTTLS"), unread: 0)
        let actions = machine.received(Self.reply(220, "go"), unread: 8)
        #expect(actions == [.lost(.insecure("plain text behind the reply to STARTTLS"))])
        #expect(machine.isClosed)
    }

    @Test(
        "required TLS that is not to be had ends the connection before any mail",
        arguments: ["not offered", "refused", "failed"]
    )
    func requiresTLS(how: String) {
        var machine = Self.machine(.required)
        _ = machine.received(Self.greeting, unread: 0)
        var actions: [ClientSessionMachine.Action]
        switch how {
        case "not offered": actions = machine.received(Self.reply(250, "mx"), unread: 0)
        case "refused":
            _ = machine.received(Self.reply(250, "mx", "STARTTLS"), unread: 0)
            actions = machine.received(Self.reply(454, "no"), unread: 0)
        default:
            _ = machine.received(Self.reply(250, "mx", "STARTTLS"), unread: 0)
            _ = machine.received(Self.reply(220, "go"), unread: 0)
            actions = machine.tlsFailed("certificate")
        }
        guard case .lost(let loss)? = actions.first else { return #expect(Bool(false), "\(actions)") }
        #expect(loss.replyBeforeReady.description.hasPrefix("451 4.7.5"))
    }

    @Test("opportunistic TLS that is refused goes on in the clear")
    func opportunistic() {
        var machine = Self.machine(.opportunistic)
        _ = machine.received(Self.greeting, unread: 0)
        _ = machine.received(Self.reply(250, "mx", "STARTTLS"), unread: 0)
        guard case .ready? = machine.received(Self.reply(454, "no"), unread: 0).first else {
            return #expect(Bool(false), "not ready")
        }
    }

    @Test("without PIPELINING one command waits for the other; an abort waits for what is under way")
    func stepByStep() {
        var machine = Self.machine()
        _ = machine.received(Self.greeting, unread: 0)
        _ = machine.received(Self.reply(250, "mx"), unread: 0)
        machine.begin(Self.mail, client: Self.client)
        #expect(machine.add([Self.recipient, Self.recipient]) == [Self.send("MAIL FROM:<>")])
        #expect(machine.received(Self.reply(250, "ok"), unread: 0) == [Self.send("RCPT TO:<a@example.org>")])
        #expect(machine.abort() == [])
        #expect(machine.received(Self.reply(250, "ok"), unread: 0) == [Self.send("RSET")])
        #expect(machine.received(Self.reply(250, "ok"), unread: 0) == [.idle])
    }

    @Test("a positive reply that RCPT cannot have loses the connection, so that nobody gets what the client sends again")
    func unexpectedReply() {
        var machine = Self.machine()
        _ = machine.received(Self.greeting, unread: 0)
        _ = machine.received(Self.reply(250, "mx", "PIPELINING"), unread: 0)
        machine.begin(Self.mail, client: Self.client)
        _ = machine.add([Self.recipient])
        #expect(machine.received(Self.reply(250, "ok"), unread: 0) == [])
        #expect(machine.received(Self.reply(220, "hm"), unread: 0) == [.lost(.unexpected(Self.reply(220, "hm")))])
    }

    @Test("a refusal in the middle of the message is the outcome; an abort there takes nothing, behind the dot it does nothing")
    func contentPhase() {
        for event in ["552", "abort", "closed", "abort after dot", "closed after dot"] {
            var machine = Self.machine()
            _ = machine.received(Self.greeting, unread: 0)
            _ = machine.received(Self.reply(250, "mx", "PIPELINING"), unread: 0)
            machine.begin(Self.mail, client: Self.client)
            #expect(machine.add([Self.recipient]) == [Self.send("MAIL FROM:<>\r\nRCPT TO:<a@example.org>")])
            _ = machine.received(Self.reply(250, "ok"), unread: 0)
            #expect(machine.received(Self.reply(250, "ok"), unread: 0) == [.answer([Self.reply(250, "ok")])])
            #expect(machine.startContent(ContentFacts()) == [Self.send("DATA")])
            #expect(machine.received(Self.reply(354, "go"), unread: 0) == [.sendContent])
            switch event {
            case "552":
                let full = Self.reply(552, "full")
                #expect(machine.received(full, unread: 0) == [.outcome(.refused(full)), .close])
            case "abort": #expect(machine.abort() == [.outcome(.away(reason: "given up")), .close])
            case "closed": #expect(machine.closed() == [.outcome(.away(reason: ConnectionLoss.closed.reason)), .close])
            case "abort after dot":
                machine.contentEnds()
                #expect(machine.abort() == [])
                #expect(
                    machine.received(Self.reply(250, "ok"), unread: 0) == [.outcome(.accepted(Self.reply(250, "ok"))), .idle]
                )
            default:
                machine.contentEnds()
                #expect(machine.closed() == [.outcome(.unknown(reason: ConnectionLoss.closed.reason)), .close])
            }
        }
    }
}
