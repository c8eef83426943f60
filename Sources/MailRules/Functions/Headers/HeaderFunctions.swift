import MailMessage
import PatternKit

/// Tests of header fields by themselves (SpamAssassin's HeaderEval; `ForgedOrigin` has its other half).
enum HeaderFunctions {
    static let all: [EvalFunction] = ForgedOrigin.all + fields

    private static let fields: [EvalFunction] = [
        // Ids in subjects were told by a database of words once; SpamAssassin keeps the name alone.
        function("check_for_unique_subject_id") { _ in false },
        function("check_for_faraway_charset_in_headers", hasFarawayCharset),
        EvalFunction("check_illegal_chars", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let name = try arguments.required(0, "a header's name")
            let selector = name.hasSuffix(":raw") ? name : name + ":raw"
            let (ratio, count) = (try arguments.number(1) ?? 0, try arguments.number(2) ?? 0)
            return { EvalOutcome(IllegalOctets(selector, $0).exceed(ratio: ratio, count: count)) }
        },
        function("check_for_matching_env_and_hdr_from") {
            $0.first("EnvelopeFrom:addr").lowercasedASCII == $0.first("From:addr").lowercasedASCII
        },
        function("sorted_recipients") { $0.facts { RecipientFacts($0) }.areSorted },
        EvalFunction("similar_recipients", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let range = try Interval(arguments, 0)
            return { context in EvalOutcome(range.contains(context.facts { RecipientFacts($0) }.likeness)) }
        },
        function("check_for_missing_to_header") {
            $0.text(of: "To").isEmpty && $0.text(of: "Apparently-To").isEmpty
        },
        EvalFunction("check_for_shifted_date", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let hours = try Interval(arguments, 0)
            return { context in
                EvalOutcome(hours.contains(Double(context.facts { DateFacts($0) }.difference) / 3_600))
            }
        },
        function("subject_is_all_caps", SubjectText.isAllCapitals),
        EvalFunction("check_for_to_in_subject", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let what = try arguments.required(0, "'address' or 'user'")
            guard what == "address" || what == "user" else {
                throw EvalArguments.Failure(argument: 0, message: "'\(what)' is neither 'address' nor 'user'")
            }
            return { EvalOutcome(what == "user" ? SubjectText.namesUser($0) : SubjectText.hasAddress($0)) }
        },
        function("check_outlook_message_id", hasForgedOutlookID),
        function("check_messageid_not_usable", hasForeignMessageID),
        EvalFunction("check_header_count_range", plugin: plugin) { arguments throws(EvalArguments.Failure) in
            let name = try arguments.required(0, "a header's name")
            let (minimum, maximum) = (try arguments.number(1) ?? 0, try arguments.number(2) ?? .infinity)
            return { context in
                let count = Double(Set(context.headers(name)).count)
                return EvalOutcome(minimum <= count && count <= maximum)
            }
        },
        function("check_unresolved_template", hasTemplate),
        function("check_ratware_name_id", hasNameInID),
        function("check_ratware_envelope_from", hasRecipientInSender),
        function("check_equal_from_domains", hasOtherDomain),
    ]

    private static let plugin = "HeaderEval"

    private static func function(_ name: String, _ test: @escaping @Sendable (EvalContext) -> Bool) -> EvalFunction {
        EvalFunction(name, plugin: self.plugin) { _ in { EvalOutcome(test($0)) } }
    }

    // MARK: - Character sets

    private static let word = HeaderPattern(#"=\?(.+?)\?.\?.*?\?="#)

    private static func hasFarawayCharset(_ context: EvalContext) -> Bool {
        guard !context.settings.locales.acceptsAll else { return false }
        for value in ["From:raw", "Subject:raw"].flatMap(context.headers) {
            var rest = value
            while let charset = context.groups(self.word, in: rest)?[0] {
                if !context.settings.locales.accepts(charset: charset) { return true }
                guard let place = context.place(of: self.word, in: rest) else { break }
                rest.removeSubrange(..<place.upperBound)
            }
        }
        return false
    }

    // MARK: - Message ids

    private static let outlookID = HeaderPattern(#"^<[0-9a-f]{4}([0-9a-f]{8})\$[0-9a-f]{8}\$[0-9a-f]{8}@"#)
    /// How far the time in an id may be off, in its own unit of 429.5 seconds.
    private static let outlookTolerance = 250

    /// Outlook writes the time into its ids; others that write such ids do not know that.
    private static func hasForgedOutlookID(_ context: EvalContext) -> Bool {
        guard let digits = context.groups(self.outlookID, in: context.text(of: "MESSAGEID"))?[0],
            let token = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { return false }
        return ["Date", "Received"].allSatisfy { name in
            let seconds = Double(MailDate.seconds(context.text(of: name)) ?? 0)
            // Units since 1601, of which the lower 32 bits stand in the id.
            let expected = Int(seconds * 0.0023283064365387 + 27111902.8329849)
            return abs(token - expected) >= self.outlookTolerance
        }
    }

    private static let unsubscribe = HeaderPattern(#"<mailto:(?:leave-\S+|\S+-unsubscribe)@\S+>$"#, [.caseless])

    /// A list or server on the way makes ids anew.
    private static func hasForeignMessageID(_ context: EvalContext) -> Bool {
        if context.finds(self.unsubscribe, in: context.text(of: "List-Unsubscribe")) { return true }
        if ForgedOrigin.lostReceivedFields(context) { return true }
        let received = context.text(of: "Received")
        return received.contains("/CWT/DCE)") || received.contains("iPlanet Messaging Server")
    }

    private static let nameID = HeaderPattern(#"<[A-Z]{28}\.([^>]+?)>"#)

    /// `<(28 capitals).address>` with the sender's own address.
    private static func hasNameInID(_ context: EvalContext) -> Bool {
        guard let address = context.groups(self.nameID, in: context.text(of: "MESSAGEID"))?[0] else { return false }
        let from = context.text(of: "From")
        let wanted = [.less] + address + [.greater]
        var start = 0
        while let place = from.place(of: wanted, from: start) {
            let before = from[..<place].reversed().drop(while: \.isBlank)
            if before.first == .quote, let text = before.dropFirst().firstIndex(of: .quote), text > before.dropFirst().startIndex
            {
                return true
            }
            start = place + 1
        }
        return false
    }

    // MARK: - Templates

    private static let template = HeaderPattern("%[A-Z][A-Z_-]")
    private static let mayHavePercents = HeaderPattern(
        "^(?:X-VMS-To|X-UIDL|X-Face|To|Cc|From|Subject|References|In-Reply-To|(?:X-|Resent-|X-Original-)?Message-Id):",
        [.caseless]
    )

    private static func hasTemplate(_ context: EvalContext) -> Bool {
        let header = context.text(of: "ALL")
        let percent = UInt8(ascii: "%")
        guard header.contains(percent) else { return false }
        return header.lines().contains { line in
            guard line.contains(percent) else { return false }
            let line = Array(line)
            return context.finds(self.template, in: line) && !context.finds(self.mayHavePercents, in: line)
        }
    }

    // MARK: - Senders

    private static let rewritten = HeaderPattern(#"^SRS\d[=+-]"#, [.caseless])

    /// `example.org.joe@…` in a message to joe@example.org.
    private static func hasRecipientInSender(_ context: EvalContext) -> Bool {
        let to = context.first("To:addr")
        let from = context.first("EnvelopeFrom:addr").lowercasedASCII
        guard !from.isEmpty, let at = to.firstIndex(of: .at), at > 0, at + 1 < to.count else { return false }
        if context.finds(self.rewritten, in: from) { return false }
        let registrars = context.views.subject.registrars
        let domain = registrars.registeredDomain(of: to[(at + 1)...])
        guard registrars.isDomainValid(domain) else { return false }
        let user = to[..<at].lowercasedASCII + [.at]
        var start = 0
        while let place = from.place(of: domain, from: start) {
            let end = place + domain.count
            let isWhole = place == 0 || !from[place - 1].isWord
            if isWhole, end < from.count, from[(end + 1)...].starts(with: user) { return true }
            start = place + 1
        }
        return false
    }

    /// The last two labels of the senders in header and envelope differ.
    private static func hasOtherDomain(_ context: EvalContext) -> Bool {
        let domains = ["From:addr", "EnvelopeFrom:addr"].map { self.lastLabels(context.first($0)) }
        return !domains[0].isEmpty && !domains[1].isEmpty && domains[0] != domains[1]
    }

    private static func lastLabels(_ address: [UInt8]) -> [UInt8] {
        guard let at = address.lastIndex(of: .at) else { return [] }
        let host = address[(at + 1)...].lowercasedASCII
        let labels = host.split(separator: 0x2e, omittingEmptySubsequences: false)
        guard labels.count > 2, labels.suffix(2).allSatisfy({ !$0.isEmpty }) else { return host }
        // What stands before must be more than a dot.
        let last = Array(labels.suffix(2).joined(separator: [0x2e]))
        return host.count - last.count > 1 ? last : host
    }
}

extension ArraySlice<UInt8> {
    fileprivate var lowercasedASCII: [UInt8] { self.map(\.lowercased) }
}

/// From a number on, to before another; either may be missing (`undef`).
struct Interval: Sendable {
    private var minimum: Double?
    private var maximum: Double?

    init(_ arguments: EvalArguments, _ first: Int) throws(EvalArguments.Failure) {
        self.minimum = try arguments.number(first)
        self.maximum = try arguments.number(first + 1)
    }

    func contains(_ value: Double) -> Bool {
        (self.minimum.map { value >= $0 } ?? true) && (self.maximum.map { value < $0 } ?? true)
    }
}

/// Octets that may not stand in a header field: controls and everything above ASCII, unless the whole is UTF-8 (RFC 6532).
private struct IllegalOctets {
    private var count = 0
    private var length = 0

    init(_ selector: String, _ context: EvalContext) {
        let text = context.text(of: selector)
        guard text.contains(where: { !$0.isBlank }) else { return }
        self.length = text.count
        self.count = text.count { $0 >= 0x7f || ($0 < 0x20 && !$0.isPlainControl) }
        guard self.count > 0 else { return }
        let hasControls = text.contains { $0 < 0x20 && !$0.isPlainControl }
        let hasEightBit = text.contains { $0 >= 0x80 }
        if !hasControls, hasEightBit, Self.isUTF8(text) {
            self.count = 0
            return
        }
        // A single ¢, £ or ® is a slip.
        let exempt: Set<UInt8> = [0xa2, 0xa3, 0xae]
        if selector.lowercased() == "subject:raw", text.count(where: exempt.contains) == 1 { self.count -= 1 }
    }

    private static func isUTF8(_ text: [UInt8]) -> Bool { String(validating: text, as: UTF8.self) != nil }

    func exceed(ratio: Double, count: Double) -> Bool {
        self.length > 0 && Double(self.count) / Double(self.length) >= ratio && Double(self.count) >= count
    }
}

extension UInt8 {
    /// Tab and line ends.
    fileprivate var isPlainControl: Bool { self == 0x09 || self == 0x0a || self == 0x0d }
}
