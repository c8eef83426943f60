import DeliveryCore
import MailMessage
import MailTypes

/// Notices about what others have said: their replies, their parameters, their messages.
enum NoticeFuzz {
    /// Lines: sender, recipient, ORCPT, ENVID, a server's reply; behind an empty line the message.
    static func run(_ input: [UInt8]) {
        var lines: [String] = []
        var rest = input[...]
        while lines.count < 5, let end = rest.firstIndex(of: 0x0a) {
            lines.append(String(decoding: rest[..<end], as: UTF8.self))
            rest = rest[(end + 1)...]
        }
        func line(_ number: Int) -> String { number < lines.count ? lines[number] : "" }
        let flags = input.first ?? 0
        let sender = MailAddress(line(0), allowUTF8: true) ?? MailAddress("a@sender.example")!
        let recipient = MailAddress(line(1), allowUTF8: true) ?? MailAddress("b@example.com")!
        var who = Recipient(recipient)
        who.orcpt = line(2).isEmpty ? nil : line(2)
        let reply = SMTPReply.received(code: 550, lines: line(4).split(separator: "\r").map(String.init))
        let diagnosis = reply.map { RecipientStatus.Diagnosis.reply($0) } ?? .reason(line(4))
        let status = DeliveryStatus(
            event: flags & 1 == 0 ? .failed : .delayed,
            reportingHost: "mx.example.com",
            sender: sender,
            parameters: MailParameters(ret: flags & 2 == 0 ? "FULL" : "HDRS", envid: line(3).isEmpty ? nil : line(3)),
            transaction: TransactionID(milliseconds: 1, sequence: 1),
            recipients: [RecipientStatus(who, event: .failed, remoteHost: line(1), diagnosis: diagnosis)],
            original: ReturnedMessage(Array(rest), isWhole: flags & 4 == 0),
            arrival: 1_700_000_000,
            time: 1_700_000_100,
            seed: 7,
            allows8Bit: flags & 8 == 0
        )
        self.check(status.composed())
    }

    private static func check(_ notice: ComposedStatus) {
        let message = ParsedMessage(notice.bytes)
        for field in message.headerFields { checkField(Array(notice.bytes[field.value]) + [0x0d, 0x0a]) }
        let top = message.parts.filter { $0.parent == 0 }
        precondition(top.count == 3, "\(top.count) parts")
        // What is ours: the returned message is as it came.
        for (index, octet) in notice.bytes[..<top[2].body.lowerBound].enumerated() where octet == 0x0a {
            precondition(index > 0 && notice.bytes[index - 1] == 0x0d, "a bare LF")
        }
    }
}
