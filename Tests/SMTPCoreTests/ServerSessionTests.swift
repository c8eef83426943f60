import Foundation
import MailTypes
import NIOCore
import OutpostTestKit
import SMTPCore
import Testing

@Suite("Server session")
struct ServerSessionTests {
    static let mail = ServerDriver.envelope

    @Test("an ordinary session: greeting, EHLO, transaction, QUIT")
    func ordinary() {
        var driver = ServerDriver()
        driver.start()
        driver.feed("EHLO client.test\r\n\(Self.mail)DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n")
        #expect(driver.record.codes == [220, 250, 250, 250, 354, 250, 221])
        #expect(driver.record.messages == [Array("Subject: x\r\n\r\n.dot\r\n".utf8)])
        #expect(driver.record.facts == [ContentFacts(octets: 20, longestLine: 10)])
        #expect(driver.record.isClosed)
        #expect(driver.machine.closeReason == "quit")
        #expect(driver.machine.counts.accepted == 1)
    }

    @Test("EHLO lists what the configuration and the session say")
    func keywords() {
        var driver = ServerDriver {
            $0.offersTLS = true
            $0.trustsXCLIENT = true
        }
        driver.start()
        driver.feed("EHLO c\r\n")
        let expected = """
            250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10000\r\n250-STARTTLS\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r
            250-DSN\r\n250-CHUNKING\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT
            """
        #expect(driver.record.replies.last == expected)
        driver.capabilities = ServerCapabilities(size: 0, eightBitMIME: false)
        driver.feed("EHLO c\r\nHELO c\r\n")
        #expect(driver.record.replies[2].contains("SIZE 26214400"))
        for word in ["8BITMIME", "SMTPUTF8", "DSN"] { #expect(!driver.record.replies[2].contains(word)) }
        #expect(driver.record.replies[3] == "250 mx.test")
    }

    @Test(
        "commands out of place and malformed ones get their code, and the next command is understood",
        arguments: [
            ("MAIL FROM:<a@b.c>", "503 5.5.1", false), ("RCPT TO:<a@b.c>", "503 5.5.1", true), ("DATA", "503 5.5.1", true),
            ("NO\u{0}OP", "500 5.5.2", true), ("NO\rOP", "500 5.5.2", true), ("NOOP\nNOOP", "500 5.5.2", true),
            ("NOOP\u{7f}", "500 5.5.2", true), ("", "500 5.5.2", true), ("NOOP é", "500 5.5.2", true),
            ("WHAT", "500 5.5.1", true), ("EXPN x", "502 5.5.1", true), ("AUTH PLAIN", "502 5.5.1", true),
            ("STARTTLS", "502 5.5.1", true), ("XCLIENT NAME=x", "550 5.7.1", true), ("EHLO", "501 5.5.4", true),
            ("HELO a b", "501 5.5.4", true), ("MAIL", "501 5.5.4", true), ("MAIL <a@b.c>", "501 5.5.4", true),
            ("MAIL FROM:", "501 5.1.7", true), ("MAIL FROM:<a@b.c", "501 5.1.7", true), ("MAIL FROM:<@b.c>", "501 5.1.7", true),
            ("MAIL FROM:<postmaster>", "501 5.1.7", true), ("MAIL FROM:<a@b.c> FOO=1", "555 5.5.4", true),
            ("MAIL FROM:<a@b.c>SIZE=1", "501 5.1.7", true), ("MAIL FROM:<a@b.c> SIZE=x", "501 5.5.4", true),
            ("MAIL FROM:<a@b.c> SIZE", "501 5.5.4", true), ("MAIL FROM:<a@b.c> SIZE=1 SIZE=1", "501 5.5.4", true),
            ("MAIL FROM:<a@b.c> BODY=9BIT", "501 5.5.4", true), ("MAIL FROM:<a@b.c> SIZE=10001", "552 5.3.4", true),
            ("MAIL FROM:<a@b.c> SIZE=99999999999999999999", "552 5.3.4", true),
            ("MAIL FROM:<ä@b.c>", "553 5.6.7", true), ("MAIL FROM:<a@b.c> AUTH=<>", "555 5.5.4", true),
            ("MAIL FROM:<a@b.c> RET=ALL", "501 5.5.4", true), ("MAIL FROM:<a@b.c> ENVID=+0", "501 5.5.4", true),
            ("DATA x", "503 5.5.1", true), ("RSET x", "501 5.5.4", true), ("VRFY", "501 5.5.4", true),
            ("QUIT now", "501 5.5.4", true),
            ("VRFY x", "252 2.1.5", true), ("NOOP x y", "250 2.0.0", true), ("RSET", "250 2.0.0", true),
            ("HELP me", "214-2.0.0", true),
            ("mail from: <> size=1 body=8bitmime ret=hdrs envid=x+20", "250 2.1.0", true),
            ("MAIL FROM:<@x.y,@z:a@b.c>", "250 2.1.0", true), ("MAIL FROM:a@b.c SIZE=3", "250 2.1.0", true),
            ("MAIL FROM:<\"a>b\\\"@c\"@b.c>", "250 2.1.0", true), ("MAIL FROM:<ä@b.c> SMTPUTF8", "250 2.1.0", true),
        ]
    )
    func replies(_ command: String, _ start: String, isGreeted: Bool) {
        var driver = isGreeted ? ServerDriver.greeted() : ServerDriver()
        if !isGreeted { driver.start() }
        driver.record = ServerDriver.Record()
        driver.feed("\(command)\r\nNOOP\r\n")
        #expect(driver.record.replies.count == 2)
        #expect(driver.record.replies.first?.hasPrefix(start) == true, "\(driver.record.replies)")
        #expect(driver.record.replies.last == "250 2.0.0 OK")
    }

    @Test("octets that are not UTF-8 make a line wrong")
    func notUTF8() {
        var driver = ServerDriver.greeted()
        driver.feed(Array("MAIL FROM:<".utf8) + [0xff] + Array("@b.c> SMTPUTF8\r\nNOOP\r\n".utf8))
        #expect(driver.record.codes == [500, 250])
    }

    @Test("a line beyond the limit is read to its end and refused once", arguments: [1, 7, 4096, Int.max])
    func longLine(pieces: Int) {
        var driver = ServerDriver.greeted()
        driver.feed("NOOP " + String(repeating: "x", count: 10_000) + "\r\nNOOP\r\n", pieces: pieces)
        #expect(driver.record.replies == ["500 5.5.2 Command line is too long", "250 2.0.0 OK"])
    }

    @Test("HELO switches the extensions off")
    func helo() {
        var driver = ServerDriver.greeted()
        driver.feed("HELO c\r\nMAIL FROM:<a@b.c> SIZE=1\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c> NOTIFY=NEVER\r\n")
        #expect(driver.record.codes == [250, 555, 250, 555])
    }

    @Test("parameters that EHLO did not offer are refused")
    func notOffered() {
        var driver = ServerDriver()
        driver.capabilities = ServerCapabilities(size: 100, eightBitMIME: false)
        driver.start()
        driver.feed("EHLO c\r\nMAIL FROM:<a@b.c> BODY=8BITMIME\r\nMAIL FROM:<a@b.c> RET=HDRS\r\nMAIL FROM:<a@b.c> SMTPUTF8\r\n")
        #expect(driver.record.codes == [220, 250, 555, 555, 555])
    }

    @Test("pipelined recipients make one question, and replies keep their order")
    func batch() {
        var driver = ServerDriver.greeted()
        driver.feed(
            "MAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<no@b.c>\r\nRCPT TO:bad\r\nRCPT TO:<c@b.c> FOO\r\nRCPT TO:<d@b.c>\r\nDATA\r\n"
        )
        #expect(driver.batches == [3])
        #expect(driver.record.codes == [250, 250, 550, 501, 555, 250, 354])
        #expect(driver.record.recipients == ["a@b.c", "no@b.c", "d@b.c"])
    }

    @Test("recipients beyond the limit wait for the next transaction")
    func recipientLimit() {
        var driver = ServerDriver.greeted { $0.limits.recipients = 2 }
        driver.feed("MAIL FROM:<>\r\nRCPT TO:<no@b.c>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<b@b.c>\r\nRCPT TO:<c@b.c>\r\nNOOP\r\n")
        #expect(driver.record.codes == [250, 550, 250, 250, 452, 250])
        #expect(driver.record.replies[4].hasPrefix("452 4.5.3"))
    }

    @Test("DATA needs an accepted recipient")
    func needsRecipient() {
        var driver = ServerDriver.greeted()
        driver.feed("MAIL FROM:<>\r\nDATA\r\nRCPT TO:<no@b.c>\r\nDATA\r\nMAIL FROM:<>\r\n")
        #expect(driver.record.codes == [250, 503, 550, 554, 503])
    }

    @Test("errors and commands are counted, then 421 ends the session")
    func counters() {
        var errors = ServerDriver.greeted { $0.limits.errors = 3 }
        errors.feed("A\r\nB\r\nC\r\nNOOP\r\n")
        #expect(errors.record.codes == [500, 500, 500, 421])
        #expect(errors.record.isClosed)
        var commands = ServerDriver.greeted { $0.limits.commands = 3 }
        commands.feed("NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n")
        #expect(commands.record.codes == [250, 250, 421])
    }

    @Test("RSET and EHLO end a transaction, and the session hears of it")
    func resets() {
        var driver = ServerDriver.greeted()
        driver.feed("RSET\r\nMAIL FROM:<>\r\nRSET\r\nMAIL FROM:<>\r\nEHLO x\r\nMAIL FROM:<>\r\n")
        #expect(driver.record.codes == [250, 250, 250, 250, 250, 250])
        #expect(driver.record.resets == 2)
    }

    @Test("octets before the greeting are an early talker's")
    func earlyTalker() {
        var driver = ServerDriver { $0.limits.greetingDelayMilliseconds = 100 }
        driver.start()
        #expect(driver.record.replies.isEmpty && driver.machine.wait == .greeting)
        var patient = driver
        patient.machine.greetingDelayElapsed()
        patient.run()
        patient.feed("QUIT\r\n")
        #expect(patient.record.codes == [220, 221])
        driver.feed("EHLO x\r\n")
        #expect(driver.record.codes == [554] && driver.record.isClosed)
    }

    @Test("STARTTLS forgets what was said before")
    func startTLS() {
        var driver = ServerDriver.greeted {
            $0.offersTLS = true
            $0.requiresTLS = true
        }
        driver.feed("MAIL FROM:<>\r\nSTARTTLS\r\n")
        #expect(driver.record.codes == [530, 220] && driver.record.startedTLS)
        #expect(driver.machine.wait == .handshake)
        driver.machine.tlsEstablished(TLSFacts(version: "TLSv1.3", cipher: "X"))
        driver.feed("MAIL FROM:<>\r\nEHLO y\r\nSTARTTLS\r\nMAIL FROM:<>\r\n")
        #expect(driver.record.codes == [530, 220, 503, 250, 503, 250])
        #expect(!driver.record.replies[3].contains("STARTTLS"))
        #expect(driver.machine.client.tls?.version == "TLSv1.3")
    }

    @Test("commands behind STARTTLS are never carried out")
    func injection() {
        var driver = ServerDriver.greeted { $0.offersTLS = true }
        driver.feed("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n")
        #expect(driver.record.codes == [554] && driver.record.isClosed && !driver.record.startedTLS)
        #expect(driver.record.questions.isEmpty)
        #expect(driver.machine.closeReason == "30 octets behind STARTTLS")
    }

    @Test("XCLIENT from a trusted proxy starts the session anew with another client")
    func xclient() {
        var driver = ServerDriver.greeted { $0.trustsXCLIENT = true }
        driver.feed("XCLIENT ADDR=IPV6:2001:db8::5 NAME=host+2Eexample PORT=25 LOGIN=[UNAVAILABLE] HELO=h PROTO=SMTP\r\n")
        #expect(driver.record.codes == [220])
        #expect(driver.machine.client.address == IPAddress("2001:db8::5"))
        #expect(driver.machine.client.reverseName == "host.example")
        #expect(driver.machine.client.helo == "h" && driver.machine.client.port == 25)
        driver.feed("MAIL FROM:<>\r\nXCLIENT ADDR=bad\r\nXCLIENT FOO=1\r\nXCLIENT NAME=a+0Db\r\n")
        #expect(driver.record.codes == [220, 503, 501, 501, 501])
    }

    @Test("a PROXY header tells who the client is; a malformed one ends the connection without a word")
    func proxyHeader() {
        var driver = ServerDriver { $0.expectsProxyHeader = true }
        driver.start()
        driver.feed("PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\nNOOP\r\n", pieces: 3)
        #expect(driver.record.codes == [220, 250])
        #expect(driver.machine.client.address == IPAddress("192.0.2.7") && driver.machine.client.localPort == 25)
        var broken = ServerDriver { $0.expectsProxyHeader = true }
        broken.start()
        broken.feed("EHLO x\r\n")
        #expect(broken.record.replies.isEmpty && broken.record.isClosed)
    }

    @Test("shutdown waits for the open transaction")
    func shutdown() {
        var driver = ServerDriver.greeted()
        var idle = driver
        idle.machine.shutdownRequested()
        idle.run()
        #expect(idle.record.codes == [421] && idle.record.isClosed)
        driver.feed(Self.mail)
        driver.machine.shutdownRequested()
        driver.run()
        #expect(!driver.record.isClosed)
        var forced = driver
        driver.feed("DATA\r\nx\r\n.\r\n")
        #expect(driver.record.codes == [250, 250, 354, 250, 421])
        forced.machine.shutdownForced()
        forced.run()
        #expect(forced.record.codes == [250, 250, 421])
    }

    @Test("timeouts and losses are named by the last command")
    func reasons() {
        var driver = ServerDriver.greeted()
        driver.feed(Self.mail)
        var lost = driver
        lost.machine.connectionLost()
        #expect(lost.machine.closeReason == "lost after RCPT")
        driver.feed("DATA\r\n")
        driver.machine.timedOut()
        driver.run()
        #expect(driver.machine.closeReason == "timeout after DATA")
        #expect(driver.record.codes.last == 421)
    }

    @Test("no answer but the one to .message makes a positive final reply")
    func positiveReply() {
        for answer in [ServerAnswer.proceed, .capabilities(.init(size: 1)), .replies([]), .replies([.startMailInput])] {
            var machine = ServerSessionMachine(configuration: .init(hostname: "h"), client: .init(address: .loopback4))
            machine.connected()
            machine.received(ByteBuffer(string: "EHLO c\r\n\(Self.mail)DATA\r\nx\r\n.\r\n"))
            var last: SMTPReply?
            while let action = machine.nextAction() {
                if case .reply(let reply) = action { last = reply }
                guard case .ask(let question) = action else { continue }
                switch question {
                case .connected, .data: machine.answered(.proceed)
                case .hello: machine.answered(.capabilities(.init(size: 100)))
                case .mail, .recipients: machine.answered(.replies([.success(.ok, nil, "ok")]))
                case .message: machine.answered(answer)
                }
            }
            #expect(last?.code == 451)
            #expect(machine.counts.accepted == 0)
        }
    }
}
