import PatternKit

/// Messages that claim to be of a mail service: its servers write Received fields of their own kind, and forgers do not.
enum ForgedOrigin {
    static let all: [EvalFunction] = [
        function("check_for_fake_aol_relay_in_rcvd", isForgedAOLRelay),
        function("check_for_forged_hotmail_received_headers") { $0.facts(hotmail) == .helo },
        function("check_for_no_hotmail_received_headers") { $0.facts(hotmail) == .sender },
        function("check_for_msn_groups_headers", isOfGroups),
        function("check_for_forged_eudoramail_received_headers", isForgedEudora),
        function("check_for_forged_yahoo_received_headers", isForgedYahoo),
        function("check_for_forged_juno_received_headers", isForgedJuno),
        function("check_for_forged_gmail_received_headers", isForgedGmail),
        function("check_for_forged_gw05_received_headers") { $0.finds(gateway, in: $0.text(of: "Received")) },
        function("gated_through_received_hdr_remover", lostReceivedFields),
    ]

    private static func function(_ name: String, _ test: @escaping @Sendable (EvalContext) -> Bool) -> EvalFunction {
        EvalFunction(name, plugin: "HeaderEval") { _ in { EvalOutcome(test($0)) } }
    }

    /// Received fields with white space run together.
    private struct Received {
        let text: [UInt8]

        init(_ context: EvalContext) {
            self.text = context.text(of: "Received").singleSpaced
        }
    }

    private static func received(_ context: EvalContext) -> [UInt8] { context.facts(Received.init).text }

    private static func sender(_ context: EvalContext, isOf domain: HeaderPattern) -> Bool {
        context.finds(domain, in: context.first("From:addr"))
    }

    /// A host without a dot took it by ESMTP.
    private static let gateway = HeaderPattern(
        #"\nfrom\s\S+\sby\s[^\s.]+\swith\sESMTP;\s+\S\S\S,\s+\d+\s+\S\S\S\s+\d{4}\s+\d\d:\d\d:\d\d\s+[-+]*\d{4}\n$"#
    )

    // MARK: - Lists that remove Received fields

    private static let list = HeaderPattern(#"^contact \S+@\S+; run by ezmlm$"#, [.multiline])
    private static let deliveredToList = HeaderPattern(#"^mailing list \S+@\S+"#, [.multiline])
    private static let qmail = HeaderPattern(#"qmail \d+ invoked (?:from network|by .{3,20})\); \d+ ... \d+"#)
    private static let groupsServer = HeaderPattern(#"from groups\.msn\.com \(\S+\.msn\.com "#)

    static func lostReceivedFields(_ context: EvalContext) -> Bool {
        let received = context.header("Received")
        if let name = context.header("Mailing-List"), context.finds(self.list, in: name),
            context.finds(self.deliveredToList, in: context.text(of: "Delivered-To")),
            context.finds(self.qmail, in: received ?? [])
        {
            return true
        }
        return received.map { context.finds(self.groupsServer, in: $0) } ?? true
    }

    // MARK: - AOL

    private static let aolRelay = HeaderPattern(#" rly-[a-z][a-z]\d\d\."#, [.caseless])
    private static let aolSign = HeaderPattern(#"/AOL-\d+\.\d+\.\d+\)|ESMTP id (?:RELAY|MAILRELAY|MAILIN)"#)

    private static func isForgedAOLRelay(_ context: EvalContext) -> Bool {
        let received = self.received(context)
        return context.finds(self.aolRelay, in: received) && !context.finds(self.aolSign, in: received)
    }

    // MARK: - Hotmail

    private enum Forgery {
        case none
        /// A host that is not Hotmail's said it was.
        case helo
        /// The sender is of Hotmail, and no host is.
        case sender
    }

    private static let pickup = "from mail pickup service by hotmail.com with Microsoft SMTPSVC;"
    private static let originator = HeaderPattern(#"hotmail\.com|msonline-outlook"#)
    private static let address = HeaderPattern(HeaderPattern.ip)
    private static let hotmailHosts = HeaderPattern(
        #"from (?:\S*\.)?hotmail.com \(\S+\.hotmail(?:\.msn)?\.com[ )]|from \S*\.hotmail.com \(\["# + HeaderPattern.ip
            + #"\][ ):]|from \S+ by \S+\.hotmail(?:\.msn)?\.com with HTTP;|from \[66\.218.\S+\] by \S+\.yahoo\.com"#
    )
    private static let outlookHosts = HeaderPattern(
        #"from \S*\.outbound\.protection\.outlook\.com \(\S+\.outbound\.protection\.outlook\.com[ )]"#
            + #"|from \S*\.(?:eur|nam)prd\d+\.prod\.outlook\.com \("# + HeaderPattern.ip + #"\)"#
    )
    private static let hotmailHelo = HeaderPattern(#"(?:from |HELO |helo=)\S*hotmail\.com\b"#)
    private static let hotmailSender = HeaderPattern(#"\bhotmail\.com$"#, [.caseless])

    private static func hotmail(_ context: EvalContext) -> Forgery {
        let received = self.received(context)
        if received.contains(self.pickup) || self.isOfGroups(context) || self.lostReceivedFields(context) { return .none }
        if context.finds(self.address, in: context.text(of: "X-Originating-Ip")), context.finds(self.hotmailHosts, in: received) {
            return .none
        }
        if context.finds(self.originator, in: context.text(of: "X-OriginatorOrg")), context.finds(self.outlookHosts, in: received)
        {
            return .none
        }
        if context.finds(self.hotmailHelo, in: received) { return .helo }
        return self.sender(context, isOf: self.hotmailSender) ? .sender : .none
    }

    // MARK: - MSN groups

    private static let group = HeaderPattern(#"<(\S+)@groups\.msn\.com>"#, [.caseless])
    private static let groupPickup = HeaderPattern(#"from mail pickup service by (p\d\d\.groups\.msn\.com)\b"#)

    static func isOfGroups(_ context: EvalContext) -> Bool {
        guard let name = context.groups(self.group, in: context.text(of: "To"))?[0],
            let server = context.groups(self.groupPickup, in: context.text(of: "Received"))?[0]
        else { return false }
        let id = context.text(of: "Message-Id")
        guard id.first == .less else { return false }
        if name == Array("notifications".utf8) {
            return id.place(of: [.at] + server, from: 2) != nil
        }
        guard id.dropFirst().starts(with: name + [0x2d]), id.contains("@groups.msn.com>") else { return false }
        return context.first("EnvelopeFrom:addr").place(of: name + Array("-bounce@groups.msn.com".utf8)) != nil
    }

    // MARK: - Eudoramail

    private static let eudoraSender = HeaderPattern(#"\beudoramail\.com$"#, [.caseless])
    private static let eudoraHost = HeaderPattern(#"by \S*whowhere.com;"#)

    private static func isForgedEudora(_ context: EvalContext) -> Bool {
        guard self.sender(context, isOf: self.eudoraSender), !self.lostReceivedFields(context) else { return false }
        return
            !(context.finds(self.eudoraHost, in: self.received(context))
            && context.finds(self.address, in: context.text(of: "X-Sender-Ip")))
    }

    // MARK: - Yahoo

    private static let yahooSender = HeaderPattern(#"\byahoo\.com$"#, [.caseless])
    private static let yahooTrusted = HeaderPattern(#" rdns=\S+\.yahoo\.com "#)
    private static let yahooFirst = HeaderPattern(#"^[^\]]+ rdns=\S+\.yahoo\.com "#)
    private static let yahooHosts = HeaderPattern(
        #"by web\S+\.mail\S*\.yahoo\.com via HTTP|by sonic\S+\.consmr\.mail\S*\.yahoo\.com with HTTP"#
            + #"|by smtp\S+\.yahoo\.com with SMTP|from \["# + HeaderPattern.ip
            + #"\] by \S+\.(?:groups|scd|dcn)\.yahoo\.com with NNFMP"#
            + #"|by \w+\.\w+\.yahoo\.com \(\d+\.\d+\.\d+/\d+\.\d+\.\d+\)(?: with ESMTP)? id \w+"#
    )
    private static let yahooBulk = HeaderPattern(#"\bmailer\d+\.bulk\.scd\.yahoo\.com\b"#)
    private static let yahooReply = HeaderPattern(#"@reply\.yahoo\.com$"#, [.caseless])

    private static func isForgedYahoo(_ context: EvalContext) -> Bool {
        guard self.sender(context, isOf: self.yahooSender), !self.lostReceivedFields(context) else { return false }
        var received = context.text(of: "Received")
        if !context.text(of: "Resent-From").isEmpty, !context.text(of: "Resent-To").isEmpty {
            let own = context.text(of: "X-Received")
            if !own.isEmpty { received = own }
        }
        received = received.singleSpaced
        // Bounces of Yahoo come from there.
        if context.finds(self.yahooTrusted, in: context.text(of: "X-Spam-Relays-Trusted")) { return false }
        if context.finds(self.yahooFirst, in: context.text(of: "X-Spam-Relays-Untrusted")) { return false }
        if context.finds(self.yahooHosts, in: received) { return false }
        return !(context.finds(self.yahooBulk, in: received) && self.sender(context, isOf: self.yahooReply))
    }

    // MARK: - Juno

    private static let junoSender = HeaderPattern(#"\bjuno\.com$"#, [.caseless])
    private static let junoHosts = HeaderPattern(
        #"from.*\b(?:juno|untd)\.com.*[\[(]"# + HeaderPattern.ip + #"[\])].*by| cookie\.(?:juno|untd)\.com "#
    )

    private static func isForgedJuno(_ context: EvalContext) -> Bool {
        guard self.sender(context, isOf: self.junoSender), !self.lostReceivedFields(context) else { return false }
        let origin = context.text(of: "X-Originating-IP")
        let mailer = context.text(of: "X-Mailer")
        let received = context.text(of: "Received")
        if !origin.isEmpty { return !context.finds(self.junoHosts, in: received) || !mailer.contains("Juno ") }
        // Without an address of the client no web mail of theirs is genuine; what it says of itself does not matter.
        return true
    }

    // MARK: - Gmail

    private static let gmailSender = HeaderPattern(#"\bgmail\.com$"#, [.caseless])
    private static let gmailInside = HeaderPattern(
        #"by 10\.\S+ with SMTP id \S+|by 2002:a\d\d:\w+:\S+ with SMTP id \S+"#
    )
    private static let gmailHost = HeaderPattern(#"by smtp\.googlemail\.com with ESMTPSA id \S+"#)
    /// Octets that Google's own fields have at least.
    private static let minimumStateLength = 60

    private static func isForgedGmail(_ context: EvalContext) -> Bool {
        guard self.sender(context, isOf: self.gmailSender) else { return false }
        if context.finds(self.gmailInside, in: context.text(of: "X-Received")) { return false }
        if context.finds(self.gmailHost, in: context.text(of: "Received")) { return false }
        return context.text(of: "X-Gm-Message-State").count < self.minimumStateLength
            || context.text(of: "X-Google-Smtp-Source").count < self.minimumStateLength
    }
}
