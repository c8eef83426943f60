/// How the mail servers of this world write `Received: from …`, as SpamAssassin knows them. Order counts: earlier formats
/// are the more certain ones, and many later ones would fit, too. Each stands behind the `from `.
enum ReceivedFormats {
    /// Looked at in front of all others.
    static let webMail: [ReceivedFormat] = [
        ReceivedFormat(
            .ip,
            .boundary,
            .not([.run(nil, .among(".-"), 1..<2)]),
            .run(nil, .except(""), 10..<81),
            "by ",
            .word(.by),
            " with HTTP",
            with: [.oneOf([[" (SquirrelMail"], [" (NaSMail"]]), " authenticated user "],
            anchored: false
        ),
        ReceivedFormat(
            .ip,
            " by ",
            .word(.by),
            " (",
            .otherIP,
            ") with HTTP (WebMailUI)",
            with: ["aol.com"],
            anchored: false
        ),
    ]

    /// The first family whose sign stands in the line is looked at, and no other.
    static let families: [ReceivedFamily] = [
        ReceivedFamily(
            " SMTPSVC",
            formats: [
                ReceivedFormat(
                    .maybe(.helo),
                    " ([",
                    .ip,
                    "]",
                    .run(nil, .except(")"), 0..<41),
                    ") by ",
                    .word(.by),
                    " with Microsoft SMTPSVC"
                ),
                ReceivedFormat("mail pickup service by ", .word, " with Microsoft SMTPSVC", .end, as: .ignored),
            ]
        ),
        ReceivedFamily(
            " with ",
            .oneOf([["Microsoft SMTP Server"], ["mapi id"]]),
            " ",
            .optional(["(", .comment, ") "]),
            .digits,
            ".",
            .digits,
            ".",
            .digits,
            ".",
            .digits,
            .oneOf([[.end], [" "]]),
            formats: [
                ReceivedFormat(
                    .word(.helo),
                    " (",
                    .optional(["["]),
                    .ip,
                    .optional(["%", .run(nil, zone, 0..<ReceivedPattern.unbounded)]),
                    .optional(["]"]),
                    ") by ",
                    .word(.by),
                    " ",
                    adjust: { relay, _ in relay.id = [] }
                )
            ]
        ),
        ReceivedFamily(
            "[XMail ",
            formats: [
                ReceivedFormat(
                    .word(.helo),
                    " (",
                    .optional(["["]),
                    .ip,
                    .optional(["]"]),
                    ":",
                    .digits,
                    ") by ",
                    .word(.by),
                    .optional([" (", .word, ")"]),
                    " with [XMail",
                    adjust: { relay, matcher in
                        if matcher.find(xmailID) != nil { relay.id = matcher[.first] ?? [] }
                        if matcher.find(xmailSender) != nil { relay.envelopeFrom = matcher[.first] }
                    }
                )
            ]
        ),
        ReceivedFamily(
            "(ecelerity",
            .boundary,
            formats: [
                ReceivedFormat("([", .ip, ":", .digits, "] helo=", .word(.helo), ") by ", .word(.by), " "),
                ReceivedFormat(.word, " ([", .ip, ":", .digits, "]) by ", .word(.by), " "),
            ]
        ),
        ReceivedFamily("Exim", formats: exim, isExim: true),
        ReceivedFamily(
            " (Postfix) with",
            formats: [
                ReceivedFormat(
                    .word(.helo),
                    " (",
                    .word(.reverseName),
                    " [",
                    .ip,
                    "]) by ",
                    .word(.by),
                    " ",
                    as: .relayLookedUp,
                    adjust: ReceivedFormat.unknownIsNoName
                ),
                ReceivedFormat(
                    .word(.helo),
                    " (",
                    .word(.reverseName),
                    "[",
                    .ip,
                    "]) by ",
                    .word(.by),
                    " ",
                    as: .relayLookedUp,
                    adjust: ReceivedFormat.unknownIsNoName
                ),
            ]
        ),
        ReceivedFamily(
            "(Scalix SMTP Relay",
            formats: [ReceivedFormat(.word(.helo), " (", .optional([" "]), .ip, ") by ", .word(.by))]
        ),
        ReceivedFamily(
            " (Lotus Domino ",
            formats: [ReceivedFormat(.word(.helo), " ([", .ip, "]) by ", .word(.by), " (Lotus")]
        ),
    ]

    private static let xmailID: ReceivedExpression = [" id <", .word(.first), ">"]
    private static let xmailSender: ReceivedExpression = [" from <", .word(.first), ">"]

    /// Octets of an IPv6 zone (RFC 6874 §2).
    private static let zone = OctetClass { ($0.isAlphanumeric && !(0x61...0x7a).contains($0)) || "._~-".utf8.contains($0) }

    private static let exim: [ReceivedFormat] = [
        ReceivedFormat(.boundary, "with local", .optional(["-", .word]), " ", as: .ignored, anchored: false),
        ReceivedFormat(
            "[",
            .ip,
            "] (",
            .anything(.details, minimum: 0, greedy: false),
            ") by ",
            .word(.by),
            " ",
            adjust: ReceivedFormat.details
        ),
        ReceivedFormat(
            .word(.reverseName),
            " ([",
            .ip,
            "]",
            .anything(.details, minimum: 0, greedy: false),
            ") by ",
            .word(.by),
            " ",
            adjust: ReceivedFormat.nameIsHeloUnlessTold
        ),
        ReceivedFormat(
            .word(.reverseName),
            " [",
            .ip,
            "]",
            .optional([":", .digits]),
            " by ",
            .word(.by),
            " ",
            adjust: ReceivedFormat.nameIsHelo
        ),
    ]

    /// Of Exim's fields that have no known format, the pieces that can be told.
    static let eximPieces: [ReceivedFormat] = [
        ReceivedFormat(.word(.reverseName), " "),
        ReceivedFormat(" (", .word(.helo), ") ", anchored: false),
        ReceivedFormat(" [", .ip, .optional([".", .digits]), "] ", anchored: false),
        ReceivedFormat("by ", .word(.by), " ", anchored: false),
    ]

    /// The same without a lower-case `from`.
    static let simta = ReceivedFormat(
        .word(.helo),
        " (",
        .word(.reverseName),
        " [",
        .ip,
        "]) BY ",
        .word(.by),
        " ",
        .optional(["(", .comment, ") WITH SMTP "]),
        "ID ",
        .optional(["<"]),
        .words(.id, minimum: 1),
        .optional([">"]),
        .optional([" FOR <", .run(nil, .except(">"), 1..<ReceivedPattern.unbounded), ">"]),
        .end,
        as: .relayLookedUp,
        adjust: { relay, _ in
            if relay.reverseName == Array("unverified".utf8) { relay.reverseName = [] }
            if relay.id.last == 0x3e { relay.id.removeLast() }
        }
    )

    /// Behind `(from `.
    static let parenthesized: [ReceivedFormat] = [
        ReceivedFormat(.maybe(.helo), " [", .ip, "]) by ", .word(.by), " (NAVGW ", .little, ") with "),
        ReceivedFormat(.word, "@localhost) by ", .word, " ", as: .ignored),
        ReceivedFormat(
            .run(nil, OctetClass { !$0.isSpace && $0 != 0x40 }, 1..<ReceivedPattern.unbounded),
            "@",
            .comment,
            ") by ",
            .word,
            "(jqueuemail) id ",
            .run(nil, OctetClass { !$0.isSpace && $0 != 0x3b }, 1..<ReceivedPattern.unbounded),
            as: .ignored
        ),
    ]
}
