import Gateway
import MailPolicy
import SMTPCore

/// What is put off, what is bounded, and what is kept.
extension SettingReference {
    static let delays: [Setting] = [
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

    static let limits: [Setting] = [
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

    static let storage: [Setting] = [
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
