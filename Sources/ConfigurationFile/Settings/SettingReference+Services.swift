import Gateway
import MailTypes
import SenderAuth

/// What the checks rest on: the virus engine, the DNS, who really sends, lists.
extension SettingReference {
    static let services: [Setting] =
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
}
