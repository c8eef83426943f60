import Gateway
import MailPolicy
import MailTypes
import SMTPCore
import SenderAuth
import SenderReputation

/// What may stand as the value of a setting.
enum SettingType: Sendable {
    case text
    case path
    /// A fraction is allowed; `off` for none.
    case score
    case boolean
    case number(NumberUnit, ClosedRange<Int>)
    case choice([String])
    /// `name:port`; the port may be left out.
    case host(defaultPort: UInt16)
    /// As `host`, but an address.
    case listenAddress
    case network
    /// An address, a domain or a network.
    case sender
    case domain
    /// `local@domain`.
    case mailbox
    case clamd
    case policyName
    indirect case list(SettingType)
    /// A map with keys that stand in the table.
    case section
    case sections
    /// A map with keys of the administrator's choice, each a section.
    case namedSections
    /// A map with keys of the administrator's choice, each a value.
    indirect case named(SettingType)

    var isContainer: Bool {
        switch self {
        case .list, .section, .sections, .namedSections, .named: true
        case .text, .path, .score, .boolean, .number, .choice, .host, .listenAddress, .network, .sender, .domain, .mailbox,
            .clamd,
            .policyName:
            false
        }
    }
}

/// How a number is written, and what one unit of the value in `GatewayConfiguration` stands for.
enum NumberUnit: Sendable {
    case count
    case octets
    case kibibytes
    case milliseconds
    case seconds
    case days

    /// Octets or milliseconds in one unit.
    var factor: Int {
        switch self {
        case .count, .octets, .milliseconds: 1
        case .kibibytes: 1_024
        case .seconds: 1_000
        case .days: 86_400_000
        }
    }
}

/// One setting: what it is called, what it takes, what it means.
struct Setting: Sendable {
    /// `listeners[].tls.certificate`; `[]` stands for an index, `*` for a name of the administrator's choice.
    var path: String
    var type: SettingType
    /// As one would write it; nil: none.
    var defaultText: String?
    var isRequired: Bool
    var documentation: String

    /// A setting that has a default.
    init(_ path: String, _ type: SettingType, _ defaultText: String, _ documentation: String) {
        self.path = path
        self.type = type
        self.defaultText = defaultText
        self.isRequired = false
        self.documentation = documentation
    }

    init(_ path: String, _ type: SettingType, required: Bool = false, _ documentation: String) {
        self.path = path
        self.type = type
        self.defaultText = nil
        self.isRequired = required
        self.documentation = documentation
    }

    /// The last name of the path.
    var key: String { String(self.path[(self.path.lastIndex(of: ".").map(self.path.index(after:)) ?? self.path.startIndex)...]) }
}

/// Every setting there is. The reader takes types, ranges and names from here, the documentation is made from it, and
/// environment variables are found through it; a setting that is not here does not exist.
enum SettingReference {
    static let all: [Setting] = root + listeners + domains + policies + services + delays + limits + storage

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    private static let childrenByParent = Dictionary(grouping: all) { setting -> String in
        setting.path.lastIndex(of: ".").map { String(setting.path[..<$0]) } ?? ""
    }

    static func setting(_ path: String) -> Setting? { byPath[path] }

    /// The settings directly inside a section, in the order of the table.
    static func children(of pattern: String) -> [Setting] { childrenByParent[pattern] ?? [] }

    static func words<Choice: CaseIterable & RawRepresentable>(_ type: Choice.Type) -> SettingType
    where Choice.RawValue == String {
        .choice(type.allCases.map(\.rawValue))
    }

    // MARK: - The table

    /// Octets that no size setting goes beyond: 1 TiB.
    private static let anySize = 1...1_099_511_627_776
    /// Seconds of time-outs: up to a day.
    private static let anyTime = 1...86_400

    private static let root: [Setting] = [
        Setting(
            "hostname",
            .domain,
            required: true,
            "The gateway's own name: greeting, EHLO to the downstream, and `Received`."
        ),
        Setting("data_directory", .path, required: true, "Directory for the quarantine, caches and temporary files."),
        Setting(
            "user",
            .text,
            "User the process becomes after its ports are open, when it was started as root. Without it, it stays who it is."
        ),
        Setting("listeners", .sections, required: true, "Where mail is received; at least one."),
        Setting("domains", .sections, required: true, "Whose mail is taken and where it goes; at least one."),
        Setting("policies", .namedSections, "What is done with messages. `default` is always there."),
        Setting(
            "rules",
            .list(.path),
            "[]",
            "Directories of rule files, in order; in each the `*.pre`, then the `*.cf` files by name."
        ),
        Setting(
            "rules_network",
            .boolean,
            "false",
            "Rules may ask the DNS (`check_rbl`, `urirhssub`, `askdns`…), and scores for that count. See `docs/dns-lists.md` first."
        ),
    ]

    private static let listeners: [Setting] = [
        Setting("listeners[].address", .listenAddress, required: true, "Address and port to listen on: `0.0.0.0:25`, `[::]:25`."),
        Setting(
            "listeners[].backlog",
            .number(.count, 1...65_535),
            "1024",
            "Connections that wait in the kernel to be accepted."
        ),
        Setting(
            "listeners[].proxy_protocol_from",
            .list(.network),
            "[]",
            "Networks of load balancers whose connections start with a PROXY header; from others that header is refused."
        ),
        Setting("listeners[].xclient_from", .list(.network), "[]", "Networks that may send XCLIENT."),
        Setting("listeners[].tls", .section, "Offers STARTTLS. Without it the listener speaks plain text only."),
        Setting("listeners[].tls.certificate", .path, "PEM file with the certificate and its chain."),
        Setting("listeners[].tls.private_key", .path, "PEM file with the certificate's private key."),
        Setting(
            "listeners[].tls.certificates",
            .sections,
            "Instead of the two above: several certificates, chosen by the name the client asks for; the first for all others."
        ),
        Setting(
            "listeners[].tls.certificates[].certificate",
            .path,
            required: true,
            "PEM file with the certificate and its chain."
        ),
        Setting("listeners[].tls.certificates[].private_key", .path, required: true, "PEM file with the private key."),
        Setting("listeners[].tls.required", .boolean, "false", "Mail is taken only after STARTTLS; before, the reply is 530."),
    ]

    private static let domains: [Setting] = [
        Setting(
            "domains[].names",
            .list(.domain),
            required: true,
            "Recipient domains: `example.com`, or `*.example.com` for everything below it, not the name itself."
        ),
        Setting(
            "domains[].downstream",
            .list(.host(defaultPort: 25)),
            required: true,
            "Hosts the mail goes to, `name:port`; in order, the next is tried when one is away."
        ),
        Setting(
            "domains[].downstream_tls",
            words(GatewayConfiguration.DownstreamTLS.self),
            "opportunistic",
            "`opportunistic` encrypts when offered without looking at the certificate, `required` encrypts and verifies or sends nothing."
        ),
        Setting(
            "domains[].downstream_tls_ca",
            .path,
            "PEM file of the authorities that `required` trusts. Without it those of the system."
        ),
        Setting(
            "domains[].downstream_xclient",
            .boolean,
            "false",
            "Tell the downstream the real client with XCLIENT where it offers it."
        ),
        Setting("domains[].downstream_connections", .number(.count, 1...10_000), "50", "Connections to the downstream at once."),
        Setting(
            "domains[].downstream_idle",
            .number(.seconds, 1...3_600),
            "30s",
            "How long an unused connection is kept; below what the downstream allows."
        ),
        Setting(
            "domains[].downstream_connect_timeout",
            .number(.seconds, 1...300),
            "10s",
            "Until the downstream must be connected."
        ),
        Setting("domains[].downstream_reply_timeout", .number(.seconds, 1...3_600), "60s", "For one reply of the downstream."),
        Setting(
            "domains[].downstream_final_timeout",
            .number(.seconds, 1...3_600),
            "10m",
            "For the downstream's reply to a whole message (RFC 5321 §4.5.3.2.6)."
        ),
        Setting(
            "domains[].when_downstream_is_away",
            .choice(["defer", "spool"]),
            "defer",
            "`defer` lets the sender keep the message and try again. `spool` takes it and keeps it until the server is back."
        ),
        Setting("domains[].policy", .policyName, "default", "The policy for these recipients."),
        Setting(
            "domains[].recipients",
            .named(.policyName),
            "Other policies for single recipients: `boss@example.com: strict`; `abuse@: lenient` counts in every domain of the entry."
        ),
    ]

    private static let policies: [Setting] = [
        Setting(
            "policies.*.max_message_size",
            .number(.octets, 1_024...2_147_483_648),
            "25MiB",
            "Larger messages are refused (552 5.3.4)."
        ),
        Setting("policies.*.tag_score", .score, "5", "Score from which a message is delivered with marks; `off` for never."),
        Setting("policies.*.hold_score", .score, "8", "Score from which a message is held in the quarantine; `off` for never."),
        Setting("policies.*.reject_score", .score, "15", "Score from which a message is refused; `off` for never."),
        Setting(
            "policies.*.ambiguity_hold_score",
            .score,
            "4",
            "Sum of *ambiguity* (`docs/checks.md`) from which a message that readers take differently is held; `off` for never."
        ),
        Setting("policies.*.archives", .section, "What archives, and files in general, may be like."),
        Setting(
            "policies.*.archives.max_members",
            .number(.count, 1...100_000),
            "5000",
            "Files in one attachment, archives within it included."
        ),
        Setting(
            "policies.*.archives.max_ratio",
            .number(.count, 1...1_000_000),
            "200",
            "Octets unpacked for one packed; counts from 10 MiB unpacked on."
        ),
        Setting(
            "policies.*.archives.max_size",
            .number(.octets, 1...2_147_483_648),
            "100MiB",
            "Everything unpacked from one message. Should not be more than `antivirus.max_file_size`."
        ),
        Setting("policies.*.archives.max_depth", .number(.count, 1...32), "5", "Archives inside archives; the outermost is 1."),
        Setting(
            "policies.*.archives.on_limit",
            words(ArchiveLimits.Action.self),
            "hold",
            "Beyond one of these limits; a refusal is 552 5.3.4."
        ),
        Setting(
            "policies.*.archives.encrypted",
            words(ArchiveLimits.Action.self),
            "hold",
            "An archive with a member that takes a password."
        ),
        Setting(
            "policies.*.archives.inconsistent",
            words(ArchiveLimits.Action.self),
            "hold",
            "A zip file whose directory and members disagree, so that programs see different files."
        ),
        Setting(
            "policies.*.archives.forbidden_names",
            .list(.text),
            "[]",
            "Names of attachments and members, `*` for any characters: `*.scr`. All readings of a name count."
        ),
        Setting(
            "policies.*.archives.forbidden_types",
            .list(.text),
            "[]",
            "Media types of attachments and members, told by their contents: `application/x-msdownload`."
        ),
        Setting(
            "policies.*.archives.on_forbidden",
            words(ArchiveLimits.Action.self),
            "reject",
            "A forbidden name or type; a refusal is 550 5.7.1."
        ),
        Setting("policies.*.virus", words(VirusAction.self), "reject", "For signatures that no line of `signatures` names."),
        Setting(
            "policies.*.signatures",
            .sections,
            "[]",
            """
            What to do about single signatures of the virus engine; the first that fits decides. Behind these stand: \
            `Heuristics.*` hold, `PUA.*` tag; a last `*` switches those off.
            """
        ),
        Setting(
            "policies.*.signatures[].match",
            .text,
            required: true,
            "Signature name, `*` for any characters; case does not count."
        ),
        Setting("policies.*.signatures[].action", words(VirusAction.self), required: true, "What is done when it fits."),
        Setting("policies.*.keep_rejected", .boolean, "true", "A copy of refused mail stays reviewable in the quarantine."),
        Setting(
            "policies.*.rules",
            .named(words(RuleAction.self)),
            "Actions for single rules and checks by name, whatever the score; `none` takes away what the rule itself asks for."
        ),
        Setting("policies.*.dmarc", .section, "What is done when DMARC fails."),
        Setting("policies.*.dmarc.reject", words(SenderAction.self), "reject", "Where the domain's owner asks for `p=reject`."),
        Setting("policies.*.dmarc.quarantine", words(SenderAction.self), "hold", "Where the owner asks for `p=quarantine`."),
        Setting(
            "policies.*.spf_fail",
            words(SenderAction.self),
            "none",
            "When SPF fails and the sender's domain has no DMARC record."
        ),
        Setting(
            "policies.*.trusted_sealers",
            .list(.domain),
            "[]",
            "Domains whose ARC seals count: what they passed on is not refused for what passing on broke."
        ),
        Setting("policies.*.on_failure", .section, "What happens when a check cannot be completed."),
        Setting(
            "policies.*.on_failure.authentication",
            words(FailurePolicy.self),
            "accept",
            "When SPF, DKIM, DMARC or ARC got no answer from the DNS; what is accepted is recorded as such."
        ),
        Setting("policies.*.on_failure.rules", words(FailurePolicy.self), "defer", "When the rules cannot be evaluated in time."),
        Setting(
            "policies.*.on_failure.virus",
            words(FailurePolicy.self),
            "When the virus scan gives no answer; without it `antivirus.on_failure`."
        ),
    ]

    private static let services: [Setting] =
        [
            Setting("antivirus", .section, "The virus scan."),
            Setting(
                "antivirus.engine",
                words(GatewayConfiguration.Antivirus.Engine.self),
                "builtin",
                "`builtin` runs `outpost-scanner`, `clamd` asks a daemon that is already there, `none` scans nothing."
            ),
            Setting("antivirus.database", .path, "/var/lib/clamav", "Directory of signature databases, for `builtin`."),
            Setting(
                "antivirus.clamd",
                .list(.clamd),
                "[\"unix:/run/clamav/clamd.ctl\"]",
                "For `clamd`: `unix:/path` or `host:port`, tried in order."
            ),
            Setting(
                "antivirus.on_failure",
                words(FailurePolicy.self),
                "defer",
                "When no engine gives an answer; what is accepted unscanned is recorded as such."
            ),
            Setting("antivirus.timeout", .number(.seconds, 1...600), "30s", "For one message's scan, a second try included."),
            Setting("antivirus.concurrency", .number(.count, 0...1_024), "0", "Scans at once; 0: as many as there are cores."),
            Setting(
                "antivirus.max_file_size",
                .number(.octets, anySize),
                "100MiB",
                "One file inside an archive; larger ones raise `Heuristics.Limits.Exceeded`."
            ),
            Setting("antivirus.max_scan_size", .number(.octets, anySize), "400MiB", "Everything unpacked from one message."),
            Setting("antivirus.max_recursion", .number(.count, 1...100), "17", "Archives inside archives."),
            Setting("antivirus.max_files", .number(.count, 1...1_000_000), "10000", "Files unpacked from one message."),
            Setting("antivirus.scanner", .path, "Path of `outpost-scanner`. Without it, the one beside the running program."),
            Setting("antivirus.user", .text, "User the scanner runs as, when started as root."),
            Setting("dns", .section, "Name resolution."),
            Setting(
                "dns.servers",
                .list(.host(defaultPort: 53)),
                "[]",
                "Addresses of DNS servers; empty: the system's. A resolver on the same host is best."
            ),
            Setting("dns.timeout", .number(.milliseconds, 100...60_000), "5s", "For one question."),
            Setting("dns.trust_anchor", .path, "A file with the key of the root zone; without it DNSSEC is not checked."),
            Setting("authentication", .section, "Who really sends: SPF, DKIM, DMARC, ARC."),
            Setting("authentication.enabled", .boolean, "true", "Off: nothing is asked of the DNS."),
            Setting(
                "authentication.public_suffix_list",
                .path,
                "/usr/share/publicsuffix/public_suffix_list.dat",
                "The published list of names under which domains are registered (Debian: `publicsuffix`)."
            ),
            Setting(
                "authentication.tree_walk",
                .boolean,
                "false",
                "DMARC finds the domain of an owner by asking the names above (DMARCbis), not by the list."
            ),
            Setting(
                "authentication.timeout",
                .number(.seconds, 1...60),
                "10s",
                "For all of one message's questions; what is left then counts as not answered."
            ),
            Setting(
                "authentication.arc_seal",
                .section,
                "Seals what is passed on (ARC), so that the next host knows what we found."
            ),
            Setting("authentication.arc_seal.domain", .text, "The domain that seals."),
            Setting("authentication.arc_seal.selector", .text, "Where its key is published: `selector._domainkey.domain`."),
            Setting("authentication.arc_seal.private_key", .path, "The private key in PEM, of RSA or Ed25519."),
            Setting(
                "dmarc_reports",
                .section,
                "Reports for the owners of domains about mail in their name: `outpost dmarc report`."
            ),
            Setting("dmarc_reports.enabled", .boolean, "false", "Count messages whose domain asks for reports."),
            Setting("dmarc_reports.organization", .text, "Who reports: the organization's name."),
            Setting("dmarc_reports.email", .mailbox, "The reports' From; questions about them go there."),
            Setting(
                "dmarc_reports.sender",
                .mailbox,
                "The reports' envelope sender, to which failures go. Without it, `dmarc_reports.email`."
            ),
            Setting("dmarc_reports.contact", .text, "More about the reports, for their readers: a page or a telephone number."),
            Setting(
                "dmarc_reports.schema",
                words(DMARCReport.Schema.self),
                "rfc7489",
                "How the reports are written: as every reader knows them, or in the newer form with a namespace."
            ),
            Setting(
                "dmarc_reports.dkim",
                .section,
                "Signs the reports. Without it, the host that sends them on should: receivers hold reports to DMARC, too."
            ),
            Setting(
                "dmarc_reports.dkim.domain",
                .text,
                required: true,
                "The domain that signs: that of `dmarc_reports.email`, or one that aligns with it."
            ),
            Setting(
                "dmarc_reports.dkim.selector",
                .text,
                required: true,
                "Where its key is published: `selector._domainkey.domain`."
            ),
            Setting("dmarc_reports.dkim.private_key", .path, required: true, "The private key in PEM, of RSA or Ed25519."),
            Setting(
                "dmarc_reports.relay",
                .list(.host(defaultPort: 25)),
                "[]",
                "Hosts that send the reports on to anywhere; in order. Without it the downstream of the first domain."
            ),
            Setting(
                "dmarc_reports.relay_tls",
                words(GatewayConfiguration.DownstreamTLS.self),
                "opportunistic",
                "As `downstream_tls`, for the relay."
            ),
            Setting(
                "dmarc_reports.keep_days",
                .number(.count, 2...400),
                "30",
                "Days that what reports are made of is kept."
            ),
        ] + reputation + [
            Setting(
                "lists",
                .section,
                "Senders that are let through or refused whatever the content; viruses are refused in any case."
            ),
            Setting(
                "lists.allow",
                .list(.sender),
                "[]",
                """
                Their score is not counted: a client network (`192.0.2.0/24`), or a domain (`example.org`, `*.example.org`) or an \
                address that SPF or DKIM proves. `spoofable:` in front takes the sender's word for it; `spoofable:helo:…` and \
                `spoofable:from:…` look at the text of HELO and From, `*` for any characters.
                """
            ),
            Setting("lists.deny", .list(.sender), "[]", "Refused; written like `allow`, which wins where both fit."),
            Setting(
                "lists.trusted",
                .list(.network),
                "[\"127.0.0.0/8\", \"::1\"]",
                "Clients that may use our own name and domains, like our own hosts that send through the gateway."
            ),
        ]

    private static let action = words(ConnectionAction.self)

    private static let reputation: [Setting] = [
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

    /// Seconds that something is remembered: up to a year.
    private static let anyMemory = 1...31_536_000

    private static let delays: [Setting] = [
        Setting("greylist", .section, "Asks for doubtful messages once more (451). Off unless the section is there."),
        Setting("greylist.from_score", .score, "3", "Score from which a message is doubtful."),
        Setting("greylist.to_score", .score, "8", "Score from which it is not doubtful any more; `off` for never."),
        Setting("greylist.delay", .number(.seconds, 1...86_400), "5m", "Until a message that comes again is taken."),
        Setting("greylist.window", .number(.seconds, anyMemory), "2d", "Until a message that did not come again is forgotten."),
        Setting(
            "greylist.remember",
            .number(.seconds, anyMemory),
            "36d",
            "How long a sender whose message came again is not delayed any more, from its last message on."
        ),
        Setting("rates", .sections, "How much somebody may do in a time; all limits that fit hold."),
        Setting("rates[].per", words(RateSubject.self), required: true, "Whose doings are counted together."),
        Setting(
            "rates[].of",
            words(RateUnit.self),
            """
            What is counted: connections (421), messages (450 at MAIL) or recipients (450 at RCPT). Without it messages, per \
            `recipient_domain` recipients.
            """
        ),
        Setting("rates[].limit", .number(.count, 1...1_000_000_000), required: true, "How many in the window."),
        Setting("rates[].window", .number(.seconds, anyMemory), required: true, "The time in which the whole limit comes back."),
        Setting("rates[].exempt", .list(.network), "[]", "Clients that are not counted."),
    ]

    private static let limits: [Setting] = [
        Setting("limits", .section, "Bounds on what clients and messages may use."),
        Setting("limits.sessions", .number(.count, 1...1_000_000), "10000", "Sessions at once; beyond that 421."),
        Setting("limits.sessions_per_address", .number(.count, 1...1_000_000), "50", "Sessions at once from one address."),
        Setting(
            "limits.sessions_per_network",
            .number(.count, 1...1_000_000),
            "10000",
            "Sessions at once from one network: /24 of IPv4, /64 of IPv6."
        ),
        Setting(
            "limits.transactions_per_reverse_path",
            .number(.count, 0...1_000_000),
            "0",
            "Transactions at once, from MAIL to the final reply, with one reverse path; more get 450. 0 for any number: a sender is "
                + "what the client says, and a narrow bound lets whoever forges it keep others out."
        ),
        Setting(
            "limits.transactions_per_sender_domain",
            .number(.count, 0...1_000_000),
            "0",
            "Transactions at once with one domain in the reverse path; 0 for any number."
        ),
        Setting(
            "limits.transactions_per_recipient_domain",
            .number(.count, 0...1_000_000),
            "0",
            "Transactions at once with recipients in one of our domains, so that a flood for one leaves room for the others; 0 for any "
                + "number: `domains[].downstream_connections` bounds what the mail server gets."
        ),
        Setting("limits.commands", .number(.count, 10...1_000_000), "1000", "Commands of one session."),
        Setting("limits.errors", .number(.count, 1...10_000), "10", "Refused commands of one session."),
        Setting(
            "limits.recipients",
            .number(.count, 100...100_000),
            "1000",
            "Recipients of one transaction; more get 452. RFC 5321 §4.5.3.1.8 asks for at least 100."
        ),
        Setting(
            "limits.command_line",
            .number(.octets, 512...65_536),
            "2KiB",
            "One command line. RFC 5321 §4.5.3.1.4 asks for at least 512."
        ),
        Setting(
            "limits.text_line",
            .number(.octets, 1_000...16_777_216),
            "64KiB",
            "One line of a message; longer ones are refused. RFC 5321 §4.5.3.1.6 asks for at least 1,000."
        ),
        Setting(
            "limits.received_fields",
            .number(.count, 5...1_000),
            "100",
            "`Received` fields from which a message is taken to go in circles (RFC 5321 §6.3)."
        ),
        Setting("limits.idle", .number(.seconds, anyTime), "5m", "Without a byte between commands."),
        Setting("limits.data", .number(.seconds, anyTime), "10m", "Without a byte while a message arrives."),
        Setting(
            "limits.data_rate",
            .number(.octets, 0...1_048_576),
            "100",
            "Octets a second with which a message must have come on average once `limits.data` is over; 0 for no limit."
        ),
        Setting("limits.handshake", .number(.seconds, 1...600), "30s", "For a TLS handshake or a PROXY header."),
        Setting(
            "limits.greeting_delay",
            .number(.milliseconds, 0...60_000),
            "0",
            "How long the greeting is held back to see who talks first; 0 for not at all."
        ),
        Setting(
            "limits.bare_line_ends",
            words(BareLineEnds.self),
            "refuse",
            "A single CR or LF inside a message: `refuse`, or `accept` as part of the text."
        ),
        Setting(
            "limits.inspection",
            .number(.seconds, 1...3_600),
            "45s",
            "For all checks of one message; then 451, and the finished verdict waits for the retry."
        ),
        Setting(
            "limits.inspections",
            .number(.count, 0...1_024),
            "0",
            "Messages inspected at once; 0: as many as there are cores."
        ),
        Setting("limits.inspection_queue", .number(.count, 1...1_000_000), "1000", "Messages that wait for that; beyond it 451."),
        Setting(
            "limits.slow_queue",
            .number(.count, 1...100_000),
            "64",
            "Messages that take long to inspect (large ones, many parts, archives) and wait for that; beyond it 451."
        ),
        Setting(
            "limits.slow_queue_per_network",
            .number(.count, 1...100_000),
            "8",
            "The same from one network (/24, /64)."
        ),
        Setting(
            "limits.memory_threshold",
            .number(.octets, 0...1_073_741_824),
            "256KiB",
            "Part of a message kept in memory while it arrives; more goes to a temporary file."
        ),
        Setting("limits.header_size", .number(.octets, 1_024...16_777_216), "256KiB", "A message's header."),
        Setting("limits.mime_depth", .number(.count, 1...256), "64", "MIME parts inside one another."),
        Setting("limits.mime_parts", .number(.count, 1...100_000), "1000", "MIME parts of one message."),
        Setting("limits.pattern_match_limit", .number(.count, 1_000...100_000_000), "100000", "Steps of one pattern match."),
        Setting("limits.pattern_heap", .number(.kibibytes, 64...1_048_576), "1MiB", "Memory of one pattern match."),
        Setting("limits.grace", .number(.seconds, 0...3_600), "30s", "That open transactions get to finish after SIGTERM."),
    ]

    private static let storage: [Setting] = [
        Setting("spool", .section, "Mail that was taken for servers that are away."),
        Setting("spool.max_size", .number(.octets, anySize), "10GiB", "All messages in the spool; beyond that 452."),
        Setting("spool.max_messages", .number(.count, 1...10_000_000), "100000", "Messages in the spool; beyond that 452."),
        Setting(
            "spool.minimum_free",
            .number(.octets, anySize),
            "256MiB",
            "What the file system must have free beside the spool; below that 452."
        ),
        Setting(
            "spool.expire_after",
            .number(.seconds, 1...8_640_000),
            "5d",
            "When a message that could not be delivered is given up. RFC 5321 §4.5.4.1 asks for 4 to 5 days at least."
        ),
        Setting(
            "spool.delay_warning_after",
            .number(.seconds, 0...8_640_000),
            "4h",
            "When the sender of a message that still waits is told so, once; 0 for never."
        ),
        Setting(
            "spool.relay",
            .list(.host(defaultPort: 25)),
            "[]",
            "Hosts that notices to senders go to, in order. Without it those that MX records name."
        ),
        Setting("spool.deliveries", .number(.count, 1...1_000), "10", "Messages that are handed to one server at once."),
        Setting(
            "ledger",
            .section,
            "Messages whose clients may not have heard that they were taken: sent again, they are answered, not delivered twice."
        ),
        Setting("ledger.remember", .number(.seconds, 0...2_592_000), "1d", "How long; 0 for not at all."),
        Setting(
            "ledger.max_entries",
            .number(.count, 1...100_000_000),
            "1000000",
            "Messages; beyond it the oldest are forgotten."
        ),
        Setting("quarantine", .section, "What is kept for review."),
        Setting("quarantine.keep", .number(.days, 1...3_650), "30d", "How long held messages are kept."),
        Setting("quarantine.keep_rejected", .number(.days, 0...3_650), "7d", "How long copies of refused messages are kept."),
        Setting("quarantine.max_size", .number(.octets, anySize), "10GiB", "Everything in the quarantine."),
        Setting("quarantine.max_rejected_size", .number(.octets, anySize), "1GiB", "All copies of refused messages."),
        Setting("admin", .section, "The socket on which a running gateway answers `outpost status`."),
        Setting(
            "admin.socket",
            .path,
            "Its path, at most 107 octets. Without it `admin.sock` in `data_directory`, which others than its owner cannot reach."
        ),
        Setting(
            "admin.users",
            .list(.text),
            "[]",
            "Users, by name or number, that may ask beside root and the gateway's own user. The kernel says who asks."
        ),
        Setting("admin.groups", .list(.text), "[]", "Groups whose members may ask."),
        Setting("log", .section, "The log, on standard error."),
        Setting("log.format", words(GatewayConfiguration.Log.Format.self), "text", "For people or for programs."),
        Setting(
            "log.level",
            .choice(["trace", "debug", "info", "warning", "error"]),
            "info",
            "From which level lines are written."
        ),
    ]
}
