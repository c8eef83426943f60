import MailMessage

/// Lists of addresses and hosts (SpamAssassin's WLBLEval).
enum WelcomelistFunctions {
    static let all: [EvalFunction] =
        [
            senders("check_from_in_blocklist", in: "blocklist_from"),
            senders("check_from_in_blacklist", in: "blocklist_from"),
            recipients("check_to_in_blocklist", in: "blocklist_to"),
            recipients("check_to_in_blacklist", in: "blocklist_to"),
            recipients("check_to_in_welcomelist", in: "welcomelist_to"),
            recipients("check_to_in_whitelist", in: "welcomelist_to"),
            recipients("check_to_in_more_spam", in: "more_spam_to"),
            recipients("check_to_in_all_spam", in: "all_spam_to"),
            function("check_from_in_list") { arguments throws(EvalArguments.Failure) in
                let list = try arguments.required(0, "the name of a list")
                return { EvalOutcome($0.hasSender(in: list)) }
            },
            function("check_to_in_list") { arguments throws(EvalArguments.Failure) in
                let list = try arguments.required(0, "the name of a list")
                return { EvalOutcome($0.hasRecipient(in: list)) }
            },
            function("check_replyto_in_list") { arguments throws(EvalArguments.Failure) in
                let list = try arguments.required(0, "the name of a list")
                return { context in
                    guard let table = context.settings.addressLists[list] else { return false }
                    return EvalOutcome(context.addresses("Reply-To:addr").first.map(table.contains) ?? false)
                }
            },
            function("check_uri_host_listed") { arguments throws(EvalArguments.Failure) in
                let list = try arguments.required(0, "the name of a list")
                return { EvalOutcome($0.hasHost(in: list)) }
            },
            hosts("check_uri_host_in_blocklist", in: "BLOCK"),
            hosts("check_uri_host_in_blacklist", in: "BLOCK"),
            hosts("check_uri_host_in_welcomelist", in: "WELCOME"),
            hosts("check_uri_host_in_whitelist", in: "WELCOME"),
        ] + WelcomelistRelays.all

    private static func function(
        _ name: String,
        _ prepare: @escaping @Sendable (EvalArguments) throws(EvalArguments.Failure) -> EvalTest
    ) -> EvalFunction {
        EvalFunction(name, plugin: "WLBLEval", prepare: prepare)
    }

    private static func senders(_ name: String, in list: String) -> EvalFunction {
        self.function(name) { _ in { EvalOutcome($0.hasSender(in: list)) } }
    }

    private static func recipients(_ name: String, in list: String) -> EvalFunction {
        self.function(name) { _ in { EvalOutcome($0.hasRecipient(in: list)) } }
    }

    private static func hosts(_ name: String, in list: String) -> EvalFunction {
        self.function(name) { _ in { EvalOutcome($0.hasHost(in: list)) } }
    }
}

extension EvalContext {
    fileprivate func hasSender(in list: String) -> Bool {
        guard let table = self.settings.addressLists[list] else { return false }
        return self.namedAddresses.senders.contains(where: table.contains)
    }

    fileprivate func hasRecipient(in list: String) -> Bool {
        guard let table = self.settings.addressLists[list] else { return false }
        return self.namedAddresses.recipients.contains(where: table.contains)
    }

    fileprivate func hasHost(in list: String) -> Bool {
        let lists = self.settings.hostLists
        return !lists.isEmpty
            && self.text.links.contains { link in
                !LinkText.hasPrefix(link.raw[...], LinkText.mailto) && link.hosts.contains { lists.contains($0.name, in: list) }
            }
    }
}
