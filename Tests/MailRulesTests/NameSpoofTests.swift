import MailMessage
import MailTypes
import Testing

@testable import MailRules

/// Addresses in the sender's name; what is expected was asked of SpamAssassin 4.0.1.
@Suite("Addresses as names")
struct NameSpoofTests {
    /// Of the functions `check_fromname_…` those that hit.
    private func found(_ header: String, _ settings: String = "", envelope: Envelope = sampleEnvelope) throws -> Set<String> {
        let names = ["spoof", "contains_email", "different", "domain_differ", "owners_differ", "equals_to", "equals_replyto"]
        let rules = names.map { "header \($0.uppercased()) eval:check_fromname_\($0)()" }.joined(separator: "\n")
        let compilation = compile(settings + "\n" + rules)
        let ruleSet = try #require(compilation.ruleSet, "\(compilation.problems)")
        let text = ruleSet.text(of: ParsedMessage(Array((header + "\n\nbody\n").utf8)))
        let hits = RuleEvaluator(ruleSet: ruleSet).evaluate(text, envelope: envelope).hits
        return Set(hits.map { $0.rule.lowercased() })
    }

    private static let all: Set<String> = ["spoof", "contains_email", "different", "domain_differ", "owners_differ"]

    @Test(arguments: [
        (#"From: "joe@example.com" <x@example.org>"#, "contains_email different domain_differ"),
        (#"From: "joe@bank.com" <x@example.org>"#, "spoof contains_email different domain_differ owners_differ"),
        (#"From: "joe@bank.com" <joe@bank.com>"#, "contains_email"),
        (#"From: "Joe@Bank.com" <joe@mail.bank.com>"#, "contains_email different"),
        (#"From: "joe@bank.nowhere" <x@example.org>"#, ""),
        (#"From: "joe@bank.com-" <x@example.org>"#, ""),
        (#"From: "joe at bank" <x@example.org>"#, ""),
        (#"From: "a@b, joe@bank.com" <x@example.org>"#, "spoof contains_email different domain_differ owners_differ"),
        (#"From: "joe@bank.com" <x@example.nowhere>"#, ""),
        (
            #"From: "The Friendly Customers' Department of the Bank (joe@bank.com), Main Street" <x@example.org>"#,
            "contains_email"
        ),
    ])
    func senders(header: String, expected: String) throws {
        #expect(try self.found(header) == Set(expected.split(separator: " ").map(String.init)))
    }

    @Test func otherFields() throws {
        let from = #"From: "joe@bank.com" <x@example.org>"#
        #expect(try self.found(from + "\nTo: Joe <joe@bank.com>") == Self.all.union(["equals_to"]))
        #expect(try self.found(from + "\nReply-To: JOE@bank.com") == Self.all.union(["equals_replyto"]))
        #expect(try self.found(from + "\nList-Id: x", "fns_ignore_headers List-Id") == [])
        #expect(try self.found(from, "fns_ignore_headers List-Id") == Self.all)
    }

    @Test func settings() throws {
        let from = #"From: "joe@mail.bank.com" <x@bank.org>"#
        #expect(try self.found(from) == Self.all.subtracting(["spoof", "owners_differ"]))
        #expect(try self.found(from, "fns_check 0") == Self.all.subtracting(["owners_differ"]))
        #expect(try self.found(from, "fns_check 2") == Self.all.subtracting(["owners_differ"]))
        #expect(try self.found(from, "fns_add_addrlist (OTHER) *@bank.com") == Self.all)
        let both = "fns_add_addrlist (ONE) *@bank.com *@bank.org"
        #expect(try self.found(from, both) == Self.all.subtracting(["spoof", "owners_differ"]))
        #expect(try self.found(from, both + "\nfns_remove_addrlist (ONE) *@bank.com") == Self.all)
        #expect(try self.found(from, "fns_extrachars -1") == ["contains_email"])
    }

    @Test func mailOfAKnownSignerIsLeftAlone() throws {
        var envelope = sampleEnvelope
        envelope.authentication = AuthenticationFindings(dkim: [DKIMFinding(.pass, domain: "List.example")])
        let from = #"From: "joe@bank.com" <x@example.org>"#
        #expect(try self.found(from, "fns_ignore_dkim list.example", envelope: envelope) == [])
        #expect(try self.found(from, "fns_ignore_dkim other.example", envelope: envelope) == Self.all)
    }

    @Test(arguments: ["fns_check 3", "fns_extrachars x", "fns_add_addrlist *@bank.com", "fns_ignore_dkim"])
    func faults(setting: String) {
        #expect(compile(setting).problems.contains { $0.message.contains("has nothing here that it could use") })
    }

    @Test("A long name costs a pass", .timeLimit(.minutes(1)))
    func longNames() throws {
        let dots = String(repeating: "a.", count: 500_000)
        #expect(try self.found("From: \"\(dots)\" <x@example.org>") == [])
        #expect(try self.found("From: \"\(String(repeating: "a@", count: 500_000))\" <x@example.org>") == [])
    }
}
