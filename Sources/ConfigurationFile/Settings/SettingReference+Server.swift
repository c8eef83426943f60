import Gateway

/// What the gateway is, where it listens, and whose mail it takes.
extension SettingReference {
    static let root: [Setting] = [
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

    static let listeners: [Setting] = [
        Setting("listeners[].address", .listenAddress, required: true, "Address and port to listen on: `0.0.0.0:25`, `[::]:25`."),
        Setting(
            "listeners[].backlog",
            .number(.count, 1...65_535),
            "4096",
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

    static let domains: [Setting] = [
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
}
