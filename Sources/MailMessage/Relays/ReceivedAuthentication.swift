/// How a Received field says that its client had authenticated itself. Few servers say it as RFC 3848 has it.
enum ReceivedAuthentication {
    /// The method or the server that says so; empty without authentication.
    static func method(_ matcher: inout ReceivedMatcher) -> [UInt8] {
        let hasBy = matcher.contains(self.by)
        if hasBy, matcher.find(self.standard) != nil { return matcher[.first] ?? [] }
        if matcher.find(self.google) != nil, matcher.find(self.googleTransport) != nil {
            let text = "GMail - transport="
            return Array(text.utf8) + (matcher[.first] ?? []) + Array(" cipher=".utf8) + (matcher[.second] ?? [])
        }
        if matcher.matches(self.courier) { return matcher[.first] ?? [] }
        if matcher.matches(self.sendmail) { return Array("Sendmail".utf8) }
        if matcher.find(self.gmx) != nil {
            return Array("GMX (".utf8) + (matcher[.second] ?? []) + Array(" / ".utf8) + (matcher[.first] ?? []) + [0x29]
        }
        if matcher.contains(self.criticalPath) { return Array("CriticalPath".utf8) }
        if matcher.find(self.postfix) != nil {
            let name = matcher[.first] ?? []
            return name == Array("Postfix".utf8) ? name : Array("Postfix (".utf8) + name + [0x29]
        }
        if matcher.contains(self.account), matcher.contains(self.communigate) { return Array("Communigate".utf8) }
        if matcher.contains(self.exchange) { return Array("HTTP-DAV".utf8) }
        if hasBy, matcher.find(self.viaHTTP) != nil { return matcher[.first] ?? [] }
        return []
    }

    private static let by: ReceivedExpression = [" by "]
    private static let account: ReceivedExpression = [" (account "]
    private static let exchange: ReceivedExpression = [" with Microsoft Exchange Server HTTP-DAV", .boundary]

    private static func caseless(_ text: String) -> ReceivedPattern { .caseless(Array(text.utf8)) }

    /// ` with ESMTPSA ` and the like (RFC 3848, RFC 6531 §4.3), and what web mail and old Exims write.
    private static let standard: ReceivedExpression = [
        caseless(" with "),
        .capture(
            .first,
            [
                .oneOf([
                    [
                        .oneOf([[caseless("es")], [caseless("l")], [caseless("utf8s")], [caseless("utf8l")]]), caseless("mtp"),
                        .optional([caseless("s")]), caseless("a"),
                    ],
                    [caseless("asmtp")],
                    [caseless("http"), .optional([.run(nil, .among("SUsu"), 1..<2)])],
                ])
            ]
        ),
        endOfItem,
    ]

    private static let endOfItem = ReceivedPattern.oneOf([[" "], [";"], [.end]])

    /// Google marks authenticated submission by the form of its id alone.
    private static let google: ReceivedExpression = [
        " by mx.google.com with ESMTPS id ", .run(nil, lowerOrDigit, 1..<5), "sm", .run(nil, .digits, 2..<10),
        .run(nil, lower, 3..<4), ".", .run(nil, .digits, 1..<4), ".", .run(nil, .digits, 4..<5), ".", sexagesimal, ".",
        sexagesimal, ".", sexagesimal, ".", sexagesimal, ".", sexagesimal,
    ]
    private static let lower = OctetClass { (0x61...0x7a).contains($0) }
    private static let lowerOrDigit = OctetClass { (0x61...0x7a).contains($0) || $0.isDigit }
    private static let sexagesimal = ReceivedPattern.oneOf([[.run(nil, .among("0123456"), 1..<2), .run(nil, .digits, 1..<2)]])

    private static let googleTransport: ReceivedExpression = [
        "(version=", .run(.first, .except(" "), 1..<ReceivedPattern.unbounded), " cipher=",
        .run(.second, .except(")"), 1..<ReceivedPattern.unbounded), ")",
    ]

    private static let closedAddress = ReceivedPattern.oneOf([["])"], [")]"]])

    private static let courier: ReceivedExpression = [
        "from ", .little, closedAddress, " (AUTH: ",
        .capture(.first, [.oneOf([["LOGIN"], ["PLAIN"], ["DIGEST-MD5"], ["CRAM-MD5"]])]), " ", .word,
        .optional([", ", .little]), ") by ",
    ]

    private static let sendmail: ReceivedExpression = [
        "from ", .little,
        .oneOf([
            ["]", .optional([" (", .run(nil, .except(")"), 0..<ReceivedPattern.unbounded), ")"]), ")"],
            [")]"],
        ]),
        " ", .little, "(", .little, "authenticated", .little, ")", .little, " by",
    ]

    private static let gmx: ReceivedExpression = [
        "from ", .maybe, " (", .hello, " ", .maybe, ") [", .otherIP, "] by ",
        .capture(.first, ["mail.gmx.", .oneOf([["net"], ["com"]])]), " (", .comment, ") with ",
        .capture(.second, [.oneOf([["ESMTP"], ["SMTP"]])]),
    ]

    private static let criticalPath: ReceivedExpression = [
        ") by ", .something, " (", .run(nil, .digits, 1..<3), ".", .run(nil, .digits, 1..<2), ".", .run(nil, .digits, 3..<4),
        .optional([".", .run(nil, .digits, 1..<4)]), ") (authenticated as ", .something, ") id ",
    ]

    private static let postfix: ReceivedExpression = [
        ") (Authenticated sender: ", .word, ") by ", .word, " (", .run(.first, .except(")"), 1..<ReceivedPattern.unbounded),
        ") with ",
    ]

    private static let communigate: ReceivedExpression = [
        "CommuniGate Pro ", .oneOf([["HTTP"], ["SMTP"], ["XIMSS"], ["IMAP"]]),
    ]

    private static let viaHTTP: ReceivedExpression = [
        caseless(" (via "), .capture(.first, [caseless("http"), .optional([.run(nil, .except(""), 1..<2)])]), ")", endOfItem,
    ]
}
