import PatternKit

/// Senders and addresses at providers that give them to anybody (SpamAssassin's FreeMail).
enum FreemailFunctions {
    static let all: [EvalFunction] = [
        function("check_freemail_from") { arguments throws(EvalArguments.Failure) in
            let pattern = try pattern(arguments, 0)
            return { context in
                EvalOutcome(context.namedAddresses.senders.contains { context.isFreemail($0, matching: pattern) })
            }
        },
        function("check_freemail_header") { arguments throws(EvalArguments.Failure) in
            let selector = try arguments.required(0, "the name of a header field") + ":addr"
            let pattern = try pattern(arguments, 1)
            return { context in
                EvalOutcome(context.addresses(selector).contains { context.isFreemail($0, matching: pattern) })
            }
        },
        function("check_freemail_body") { arguments throws(EvalArguments.Failure) in
            let pattern = try pattern(arguments, 0)
            return { context in
                guard let found = context.freemailsInText else { return false }
                return EvalOutcome(found.contains { context.matches(pattern, $0) })
            }
        },
        function("check_freemail_replyto") { arguments throws(EvalArguments.Failure) in
            let what = arguments[0] ?? "replyto"
            guard ["replyto", "reply"].contains(what) else {
                throw EvalArguments.Failure(argument: 0, message: "'\(what)' is no option", hint: "it is 'replyto' or 'reply'")
            }
            return { EvalOutcome($0.answersGoElsewhere(evenWithoutReplyTo: what == "reply")) }
        },
    ]

    /// No pattern is as one that every address matches.
    private static func pattern(_ arguments: EvalArguments, _ index: Int) throws(EvalArguments.Failure) -> Pattern? {
        arguments[index] == nil ? nil : try arguments.pattern(index)
    }

    private static func function(
        _ name: String,
        _ prepare: @escaping @Sendable (EvalArguments) throws(EvalArguments.Failure) -> EvalTest
    ) -> EvalFunction {
        EvalFunction(name, plugin: "FreeMail") { arguments throws(EvalArguments.Failure) in
            let test = try prepare(arguments)
            return { $0.settings.freemail.isEmpty ? false : test($0) }
        }
    }
}

extension EvalContext {
    fileprivate var freemailsInText: Set<[UInt8]>? { self.facts(FreemailText.init).addresses }

    fileprivate func isFreemail(_ address: [UInt8], matching pattern: Pattern? = nil) -> Bool {
        let address = address.map(\.lowercased)
        return self.settings.freemail.isFreemail(address, lists: self.settings.addressLists) && self.matches(pattern, address)
    }

    fileprivate func matches(_ pattern: Pattern?, _ address: [UInt8]) -> Bool {
        guard let pattern else { return true }
        if case .match = self.matcher.search(pattern, in: address) { return true }
        return false
    }

    /// Whether an answer would go to another freemail address than the one that the message is from, or than one in its text.
    fileprivate func answersGoElsewhere(evenWithoutReplyTo: Bool) -> Bool {
        if self.settings.freemail.limits.skipsBulkSenders,
            let sender = self.header("EnvelopeFrom")?.prefix(while: { $0 != 0x0a }), FreemailAddress.isBulkSender(Array(sender))
        {
            return false
        }
        let from = self.addresses("From:addr").map { $0.map(\.lowercased) }
        let replyTo = self.addresses("Reply-To:addr").map { $0.map(\.lowercased) }
        let fromIsFreemail = from.contains { self.isFreemail($0) }
        let replyToIsFreemail = replyTo.contains { self.isFreemail($0) }
        if fromIsFreemail, replyToIsFreemail, !from.contains(where: replyTo.contains) { return true }
        if evenWithoutReplyTo {
            guard replyTo.isEmpty || replyToIsFreemail, fromIsFreemail else { return false }
        } else {
            guard replyToIsFreemail else { return false }
        }
        guard let inText = self.freemailsInText else { return false }
        let answered = replyToIsFreemail || !evenWithoutReplyTo ? replyTo : from
        return inText.contains { address in answered.contains { $0 != address } }
    }
}
