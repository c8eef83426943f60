import MailTypes
import PatternKit

/// Functions that ask the DNS: what the plugins DNSEval, URIDNSBL, HashBL and ASN of SpamAssassin have. They look up what was found
/// for their rule (`NetworkRules`); without that, because nothing was asked, none of them hits.
enum NetworkFunctions {
    static let askDNS = "askdns"
    static let linkLookup = "check_uridnsbl"
    static let unknownSender = "check_dns_sender"
    static let networkNumber = "check_asn"

    /// Those with a set and a zone.
    static let lookups: Set<String> = [
        "check_rbl", "check_rbl_accreditor", "check_rbl_envfrom", "check_rbl_from_domain", "check_rbl_from_host",
        "check_rbl_headers",
        "check_rbl_ns_from", "check_rbl_rcvd", "check_rbl_sub", "check_rbl_txt",
    ]

    static let all: [EvalFunction] =
        lookups.sorted().map { name in
            EvalFunction(name, plugin: "DNSEval") { arguments throws(EvalArguments.Failure) in
                _ = try Lookup(name, arguments)
                return { _ in false }
            }
        }
        + HashQuery.functions.sorted().map { name in
            EvalFunction(name, plugin: "HashBL") { arguments throws(EvalArguments.Failure) in
                _ = try HashQuery(name, arguments)
                return { _ in false }
            }
        } + [
            EvalFunction(networkNumber, plugin: "ASN") { arguments throws(EvalArguments.Failure) in
                _ = try NumberLookup(arguments)
                return { _ in false }
            },
            EvalFunction(linkLookup, plugin: "URIDNSBL") { _ in { _ in false } },
            EvalFunction(unknownSender, plugin: "DNSEval") { _ in { _ in false } },
        ]

    /// The test of a rule whose answers were collected before.
    static func test(of rule: String) -> EvalTest {
        { context in
            guard let found = context.envelope.network?.hits[rule] else { return false }
            return EvalOutcome(hits: 1, locations: found.map { MatchLocation(view: "dns", part: "", offset: 0, text: $0) })
        }
    }

    /// The arguments of `check_rbl('set', 'zone.', 'test')` and `check_rbl_sub('set', 'test')`, understood.
    struct Lookup: Sendable {
        var set: String
        var zone: DNSName
        var type: DNSRecordType
        var filter: AnswerFilter
        /// What stands behind the test: an accreditor, names of header fields.
        var extra: String?

        init(_ function: String, _ arguments: EvalArguments) throws(EvalArguments.Failure) {
            let isSub = function == "check_rbl_sub"
            self.set = try arguments.required(0, "the name of a set")
            self.type = function == "check_rbl_txt" ? .txt : .a
            if isSub {
                self.zone = .root
            } else {
                let zone = try arguments.required(1, "the list's zone")
                guard let name = DNSName(zone) else {
                    throw EvalArguments.Failure(argument: 1, message: "'\(zone)' is no domain", hint: "as in 'zen.example.org.'")
                }
                self.zone = name
            }
            if function == "check_rbl_accreditor" {
                self.extra = try arguments.required(3, "the accreditor's name")
            } else if function == "check_rbl_headers" {
                self.extra = arguments[3]
            }
            let place = isSub ? 1 : 2
            guard let text = isSub ? try arguments.required(place, "what the answer must be") : arguments[place] else {
                self.filter = .any
                return
            }
            do {
                self.filter = try AnswerFilter(subtest: text)
            } catch {
                throw EvalArguments.Failure(argument: place, message: "'\(text)': \(error.message)")
            }
        }
    }

    /// The arguments of `check_asn('/^AS64496\b/', 'ASN')`, understood.
    struct NumberLookup: Sendable {
        var pattern: Pattern
        var tag: String

        init(_ arguments: EvalArguments) throws(EvalArguments.Failure) {
            let text = try arguments.required(0, "a pattern")
            self.tag = arguments[1] ?? NetworkNumberSettings.defaultTag
            do {
                self.pattern = try PatternLiteral(Array(text.utf8)[...]).compile().pattern
            } catch {
                throw EvalArguments.Failure(argument: 0, message: "'\(text)': \(error.message)", hint: error.hint)
            }
        }
    }
}
