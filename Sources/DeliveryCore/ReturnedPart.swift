import MailTypes

/// The part with what of the message is sent back (RFC 3461 §4.3, RFC 6522 §3).
struct ReturnedPart {
    var part: BodyPart
    var returned: ComposedStatus.Returned

    init(_ status: DeliveryStatus) {
        let bytes = status.original.bytes
        let header = Self.header(bytes)
        let isInternational = status.parameters.smtpUTF8 && bytes[header].contains { $0 >= 0x80 }
        if Self.isReturnedWhole(status) {
            self.part = BodyPart(
                // RFC 6533 §4.
                isInternational ? "message/global" : "message/rfc822",
                "Undelivered message",
                bytes,
                allows8Bit: true
            )
            self.returned = .whole
            return
        }
        let kept = Self.cut(bytes, header)
        self.part = BodyPart(
            isInternational ? "message/global-headers" : "text/rfc822-headers",
            "Header of the message",
            Array(bytes[kept]),
            allows8Bit: status.allows8Bit
        )
        self.returned = kept == header ? .header : .headerCut
    }

    /// Only about a failure (RFC 3461 §4.3), and only if asked for: who sent the message has it. A message within a message
    /// must not be encoded (RFC 2046 §5.2.1), so one that cannot be sent as it is is not sent.
    private static func isReturnedWhole(_ status: DeliveryStatus) -> Bool {
        guard status.event == .failed, status.parameters.ret?.uppercased() == "FULL" else { return false }
        guard status.original.isWhole, status.original.bytes.count <= ReturnedMessage.wholeLimit else { return false }
        switch LineForm(status.original.bytes) {
        case .sevenBit: return true
        case .eightBit: return status.allows8Bit
        case .binary: return false
        }
    }

    /// The header section without the empty line behind it; lines may end with LF.
    private static func header(_ bytes: [UInt8]) -> Range<Int> {
        var start = 0
        for index in bytes.indices where bytes[index] == 0x0a {
            let isEmpty = index == start || index == start + 1 && bytes[start] == 0x0d
            if isEmpty { return 0..<start }
            start = index + 1
        }
        return 0..<bytes.count
    }

    /// As many whole lines as fit.
    private static func cut(_ bytes: [UInt8], _ header: Range<Int>) -> Range<Int> {
        guard header.count > ReturnedMessage.headerLimit else { return header }
        let end = bytes[..<ReturnedMessage.headerLimit].lastIndex(of: 0x0a).map { $0 + 1 }
        return 0..<(end ?? ReturnedMessage.headerLimit)
    }
}
