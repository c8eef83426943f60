import DeliveryCore
import MailTypes

/// Notices for tests.
enum StatusSample {
    static let message = """
        Received: from client.example.org (client.example.org [192.0.2.7])\r
        \tby mx2.example.net with ESMTPS id 0123456789AB;\r
        \tMon, 23 Nov 2026 10:00:00 +0000\r
        From: Alice <alice@example.org>\r
        To: bob@example.net, carol@example.net\r
        Subject: Minutes\r
        Message-ID: <1@example.org>\r
        Date: Mon, 23 Nov 2026 09:59:58 +0000\r
        \r
        Dear all,\r
        here they are.\r
        --\r
        Alice\r

        """

    static func address(_ text: String) -> MailAddress {
        MailAddress(text, allowUTF8: true) ?? MailAddress(localPart: text, domain: "", text: text)
    }

    static func recipient(_ text: String, notify: String? = nil, orcpt: String? = nil) -> Recipient {
        Recipient(self.address(text), notify: notify, orcpt: orcpt)
    }

    static func status(
        _ event: DeliveryEvent,
        _ recipients: [RecipientStatus],
        sender: String = "alice@example.org",
        parameters: MailParameters = MailParameters(),
        message: String = StatusSample.message,
        isWhole: Bool = true,
        seed: UInt64 = 0x0123_4567_89ab_cdef
    ) -> DeliveryStatus {
        self.status(
            event,
            recipients,
            sender: sender,
            parameters: parameters,
            bytes: Array(message.utf8),
            isWhole: isWhole,
            seed: seed
        )
    }

    static func status(
        _ event: DeliveryEvent,
        _ recipients: [RecipientStatus],
        sender: String = "alice@example.org",
        parameters: MailParameters = MailParameters(),
        bytes: [UInt8],
        isWhole: Bool = true,
        seed: UInt64 = 0x0123_4567_89ab_cdef
    ) -> DeliveryStatus {
        DeliveryStatus(
            event: event,
            reportingHost: "mx2.example.net",
            sender: self.address(sender),
            parameters: parameters,
            transaction: TransactionID(milliseconds: 1_795_428_000_000, sequence: 1),
            recipients: recipients,
            original: ReturnedMessage(bytes, isWhole: isWhole),
            arrival: 1_795_428_000,
            time: 1_795_428_600,
            retryUntil: event == .delayed ? 1_795_860_000 : nil,
            seed: seed
        )
    }

    static let unknownUser = RecipientStatus(
        recipient("bob@example.net", orcpt: "rfc822;Bob+2BWork@Example.NET"),
        event: .failed,
        remoteHost: "mx1.example.net",
        diagnosis: .reply(.permanent(.mailboxUnavailable, (1, 1), "User unknown in this place", "ask the postmaster of it")),
        lastAttempt: 1_795_428_590
    )

    static let expired = RecipientStatus(
        recipient("carol@example.net"),
        event: .failed,
        diagnosis: .reason("no connection to the downstream server: connection timed out")
    )

    static let waiting = RecipientStatus(
        recipient("carol@example.net"),
        event: .delayed,
        remoteHost: "mx1.example.net",
        diagnosis: .reply(.transient(.serviceUnavailable, (3, 2), "Closed for today")),
        lastAttempt: 1_795_428_590
    )

    static let passedOn = RecipientStatus(
        recipient("bob@example.net", notify: "SUCCESS"),
        event: .relayed,
        remoteHost: "mx1.example.net",
        diagnosis: .reply(.success(.ok, (0, 0), "Queued as 4711")),
        lastAttempt: 1_795_428_590
    )

    static let international = RecipientStatus(
        recipient("jürgen@bücher.example", orcpt: "utf-8;jürgen@bücher.example"),
        event: .failed,
        status: EnhancedStatusCode("5.1.1"),
        remoteHost: "mx1.example.net",
        diagnosis: .reply(.permanent(.mailboxUnavailable, (1, 1), "Unbekannter Empfänger\u{202e}\u{85}"))
    )

    /// The files in `Fixtures/notices`.
    static let golden: [(name: String, status: DeliveryStatus)] = [
        (
            "failed-whole",
            status(.failed, [unknownUser, expired], parameters: MailParameters(ret: "FULL", envid: "QQ+2B314159"))
        ),
        ("failed-header", status(.failed, [unknownUser], parameters: MailParameters(ret: "HDRS"))),
        ("delayed", status(.delayed, [waiting], parameters: MailParameters(ret: "FULL", envid: "QQ314159"))),
        ("relayed", status(.relayed, [passedOn], parameters: MailParameters(ret: "FULL"))),
        (
            "international",
            status(
                .failed,
                [international],
                sender: "ålice@example.org",
                parameters: MailParameters(body: .eightBitMIME, smtpUTF8: true, ret: "FULL"),
                message: "From: Ålice <ålice@example.org>\r\nSubject: Grüße\r\n\r\nGrüße\r\n"
            )
        ),
        (
            "long-lines",
            status(
                .failed,
                [expired],
                parameters: MailParameters(ret: "FULL"),
                message: "Subject: one = 1 \r\nX-Long: \(String(repeating: "long ", count: 240))\r\n\r\ntext\r\n"
            )
        ),
    ]
}
