extension ReceivedFormats {
    private static let envelopeSender = ReceivedPattern.optional([" (envelope-sender <", .word, ">)"])
    private static let opening = ReceivedPattern.optional(["["])
    private static let closing = ReceivedPattern.optional(["]"])

    /// Sendmail, qmail and what looks like them.
    static let common: [ReceivedFormat] = [
        // A client that says a number over HTTP says nothing.
        ReceivedFormat(.ip, " ([", .otherIP, "]) by ", .word(.by), with: [.boundary, "with HTTP", .boundary]),
        // qmail-ldap writes much the same and means something else.
        ReceivedFormat(
            .word(.helo),
            " (",
            .word(.reverseName),
            " [",
            .ip,
            "]",
            .anything,
            ") by ",
            .word(.by),
            " (",
            as: .relayLookedUp,
            without: [" by ", .word, " (qmail-", .word, ") with "],
            adjust: ReceivedFormat.identBeforeName
        ),
        ReceivedFormat(
            .word(.helo),
            " (",
            .word(.reverseName),
            " [",
            .ip,
            "]) by ",
            .word(.by),
            " with ",
            .word,
            " (",
            as: .relayLookedUp
        ),
        ReceivedFormat(.word(.reverseName), " ([", .ip, "] helo=", .word(.helo), ") by ", .word(.by), " with "),
        ReceivedFormat(.word(.helo), " (<unknown", .maybe, ">[", .ip, "]) by ", .word(.by), " "),
        ReceivedFormat(
            .word(.helo),
            " (",
            .capture(.reverseName, [.word, ".", .word]),
            "[",
            .ip,
            "]) by ",
            .word(.by),
            " ",
            as: .relayLookedUp
        ),
        ReceivedFormat(
            .word(.helo),
            " (",
            .maybe(.ident),
            "@[",
            .ip,
            "]",
            .anything,
            ") by ",
            .word(.by),
            " (",
            as: .relayLookedUp
        ),
        ReceivedFormat(
            "by ",
            .capture(.by, [.word, ".hotmail.msn.com"]),
            " ",
            anchored: false,
            adjust: { relay, matcher in
                if matcher.matches(addressFirst) { relay.ip = matcher[.address] ?? [] }
            }
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .maybe(.helo),
            ") (",
            .ip,
            ") by ",
            .word(.by),
            " (qpsmtpd/",
            .word,
            ") with ",
            .oneOf([["ESMTP"], ["SMTP"]])
        ),
        ReceivedFormat(.word(.reverseName), " (LHLO ", .maybe(.helo), ") (", .ip, ") by ", .word(.by), " with LMTP"),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .maybe(.helo),
            ") [",
            .ip,
            "] by ",
            .word(.by),
            " (",
            .comment,
            ") with ",
            .oneOf([["ESMTP"], ["SMTP"]])
        ),
        ReceivedFormat(
            .word(.helo),
            " ([",
            .ip,
            "]) by ",
            .word(.by),
            " via smtpd (for ",
            .word,
            ") with SMTP("
        ),
    ]

    private static let addressFirst: ReceivedExpression = [.ip, " "]

    /// How qmail ends: by its protocol, which is never ESMTP, and without an id behind it.
    static let qmailSign: ReceivedExpression = [
        .word, .optional([" (", .hello, " ", .maybe, ")"]), " (", .optional([.word, "@"]), opening, .otherIP, closing, ")",
        envelopeSender, " by ", .word, .optional([" (", .something, ")"]), " with ", .optional([.anything, " "]),
        .oneOf([["SMTP"], ["QMQP"]]), .not([" id "]),
    ]

    /// A name that is missing means that the client said its own (HELO).
    static let qmail: [ReceivedFormat] = [
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .run(.helo, .except(" ()"), 0..<ReceivedPattern.unbounded),
            ") (",
            .maybe(.ident),
            "@",
            opening,
            .ip,
            closing,
            ")",
            envelopeSender,
            " by ",
            .word(.by)
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .run(.helo, .except(" ()"), 0..<ReceivedPattern.unbounded),
            ") (",
            opening,
            .ip,
            closing,
            ")",
            envelopeSender,
            " by ",
            .word(.by)
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .maybe(.ident),
            "@",
            opening,
            .ip,
            closing,
            ")",
            envelopeSender,
            " by ",
            .word(.by),
            adjust: ReceivedFormat.nameIsHelo
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            opening,
            .ip,
            closing,
            ")",
            envelopeSender,
            " by ",
            .word(.by),
            adjust: ReceivedFormat.nameIsHelo
        ),
    ]

    /// Rarer ones.
    static let others: [ReceivedFormat] = [
        ReceivedFormat("[", .ip, "] by ", .word(.by), " via HTTP", .end),
        ReceivedFormat(.word, " ( [", .ip, "])", .little, " by ", .word(.by), " "),
        ReceivedFormat("(", .word(.helo), " [", .ip, "]) by ", .word(.by), " "),
        ReceivedFormat("[", .ip, "] by ", .word(.by), " "),
        ReceivedFormat("(", opening, .ip, closing, ") by ", .word(.by), " "),
        ReceivedFormat(
            .word(.helo),
            " [",
            .ip,
            "] by ",
            .word(.by),
            " [",
            .otherIP,
            "] with ",
            as: .relayLookedUp
        ),
        ReceivedFormat(.word(.helo), " [(", .ip, ")] by ", .word(.by), " (", .otherIP, ") "),
        ReceivedFormat(.word(.helo), " ([", .ip, "]) by ", .word(.by), " (", as: .relayLookedUp),
        // couriertcpd tells that it could not ask.
        ReceivedFormat(.word(.helo), " (softdnserr [", .ip, "])", .little, " by ", .word(.by), .boundary),
        ReceivedFormat(
            .word(.helo),
            " (",
            .word(.reverseName),
            " [",
            .ip,
            "])",
            .little,
            " by ",
            .word(.by),
            .boundary,
            as: .relayLookedUp
        ),
        ReceivedFormat(
            .word(.helo),
            " ([",
            .ip,
            .optional([.run(nil, .among(".:"), 1..<2), .digits]),
            "])",
            .little,
            " by ",
            .word(.by),
            " ",
            as: .relayLookedUp
        ),
        ReceivedFormat("with ", .oneOf([["POP3"], ["IMAP"]]), as: .fetched, anchored: false),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .run(.helo, .except(")"), 0..<ReceivedPattern.unbounded),
            ") (",
            .optional([.maybe(.ident), "@"]),
            opening,
            .ip,
            closing,
            ")",
            .anything,
            " by ",
            .word(.by),
            " ",
            as: .relayLookedUp
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .optional([.maybe(.ident), "@"]),
            opening,
            .ip,
            closing,
            ")",
            .anything,
            " by ",
            .word(.by),
            " ",
            as: .relayLookedUp,
            adjust: ReceivedFormat.nameIsHelo
        ),
        ReceivedFormat(.word(.reverseName), "(", .ip, ") by ", .word(.by), " via smap ", as: .relayLookedUp),
        ReceivedFormat(
            .word(.reverseName),
            "(",
            .ip,
            ", ",
            .hello,
            " ",
            .maybe(.helo),
            ") by ",
            .word(.by),
            " via smap ",
            as: .relayLookedUp
        ),
        ReceivedFormat(.ip, " by ", .word(.by), " (", .oneOf([["SMTPL"], ["InterScan"]]), .boundary),
        ReceivedFormat(.word, " by ", .word, " with BSMTP", as: .ignored),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .hello,
            " ",
            .maybe(.helo),
            ") (",
            .optional([.word(.ident), "@"]),
            .ip,
            .little,
            ") by ",
            .word(.by),
            " with ",
            as: .relayLookedUp
        ),
        ReceivedFormat(
            "[",
            .ip,
            "] (",
            .optional(["account ", .word, " "]),
            .hello,
            " ",
            .maybe(.helo),
            ") by ",
            .word(.by),
            " ("
        ),
        ReceivedFormat(
            .word(.reverseName),
            " ([",
            .ip,
            "] verified) by ",
            .word(.by),
            " (",
            as: .relayLookedUp,
            with: [" (CommuniGate Pro"],
            adjust: ReceivedFormat.nameIsHelo
        ),
        ReceivedFormat(
            .capture(.helo, [.run(nil, OctetClass { !$0.isDigit }, 1..<2), .word]),
            " (",
            .ip,
            ") by ",
            .word(.by),
            " "
        ),
        ReceivedFormat(.word, " (", .word, ") by ", .word, " (Content Technologies ", as: .ignored),
        ReceivedFormat(.word(.helo), " ([", .ip, "] [", .word, "]) by ", .word(.by), " with "),
        ReceivedFormat(.ip, " by ", .word(.by), " with "),
        ReceivedFormat(.word(.helo), " (", .word(.reverseName), "[", .ip, "]) by ", .word(.by), " ", as: .relayLookedUp),
        ReceivedFormat("[", .ip, "]", .word, " (", .hello, " ", .maybe(.helo), ") by ", .word(.by), " "),
        ReceivedFormat(.ip, " (", .hello, " ", .maybe(.helo), ") by ", .word(.by), " "),
        ReceivedFormat(.word(.helo), " [", .ip, "] by ", .word(.by), " "),
        ReceivedFormat(.word(.reverseName), "(", .ip, ") by ", .word(.by), " "),
        ReceivedFormat(.word(.helo), " (unverified [", .ip, "]) by ", .word(.by), " "),
        ReceivedFormat(.ip, " (", .run(nil, OctetClass(\.isLetter), 1..<2), .comment, ") by ", .word(.by), " with "),
        ReceivedFormat(
            "[",
            .ip,
            "] (",
            .run(.details, .except(")"), 1..<ReceivedPattern.unbounded),
            ") by ",
            .word(.by),
            " ",
            adjust: ReceivedFormat.details
        ),
        ReceivedFormat(
            .word(.reverseName),
            " (",
            .optional([.word, "@"]),
            .ip,
            ") by ",
            .word(.by),
            " with "
        ),
        // Obtuse smtpd.
        ReceivedFormat(
            "UNKNOWN(",
            .ip,
            ")",
            claim,
            " via ",
            .word,
            " by ",
            .word(.by),
            ",",
            adjust: heloIsClaim
        ),
        ReceivedFormat(
            .word(.reverseName),
            "(",
            .ip,
            ")",
            claim,
            " via ",
            .word,
            " by ",
            .word(.by),
            ",",
            as: .relayLookedUp,
            adjust: heloIsClaim
        ),
        ReceivedFormat(
            .word(.helo),
            " (",
            .word,
            "@",
            .ip,
            " with login) by ",
            .capture(.by, [.word, ".yahoo.com"]),
            " with SMTP"
        ),
        // Made of X-Originating-IP and the like.
        ReceivedFormat("X-Originating-IP: ", .ip, .end, adjust: { relay, _ in relay.by = [] }),
    ]

    private static let claim = ReceivedPattern.optional([", claiming to be \"", .word(.helo), "\""])
    private static let heloIsClaim: @Sendable (inout Relay, inout ReceivedMatcher) -> Void = { relay, matcher in
        relay.helo = matcher[.helo] ?? []
    }

    private static let localhost: [ReceivedPattern] = [
        .oneOf([["localhost", .optional([".localdomain"])], [.loopback]])
    ]

    private static func local(
        _ front: [ReceivedPattern],
        _ behind: ReceivedPattern...
    ) -> ReceivedFormat {
        ReceivedFormat(front + self.localhost + behind, as: .ignored)
    }

    /// Handovers within a host or to programs that tell no address.
    static let ignored: [ReceivedFormat] = [
        local(
            [.word, " (", .run(nil, OctetClass { !$0.isSpace && $0 != 0x40 }, 1..<ReceivedPattern.unbounded), "@"],
            ") by ",
            .word,
            " ("
        ),
        ReceivedFormat(.word, " ", .word, " by ", .word, " with local-", .optional(["e"]), "smtp ", as: .ignored),
        ReceivedFormat("127.0.0.1 (AVG SMTP ", .word, " [", .word, "])", as: .ignored),
        ReceivedFormat(.word, "@", .word, " by ", .word, " by uid ", .word, " ", as: .ignored),
        ReceivedFormat(.word, "@", .word, " by ", .word, " ", as: .ignored),
        ReceivedFormat("Unknown/Local (", as: .ignored),
        localToLocal,
        local([.word, " (", .optional([.word, "@"])], ") "),
        local([.word, " (", .word, "@", .word, " ["], "]) "),
        ReceivedFormat("(AUTH: ", .word, ") by ", .word, " with ", as: .ignored),
        ReceivedFormat("localhost (localhost [[UNIX: localhost]]) by ", as: .ignored),
        ReceivedFormat(
            .word,
            ".amazon.com by ",
            .word,
            ".amazon.com with ESMTP (peer crosscheck: ",
            as: .ignored
        ),
        ReceivedFormat(
            .run(nil, .except("."), 1..<ReceivedPattern.unbounded),
            " by ",
            .word,
            " with Novell_GroupWise",
            as: .ignored
        ),
        ReceivedFormat("no.name.available by ", .word, " via smtpd (for ", as: .ignored),
    ]

    private static let localToLocal = local(
        localhost + [" (", .optional([.word, "@"])],
        .run(nil, .among(")["), 1..<2)
    )

    /// qmail-scanner tells the envelope of the hop below it.
    static let qmailScanner: ReceivedExpression = [
        .word, " by ", .word, " (", .run(nil, .except(""), 0..<101), ") with qmail-scanner",
    ]

    static let ignoredAtLast: [ReceivedFormat] = [
        ReceivedFormat(.word, " by ", .word, " with local", as: .ignored),
        ReceivedFormat(
            .word,
            " ([unix socket]) by ",
            .word,
            " (Cyrus v",
            version,
            ".",
            version,
            ".",
            version,
            ") with LMTPA",
            as: .ignored
        ),
        ReceivedFormat(.word, " by ", .word, " ", .oneOf([["with"], ["via"], ["for"], ["("]]), as: .ignored),
        ReceivedFormat(
            .word,
            " ",
            .oneOf([[.oneOf([["with"], ["via"], ["for"]]), " ", .word], ["(unverified)"]]),
            " by",
            .boundary,
            as: .ignored
        ),
        ReceivedFormat(.word, " (unknown) by ", .word, " (SG) with ", .boundary, as: .ignored),
        ReceivedFormat(.word, " (", .word, " [local]) by ", .word, " (OpenSMTPD) with ", .boundary, as: .ignored),
        ReceivedFormat("(LSMTP for", as: .ignored, anchored: false),
        local(["(["], "]) with MailEnable "),
        ReceivedFormat("facebook.com (", .comment, ") by facebook.com with Thrift id ", .word, .end, as: .ignored),
        ReceivedFormat(.word, " named ", .word, " by gmailapi.google.com with HTTPREST", .end, as: .ignored),
        ReceivedFormat(.word, " id ", .word, .end, as: .ignored),
        ReceivedFormat("[<", .little, " (Jetsend", as: .ignored),
    ]

    private static let version = ReceivedPattern.run(nil, .digits, 0..<ReceivedPattern.unbounded)
}
