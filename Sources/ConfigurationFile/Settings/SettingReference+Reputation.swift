import MailTypes
import SenderReputation

/// What the DNS says of clients and senders.
extension SettingReference {
    private static let action = words(ConnectionAction.self)

    static let reputation: [Setting] = [
        Setting("connection_checks", .section, "What the DNS says of clients, of EHLO and of senders' domains."),
        Setting(
            "connection_checks.enabled",
            .boolean,
            "Whether names are looked up; without it as `authentication.enabled`. Trusted clients are not asked about."
        ),
        Setting(
            "connection_checks.timeout",
            .number(.seconds, 1...60),
            "5s",
            "For all questions about one client or envelope; what is left then counts as not answered."
        ),
        Setting(
            "connection_checks.client_name",
            action,
            "score",
            "The client's address has no name, or none that leads back to it (550 5.7.25)."
        ),
        Setting("connection_checks.helo_our_name", action, "score", "EHLO gives our own name or address (550 5.7.1)."),
        Setting("connection_checks.helo_address", action, "score", "EHLO gives an address without brackets (550 5.7.1)."),
        Setting("connection_checks.helo_not_full_name", action, "score", "EHLO gives a name without a dot (550 5.7.1)."),
        Setting(
            "connection_checks.helo_unresolvable",
            action,
            "score",
            "The name in EHLO has neither address nor MX record (550 5.7.1)."
        ),
        Setting(
            "connection_checks.sender_unresolvable",
            action,
            "score",
            "The sender's domain has neither MX record nor address (550 5.1.8)."
        ),
        Setting(
            "connection_checks.sender_null_mx",
            action,
            "reject",
            "The sender's domain says that it takes no mail (RFC 7505; 550 5.7.27)."
        ),
        Setting(
            "connection_checks.on_dns_failure",
            .choice(["accept", "defer"]),
            "accept",
            "The DNS gives no answer where one could have refused: `defer` is 450 4.4.3."
        ),
        Setting("dns_lists", .section, "Block and allow lists in the DNS."),
        Setting(
            "dns_lists.reject_score",
            .score,
            "off",
            "Weight of entries of client, EHLO and sender from which recipients are refused, postmaster and abuse excepted."
        ),
        Setting(
            "dns_lists.greeting_score",
            .score,
            "off",
            "Weight of entries of the client alone from which it is not greeted (554 5.7.1): nobody behind it is heard any more."
        ),
        Setting(
            "dns_lists.greeting_wait",
            .number(.milliseconds, 100...30_000),
            "2s",
            "How long a greeting waits for the lists, with `greeting_score`; what comes later counts at RCPT."
        ),
        Setting(
            "dns_lists.max_uri_domains",
            .number(.count, 0...200),
            "20",
            "Hosts of one message's links that are looked up."
        ),
        Setting(
            "dns_lists.skip_domains",
            .list(.domain),
            "[]",
            "Hosts and registered domains of links that are never looked up."
        ),
        Setting("dns_lists.lists", .sections, "The lists."),
        Setting("dns_lists.lists[].zone", .domain, required: true, "Where it is asked: `zen.example.org`."),
        Setting(
            "dns_lists.lists[].name",
            .text,
            "The name its entries count under, behind `DNSLIST_`; without it the zone's."
        ),
        Setting(
            "dns_lists.lists[].ask",
            .list(words(ListSubject.self)),
            "[client]",
            "What it is asked about. `uri` are domains of links, `uri_address` addresses in links."
        ),
        Setting(
            "dns_lists.lists[].weight",
            .score,
            "0",
            "What an entry adds to the score; below zero for allow lists. 0 only shows it."
        ),
        Setting(
            "dns_lists.lists[].answers",
            .sections,
            "What answers mean; the first that fits counts, any other is an error. Without them each of 127.0.0.0/8 but 127.0.0.1 is an entry."
        ),
        Setting(
            "dns_lists.lists[].answers[].match",
            .text,
            required: true,
            "`127.0.0.2`, `127.0.0.4-127.0.0.7`, `127.0.1.0/24`, or bits: `127.0.0.8/0.0.0.8`."
        ),
        Setting("dns_lists.lists[].answers[].weight", .score, "For this answer in place of the list's."),
        Setting("dns_lists.lists[].answers[].meaning", .text, "Words for logs and replies."),
        Setting(
            "dns_lists.lists[].test",
            .boolean,
            "true",
            "The list has the entries for tests of RFC 5782; one that fails them is not asked."
        ),
    ]
}
