import Foundation
import MailPolicy
import MailTypes
import OutpostTestKit
import Testing

@testable import Gateway

/// Transactions are counted from MAIL to their end, whatever way it comes: none may be counted for ever.
@Suite("Open transactions", .serialized)
struct TransactionGateTests {
    /// What a client may do next, with the replies it waits for: each line as in a conversation.
    private static let deeds: [[String]] = [
        ["C> MAIL FROM:<alice@example.org>", "S* <any>"],
        ["C> MAIL FROM:<bob@example.org>", "S* <any>"],
        ["C> MAIL FROM:<>", "S* <any>", "C> RCPT TO:<bob@example.com>", "S* <any>"],
        ["C> RCPT TO:<bob@example.com>", "S* <any>"],
        ["C> RCPT TO:<bob@example.net>", "S* <any>"],
        ["C> RCPT TO:<bob@elsewhere.example>", "S* <any>"],
        Self.whole("ann@one.example", "hello"), Self.whole("ann@two.example", "reject"), Self.whole("", "hello"),
        // Pipelined, not waited for: what follows finds a question open.
        ["C> MAIL FROM:<alice@example.org>", "C> RCPT TO:<bob@example.com>"],
        ["C> MAIL FROM:<carol@example.org>"],
        ["C> RCPT TO:<bob@example.com>", "C> RSET"],
        ["C> RSET", "S* <any>"],
        ["C> EHLO again.example.org", "S* <any>"],
        ["C> DATA", "S* <any>"] + Self.text("hello") + ["S* <any>"],
        ["C> DATA", "S* <any>"] + Self.text("reject") + ["S* <any>"],
        ["C> DATA"] + Self.text("hold"),
        ["C> DATA"] + Self.text("defer") + ["C> MAIL FROM:<alice@example.org>"],
        // Refused content.
        ["C> DATA", "raw Subject: x\\n\\r\\n.\\r\\n", "S* <any>"],
        ["C> BDAT 10", "raw 1234567890", "S* <any>"],
    ]

    private static let ends: [[String]] = [
        ["quit"], ["C> QUIT"], ["close"], ["half-close"], [], ["C> BDAT 100 LAST", "raw Subject: half a message", "close"],
        ["C> DATA", "raw Subject: half a message", "half-close"],
    ]

    private static func whole(_ sender: String, _ subject: String) -> [String] {
        ["C> RSET", "S* <any>", "C> MAIL FROM:<\(sender)>", "S* <any>", "C> RCPT TO:<bob@example.com>", "S* <any>"]
            + ["C> DATA", "S* <any>"] + self.text(subject) + ["S* <any>"]
    }

    private static func text(_ subject: String) -> [String] {
        ["From: a@example.org", "Subject: \(subject)", "", "Good morning.", "."].map { "C> \($0)" }
    }

    private func script(_ seed: UInt64) throws -> ConversationScript {
        var random = SplitMix(state: seed)
        var lines = ["# Made up (\(seed)).", "configuration: transactions"]
        let names = ["client", "client2", "client3"]
        var left = Set(names)
        for name in names { lines.append("\(name) hello") }
        for _ in 0..<Int.random(in: 4...16, using: &random) {
            guard let name = left.sorted().randomElement(using: &random) else { break }
            let deed = Self.deeds.randomElement(using: &random) ?? []
            lines += deed.map { "\(name) \($0)" }
            if Int.random(in: 0..<6, using: &random) == 0 {
                lines += (Self.ends.randomElement(using: &random) ?? []).map { "\(name) \($0)" }
                left.remove(name)
            }
        }
        return try ConversationScript.parse(lines.joined(separator: "\n"), name: "made up \(seed)")
    }

    @Test("none is lost, whatever clients do and however they leave")
    func nothingLeaks() async throws {
        let gateway = try MemoryGateway(configuration: "transactions", offers: ConversationScript.usualOffers)
        for seed in UInt64(0)..<150 {
            let script = try self.script(seed)
            // What is answered is not the point here, and many of these end in the middle of something.
            _ = try await withCheckedThrowingContinuation { continuation in
                Thread.detachNewThread { continuation.resume(with: Result { try gateway.run(script) }) }
            }
            // A message whose client has gone is judged to its end.
            for _ in 0..<2_000 where gateway.transactions.now > 0 { try await Task.sleep(for: .milliseconds(5)) }
            let figures = gateway.transactions
            #expect(figures.now == 0 && figures.busiest.isEmpty, "\(script.name): \(figures)")
            guard figures.now == 0, figures.busiest.isEmpty else { break }
        }
        // All of it was there.
        let messages = gateway.messages
        #expect(messages.repliedPositive > 10 && messages.repliedPermanent > 5, "\(messages)")
        #expect(gateway.transactions.refused > 10)
        await gateway.stop()
    }

    @Test("a transaction that is told to end twice, or never, gives back its places once")
    func places() {
        let gate = TransactionGate()
        var limits = OpenTransactionLimits()
        limits.perReversePath = 1
        let sender = MailAddress("ann@example.org").map(ReversePath.mailbox) ?? .null
        let (first, second) = (TransactionPlaces(gate, limits: limits), TransactionPlaces(gate, limits: limits))
        #expect(first.begin(sender: sender) == nil)
        #expect(second.begin(sender: sender)?.key == "ann@example.org")
        second.end()
        #expect(gate.figures.now == 1 && gate.figures.refused == 1)
        first.end()
        first.end()
        #expect(gate.figures.now == 0 && gate.figures.busiest.isEmpty)
        do {
            let forgotten = TransactionPlaces(gate, limits: limits)
            #expect(forgotten.begin(sender: sender) == nil)
        }
        #expect(gate.figures.now == 0 && gate.figures.busiest.isEmpty)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var value = self.state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
