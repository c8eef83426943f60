import DeliveryCore
import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

/// A notice as our own parser reads it.
private struct ReadStatus {
    let message: ParsedMessage
    let top: MIMEPart
    /// The parts of the report itself.
    let parts: [MIMEPart]

    init(_ bytes: [UInt8]) {
        self.message = ParsedMessage(bytes)
        self.top = self.message.parts[0]
        self.parts = self.message.children(of: self.message.parts[0])
    }

    func text(_ index: Int) -> String {
        guard self.parts.indices.contains(index) else { return "" }
        return String(decoding: self.message.content(of: self.parts[index]), as: UTF8.self)
    }

    /// The groups of fields of the part for programs; names in lower case, folds undone.
    var groups: [[(name: String, value: String)]] {
        let lines = self.text(1).replacingOccurrences(of: "\r\n ", with: " ").components(separatedBy: "\r\n")
        return lines.split(separator: "").map { group in
            group.map { line in
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                return (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : "no colon")
            }
        }
    }

    func field(_ name: String) -> String? {
        self.message.fields(named: name).first.map { String(decoding: self.message.unfoldedValue(of: $0), as: UTF8.self) }
    }
}

@Suite("Delivery status notifications")
struct DeliveryStatusTests {
    @Test("Fixtures/notices", arguments: StatusSample.golden.map(\.name))
    func golden(name: String) throws {
        let status = try #require(StatusSample.golden.first { $0.name == name }).status
        let got = status.composed().bytes
        let file = Fixture.directory.appending(path: "notices/\(name).eml")
        let expected = try? Fixture.bytes(file)
        if got != expected, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
            try Data(got).write(to: file.appendingPathExtension("got"))
        }
        #expect(got == expected, "\(file.lastPathComponent) differs")
    }

    @Test("what is said of the bytes is true", arguments: StatusSample.golden.map(\.name))
    func parameters(name: String) throws {
        var status = try #require(StatusSample.golden.first { $0.name == name }).status
        for allows8Bit in [true, false] {
            status.allows8Bit = allows8Bit
            let composed = status.composed()
            expectSound(composed, status)
            #expect(composed.parameters.ret == nil && composed.parameters.envid == nil)
            if !allows8Bit, !composed.parameters.smtpUTF8 { #expect(composed.bytes.allSatisfy { $0 < 0x80 }) }
        }
    }

    @Test("the parts and fields of a failure")
    func failure() throws {
        let status = try #require(StatusSample.golden.first).status
        let read = ReadStatus(status.composed().bytes)
        #expect(read.parts.map(\.mediaType) == ["text/plain", "message/delivery-status", "message/rfc822"])
        #expect(read.field("From") == "Mail Delivery System <postmaster@mx2.example.net>")
        #expect(read.field("To") == "alice@example.org")
        #expect(read.field("Auto-Submitted") == "auto-replied")
        #expect(read.field("Message-ID") == "<0123456789abcdef.\(status.transaction)@mx2.example.net>")
        let groups = read.groups
        #expect(groups.count == 3)
        #expect(groups[0].map(\.name) == ["original-envelope-id", "reporting-mta", "arrival-date"])
        #expect(groups[0][0].value == "QQ+314159")
        #expect(
            groups[1].map { "\($0.name): \($0.value)" } == [
                "original-recipient: rfc822; Bob+Work@Example.NET", "final-recipient: rfc822; bob@example.net", "action: failed",
                "status: 5.1.1", "remote-mta: dns; mx1.example.net",
                "diagnostic-code: smtp; 550 5.1.1 User unknown in this place / ask the postmaster of it",
                "last-attempt-date: Mon, 23 Nov 2026 10:09:50 +0000", "final-log-id: \(status.transaction)",
            ]
        )
        #expect(groups[2].map(\.name) == ["final-recipient", "action", "status", "diagnostic-code", "final-log-id"])
        #expect(groups[2][2].value == "4.4.7")
        // The message is there to the octet.
        let returned = try #require(read.parts.last)
        #expect(Array(read.message.bytes[returned.body]).starts(with: StatusSample.message.utf8.dropLast(2)))
    }

    @Test(
        "how much is sent back",
        arguments: [
            (.failed, "FULL", .whole), (.failed, "full", .whole), (.failed, "HDRS", .header), (.failed, nil, .header),
            (.delayed, "FULL", .header), (.relayed, "FULL", .header), (.delivered, "FULL", .header),
        ] as [(DeliveryEvent, String?, ComposedStatus.Returned)]
    )
    func returned(event: DeliveryEvent, ret: String?, expected: ComposedStatus.Returned) throws {
        let composed = StatusSample.status(event, [StatusSample.expired], parameters: MailParameters(ret: ret)).composed()
        #expect(composed.returned == expected)
        let read = ReadStatus(composed.bytes)
        #expect(read.parts.last?.mediaType == (expected == .whole ? "message/rfc822" : "text/rfc822-headers"))
        #expect(String(decoding: composed.bytes, as: UTF8.self).contains("here they are") == (expected == .whole))
    }

    @Test("a message that is too large, not all there, or not fit to be sent as it is: the header only")
    func notWhole() {
        func returned(_ bytes: [UInt8], isWhole: Bool = true, allows8Bit: Bool = true) -> ComposedStatus.Returned {
            let full = MailParameters(ret: "FULL")
            var status = StatusSample.status(.failed, [StatusSample.expired], parameters: full, bytes: bytes, isWhole: isWhole)
            status.allows8Bit = allows8Bit
            let composed = status.composed()
            expectSound(composed, status)
            return composed.returned
        }
        let header = Array("Subject: x\r\n\r\n".utf8)
        func filled(_ size: Int) -> [UInt8] {
            (header + (0..<(size / 50 + 1)).flatMap { _ in Array((String(repeating: "x", count: 48) + "\r\n").utf8) }).prefix(
                size - 2
            )
                + [0x0d, 0x0a]
        }
        #expect(returned(filled(ReturnedMessage.wholeLimit)) == .whole)
        #expect(returned(filled(ReturnedMessage.wholeLimit + 1)) == .header)
        #expect(returned(header, isWhole: false) == .header)
        #expect(returned([]) == .whole)
        for text in ["\n", "a\nb\r\n", "a\rb", "a\r", "\0\r\n", String(repeating: "x", count: 999)] {
            #expect(returned(header + Array(text.utf8)) == .header, "\(text.debugDescription)")
        }
        #expect(returned(header + Array(String(repeating: "x", count: 998).utf8)) == .whole)
        #expect(returned(header + [0xe4]) == .whole)
        #expect(returned(header + [0xe4], allows8Bit: false) == .header)
        let long = Array(String(repeating: "X-Field: value\r\n", count: ReturnedMessage.headerLimit / 16 + 1).utf8)
        #expect(returned(long, isWhole: false) == .headerCut)
        #expect(returned(long.map { $0 == 0x0a || $0 == 0x0d ? 0x20 : $0 }, isWhole: false) == .headerCut)
    }

    @Test("a header in any octets comes back as it was", arguments: [true, false])
    func headerOctets(allows8Bit: Bool) {
        var random = SystemRandomNumberGenerator()
        let octets: [UInt8] = [0, 9, 10, 13, 32, 0x3d, 0x41, 0x42, 0x7e, 0x7f, 0x80, 0xe4, 0xff]
        for _ in 0..<300 {
            var bytes = Array("X: ".utf8)
            for _ in 0..<Int.random(in: 0..<200, using: &random) {
                if bytes.last == 0x0a, Bool.random(using: &random) { bytes += Array("Y: ".utf8) }
                bytes.append(octets.randomElement(using: &random) ?? 0)
            }
            bytes += [0x41]
            var status = StatusSample.status(.failed, [StatusSample.expired], bytes: bytes)
            status.allows8Bit = allows8Bit
            let composed = status.composed()
            expectSound(composed, status)
            let read = ReadStatus(composed.bytes)
            let content = read.parts.last.map { read.message.content(of: $0) } ?? []
            // What stands before the first empty line.
            var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
            let end = lines.firstIndex { $0.isEmpty || $0.elementsEqual([0x0d]) } ?? lines.count
            lines = Array(lines[..<end])
            let expected =
                Array(lines.joined(separator: [0x0a]))
                + (end < bytes.split(separator: 0x0a, omittingEmptySubsequences: false).count ? [0x0a] : [])
            #expect(content == expected)
        }
    }

    @Test(
        "status codes that are not given",
        arguments: [
            (.failed, nil, "4.4.7"), (.delayed, nil, "4.4.1"), (.relayed, nil, "2.0.0"), (.delivered, nil, "2.0.0"),
            (.failed, "550 no", "5.0.0"), (.failed, "550 5.7.1 no", "5.7.1"), (.failed, "451 4.2.1 no", "4.2.1"),
            (.failed, "354 what", "4.4.7"), (.relayed, "250 ok", "2.0.0"),
        ] as [(DeliveryEvent, String?, String)]
    )
    func statusCodes(event: DeliveryEvent, reply: String?, expected: String) throws {
        var recipient = RecipientStatus(StatusSample.recipient("bob@example.net"), event: event)
        if let reply, let code = Int(reply.prefix(3)) {
            recipient.diagnosis = .reply(try #require(SMTPReply.received(code: code, lines: [String(reply.dropFirst(4))])))
        }
        let read = ReadStatus(StatusSample.status(event, [recipient]).composed().bytes)
        #expect(read.groups[1].first { $0.name == "status" }?.value == expected)
        #expect(read.groups[1].first { $0.name == "action" }?.value == event.rawValue)
    }

    @Test(
        "ORCPT and ENVID are told as what they stand for, or as they were sent",
        arguments: [
            ("rfc822;a+2Bb@c", "rfc822; a+b@c"), ("rfc822;a+0D+0ABcc:b@c", "rfc822; a+0D+0ABcc:b@c"),
            ("rfc822;a+C3+A4@c", "utf-8; ä@c".replacing("ä", with: "aä")), ("utf-8;a\\x{E4}@c", "utf-8; a\\x{E4}@c"),
            ("rfc822;a+FF@c", "rfc822; a+FF@c"), ("x400;/c=de/", "x400; /c=de/"), ("rfc822;", nil), (";a@b", nil),
            ("rfc822", nil),
            ("r\r\nX: y;a@b", nil), ("rfc822;a\r\nX: y", "rfc822; a??X: y"), ("rfc822;+2", "rfc822; +2"),
        ] as [(String, String?)]
    )
    func originalRecipients(orcpt: String, expected: String?) {
        let recipient = RecipientStatus(StatusSample.recipient("bob@example.net", orcpt: orcpt), event: .failed)
        let status = StatusSample.status(
            .failed,
            [recipient],
            parameters: MailParameters(envid: String(orcpt.drop { $0 != ";" }.dropFirst()))
        )
        let composed = status.composed()
        expectSound(composed, status)
        let read = ReadStatus(composed.bytes)
        #expect(read.groups[1].first { $0.name == "original-recipient" }?.value == expected)
        for group in read.groups { #expect(!group.contains { $0.name == "x" || $0.name == "bcc" }) }
    }

    @Test(
        "a notice for an address that is none any more has no address in its fields",
        arguments: [
            "a@b\r\nBcc: c@d", "a@b, c@d", "<a@b>", "", "a\u{85}@b", "a b@c",
        ]
    )
    func badSender(text: String) {
        var status = StatusSample.status(.failed, [StatusSample.expired])
        status.sender = MailAddress(localPart: "a", domain: "b", text: text)
        let composed = status.composed()
        expectSound(composed, status)
        #expect(ReadStatus(composed.bytes).field("To") == "undisclosed-recipients:;")
        status.postmaster = status.sender
        #expect(ReadStatus(status.composed().bytes).field("From") == "Mail Delivery System <postmaster@mx2.example.net>")
    }

    @Test("quoted addresses and the bare postmaster")
    func odd() {
        let quoted = StatusSample.status(.failed, [StatusSample.expired], sender: "\"a  b, c\"@example.org").composed()
        #expect(ReadStatus(quoted.bytes).field("To") == "\"a  b, c\"@example.org")
        let bare = StatusSample.status(.failed, [StatusSample.expired], sender: "postmaster").composed()
        #expect(ReadStatus(bare.bytes).field("To") == "postmaster@mx2.example.net")
    }

    @Test("the boundary stands in no part, even if its seed is known")
    func boundary() throws {
        let status = StatusSample.status(.failed, [StatusSample.expired], parameters: MailParameters(ret: "FULL"))
        let usual = try #require(ReadStatus(status.composed().bytes).top.parameters["boundary"])
        #expect(usual == "=_outpost-0123456789abcdef-000000")
        var lines = (0..<20).map { "--" + usual.dropLast(2) + ($0 < 10 ? "0" : "") + "\($0)" }
        lines.append("--\(usual)--")
        let message = "From: a@b\r\n\r\n\(lines.joined(separator: "\r\n"))\r\nend\r\n"
        let hostile = StatusSample.status(
            .failed,
            [StatusSample.expired],
            parameters: MailParameters(ret: "FULL"),
            message: message
        )
        let composed = hostile.composed()
        expectSound(composed, hostile)
        #expect(ReadStatus(composed.bytes).top.parameters["boundary"] == "=_outpost-0123456789abcdef-000020")
    }

    @Test("hostile words anywhere change no part and no field")
    func property() {
        var random = SystemRandomNumberGenerator()
        let pieces = [
            "\r\n", "\r\n\r\n", "\n", "\r", "\0", "\t", " ", "\u{7f}", "\u{85}", "\u{2028}", "\u{202e}", "ä", "漢", ":", ";", "\"",
            "\\", "<", ">",
            "--", "--=_outpost-0123456789abcdef-000000", "--=_outpost-0123456789abcdef-000000--", "Bcc: evil@example.com",
            "Content-Type: text/html", "Action: delivered", "=?utf-8?q?=0d=0aBcc:_x?=", "+0D+0A", "+2B", "(", ")", ",", "@", "x",
            "=",
            String(repeating: "y", count: 1_200), String(repeating: "z ", count: 700), "5.1.1", ".", "From ",
        ]
        func words() -> String {
            (0..<Int.random(in: 0..<12, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
        }
        for _ in 0..<1_500 {
            let event = DeliveryEvent.allCases.randomElement(using: &random) ?? .failed
            let recipients = (0..<Int.random(in: 1...4, using: &random)).map { _ -> RecipientStatus in
                let path = MailAddress(localPart: "x", domain: "y", text: Bool.random(using: &random) ? "x@y" : words())
                var recipient = RecipientStatus(
                    Recipient(path, orcpt: Bool.random(using: &random) ? nil : "rfc822;" + words()),
                    event: event
                )
                recipient.remoteHost = Bool.random(using: &random) ? nil : words()
                switch Int.random(in: 0..<3, using: &random) {
                case 0: recipient.diagnosis = SMTPReply.received(code: 550, lines: [words(), words()]).map { .reply($0) }
                case 1: recipient.diagnosis = .reason(words())
                default: break
                }
                return recipient
            }
            var parameters = MailParameters(smtpUTF8: Bool.random(using: &random), ret: "FULL", envid: words())
            if Bool.random(using: &random) { parameters.ret = words() }
            let message = (Bool.random(using: &random) ? "From: a@b\r\nSubject: c\r\n" : "") + words()
            var status = StatusSample.status(event, recipients, parameters: parameters, message: message)
            status.allows8Bit = Bool.random(using: &random)
            if Bool.random(using: &random) { status.reportingHost = words() }
            if Bool.random(using: &random) { status.sender = MailAddress(localPart: "x", domain: "y", text: words()) }
            expectSound(status.composed(), status)
        }
    }

    @Test("what is said to people fits the event")
    func words() {
        func text(_ status: DeliveryStatus) -> String {
            ReadStatus(status.composed().bytes).text(0).replacingOccurrences(of: "\r\n", with: " ")
        }
        let failed = text(StatusSample.status(.failed, [StatusSample.unknownUser]))
        #expect(failed.contains("It will not be tried again") && failed.contains("Check the address"))
        #expect(failed.contains("User unknown in this place") && failed.contains("<bob@example.net>"))
        let delayed = text(StatusSample.status(.delayed, [StatusSample.waiting]))
        #expect(delayed.contains("until Sat, 28 Nov 2026 10:00:00 +0000") && delayed.contains("you will be told"))
        var quiet = StatusSample.waiting
        quiet.recipient.notify = "DELAY"
        #expect(!text(StatusSample.status(.delayed, [quiet])).contains("you will be told"))
        #expect(text(StatusSample.status(.relayed, [StatusSample.passedOn])).contains("was passed on"))
    }
}

/// What must be true of each notice, whatever is in it.
private func expectSound(
    _ composed: ComposedStatus,
    _ status: DeliveryStatus,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let bytes = composed.bytes
    func expect(_ condition: Bool, _ what: String) {
        if !condition {
            Issue.record("\(what): \(String(decoding: bytes.prefix(6_000), as: UTF8.self))", sourceLocation: sourceLocation)
        }
    }
    // Lines (RFC 5322 §2.1.1, §2.3).
    let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
    expect(lines.last?.isEmpty ?? false, "the last line has no end")
    expect(lines.dropLast().allSatisfy { $0.last == 0x0d && !$0.dropLast().contains(0x0d) && $0.count <= 999 }, "lines")
    expect(!bytes.contains(0), "a NUL")
    // What is declared.
    let has8Bit = bytes.contains { $0 >= 0x80 }
    expect(composed.parameters.size == bytes.count, "SIZE")
    expect(has8Bit == (composed.parameters.body == .eightBitMIME), "BODY")
    let read = ReadStatus(bytes)
    let headerEnd = bytes.count - read.top.body.count
    expect(composed.parameters.smtpUTF8 == bytes[..<headerEnd].contains { $0 >= 0x80 }, "SMTPUTF8")
    // Structure.
    let names = read.message.headerFields.map { read.message.name(of: $0) }
    let expected = [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    ]
    expect(names == expected, "fields \(names)")
    expect(read.top.mediaType == "multipart/report" && read.top.parameters["report-type"] == "delivery-status", "type")
    expect(read.parts.count == 3, "\(read.parts.count) parts")
    guard read.parts.count == 3, let boundary = read.top.parameters["boundary"] else { return }
    let text = String(decoding: bytes, as: UTF8.self)
    expect(text.components(separatedBy: boundary).count == 6, "the boundary stands somewhere else")
    expect(read.parts[0].mediaType == "text/plain", "text")
    expect(["message/delivery-status", "message/global-delivery-status"].contains(read.parts[1].mediaType), "status")
    let last =
        composed.returned == .whole
        ? ["message/rfc822", "message/global"] : ["text/rfc822-headers", "message/global-headers"]
    expect(last.contains(read.parts[2].mediaType), "returned")
    for part in read.parts {
        let partNames = part.headerFields.map { read.message.name(of: $0) }
        expect(partNames == ["Content-Type", "Content-Description", "Content-Transfer-Encoding"], "fields \(partNames)")
    }
    if composed.returned != .whole {
        let anomalies = read.message.anomalies.filter { $0.kind != .eightBitHeader }
        expect(anomalies.isEmpty, "\(anomalies)")
    }
    // The fields for programs: no more than are meant, each once.
    let groups = read.groups
    expect(groups.count == 1 + status.recipients.count, "\(groups.count) groups")
    let known: Set = [
        "original-envelope-id", "reporting-mta", "arrival-date", "original-recipient", "final-recipient", "action", "status",
        "remote-mta", "diagnostic-code", "last-attempt-date", "final-log-id", "will-retry-until",
    ]
    for (index, group) in groups.enumerated() {
        expect(Set(group.map(\.name)).count == group.count, "a field twice")
        expect(group.allSatisfy { known.contains($0.name) }, "a field that is not meant: \(group)")
        if index > 0 { expect(group.first { $0.name == "action" }?.value == status.event.rawValue, "action") }
    }
    let machine = read.text(1)
    expect(
        machine.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) || $0 == "\r" || $0 == "\n" },
        "control"
    )
}
