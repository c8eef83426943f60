import Dispatch
import Foundation
import OutpostTestKit
import Synchronization
import Testing

/// What clients were told about each message, by Message-ID.
final class Told: Sendable {
    private let replies = Mutex<[String: [SMTPTestClient.Reply]]>([:])

    func note(_ id: String, _ reply: SMTPTestClient.Reply) { self.replies.withLock { $0[id, default: []].append(reply) } }

    var accepted: Set<String> { Set(self.ids { $0.code == 250 }) }
    var count: Int { self.replies.withLock { $0.values.reduce(0) { $0 + $1.count } } }

    func ids(where fits: (SMTPTestClient.Reply) -> Bool) -> [String] {
        self.replies.withLock { all in all.filter { $0.value.contains(where: fits) }.map(\.key) }
    }

    var unexpected: [SMTPTestClient.Reply] {
        self.replies.withLock { $0.values.flatMap { $0 } }.filter { $0.code != 250 && !$0.isTransient && !$0.isPermanent }
    }
}

extension IntegrationTests {
    /// A downstream server that goes away.
    @Suite(
        "Outage of Postfix",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .postfix()
    )
    struct Outage {
        @Test("when Postfix stops under load, nothing is lost and nothing comes twice")
        func stopUnderLoad() throws {
            let postfix = try #require(PostfixInstance.current)
            var file = GatewayFile.bare(downstream: postfix.port)
            file.domain += ["downstream_reply_timeout: 3s", "downstream_connect_timeout: 2s"]
            let gateway = try ProgramUnderTest(file)
            let port = gateway.port
            let told = Told()
            let aborted = Atomic(false)
            DispatchQueue.concurrentPerform(iterations: 5) { number in
                guard number > 0 else {
                    _ = Wait.isTrue(within: .seconds(20)) { told.accepted.count >= 60 }
                    try? postfix.abort()
                    aborted.store(true, ordering: .releasing)
                    return
                }
                var sentAfter = 0
                for _ in 0..<2_000 where sentAfter < 10 {
                    if aborted.load(ordering: .acquiring) { sentAfter += 1 }
                    let mail = TestMail()
                    guard let client = try? SMTPTestClient(port: port), let reply = try? client.send(mail.octets) else {
                        Issue.record("the gateway gave no answer")
                        return
                    }
                    told.note(mail.id, reply)
                    client.quit()
                }
            }
            #expect(told.unexpected.isEmpty)
            #expect(told.accepted.count >= 60)
            #expect(told.ids { $0.isTransient }.count >= 30)
            #expect(told.ids { $0.isPermanent }.isEmpty, "an outage is no reason to refuse for good")

            try postfix.start()
            // The gateway finds the way back by itself.
            try Wait.until("mail through the gateway again") {
                let mail = TestMail()
                let reply = try SMTPTestClient(port: port).send(mail.octets)
                told.note(mail.id, reply)
                return reply.code == 250
            }
            // Which messages Postfix has taken, each under the names that Postfix gave it. One name may well have been delivered
            // twice: a Postfix that is ended while it delivers does so again when it comes back.
            var taken: [String: Set<String>] = [:]
            try Wait.until("delivery of all that was accepted", within: .seconds(40)) {
                taken = [:]
                for message in postfix.delivered() {
                    if let id = message.messageID, let name = message.queueID {
                        taken[String(id.dropFirst().dropLast()), default: []].insert(name)
                    }
                }
                return told.accepted.isSubset(of: Set(taken.keys))
            }
            let own = taken.filter { told.ids { _ in true }.contains($0.key) }
            #expect(own.values.allSatisfy { $0.count == 1 }, "doubled")
            // Postfix may have taken a message and have been ended before it could say so: its sender was told 451 4.4.2.
            let doubtful = Set(told.ids { $0.text.hasPrefix("451 4.4.2") })
            #expect(Set(own.keys).subtracting(told.accepted).isSubset(of: doubtful))
        }
    }

    /// The same with a route that is backed up.
    @Suite(
        "Outage of Postfix behind a spool",
        .serialized,
        .enabled(if: PostfixInstance.isAvailable, Comment(rawValue: needsPostfix)),
        .postfix()
    )
    struct SpooledOutage {
        @Test("with a spool nothing is put off while Postfix is away, and all of it arrives once, also after a crash of ours")
        func spool() throws {
            let postfix = try #require(PostfixInstance.current)
            var file = GatewayFile.bare(downstream: postfix.port)
            file.domain += ["downstream_reply_timeout: 3s", "downstream_connect_timeout: 2s", "when_downstream_is_away: spool"]
            let gateway = try ProgramUnderTest(file)
            let told = Told()
            func send(_ count: Int) throws {
                for _ in 0..<count {
                    let mail = TestMail()
                    let client = try SMTPTestClient(port: gateway.port)
                    told.note(mail.id, try client.send(mail.octets))
                    client.quit()
                }
            }
            try send(10)
            try postfix.abort()
            try send(30)
            gateway.process.signal(SIGKILL)
            gateway.process.waitForExit()
            try gateway.startAgain()
            try send(10)
            #expect(told.accepted.count >= 49, "at most the one that was under way may be in doubt")
            let waiting = try gateway.command(["queue", "list", "--format", "json"]).output
            #expect(waiting.split(separator: "\n").count >= 39)

            try postfix.start()
            var taken: [String: Set<String>] = [:]
            try Wait.until("delivery of all that was accepted", within: .seconds(60)) {
                taken = [:]
                for message in postfix.delivered() {
                    if let id = message.messageID, let name = message.queueID {
                        taken[String(id.dropFirst().dropLast()), default: []].insert(name)
                    }
                }
                return told.accepted.isSubset(of: Set(taken.keys))
            }
            let doubled = told.accepted.filter { taken[$0]?.count != 1 }
            #expect(doubled.isEmpty, "\(doubled.map { ($0, taken[$0] ?? []) })")
            try Wait.until("an empty spool") {
                try gateway.command(["queue", "list", "--format", "json"]).output.isEmpty
            }
        }

        @Test("a message that has been damaged in the spool does not stand in the way of others")
        func damaged() throws {
            let postfix = try #require(PostfixInstance.current)
            var file = GatewayFile.bare(downstream: postfix.port)
            file.domain += ["downstream_connect_timeout: 2s", "when_downstream_is_away: spool"]
            let gateway = try ProgramUnderTest(file)
            try postfix.abort()
            let mails = (0..<3).map { _ in TestMail() }
            for mail in mails { #expect(try SMTPTestClient(port: gateway.port).send(mail.octets).code == 250) }
            let first = try #require(
                try gateway.command(["queue", "list", "--format", "json"]).output.firstMatch(of: /"id":"(\w+)"/)
            ).1
            try Data().write(to: URL(filePath: "\(gateway.data)/spool/messages/\(first).eml"))
            try postfix.start()
            try Wait.until("delivery of the others", within: .seconds(60)) {
                let arrived = Set(postfix.delivered().compactMap { $0.messageID.map { String($0.dropFirst().dropLast()) } })
                return arrived.isSuperset(of: mails.dropFirst().map(\.id))
            }
            #expect(try gateway.command(["queue", "list", "--format", "json"]).output.contains(first))
        }
    }
}
