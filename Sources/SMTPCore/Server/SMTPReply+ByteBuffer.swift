import MailTypes
import NIOCore

extension ByteBuffer {
    /// Writes a reply as it goes over the wire (RFC 5321 §4.2.1, RFC 2034 §4), without making a string for it.
    package mutating func writeReply(_ reply: SMTPReply) {
        for (index, line) in reply.lines.enumerated() {
            self.writeDecimal(reply.code)
            self.writeInteger(index == reply.lines.count - 1 ? UInt8(ascii: " ") : UInt8(ascii: "-"))
            if let enhanced = reply.enhanced {
                self.writeDecimal(enhanced.statusClass)
                self.writeInteger(UInt8(ascii: "."))
                self.writeDecimal(enhanced.subject)
                self.writeInteger(UInt8(ascii: "."))
                self.writeDecimal(enhanced.detail)
                self.writeInteger(UInt8(ascii: " "))
            }
            self.writeString(line)
            self.writeInteger(0x0d0a as UInt16)
        }
    }

    private mutating func writeDecimal(_ value: Int) {
        if value >= 10 { self.writeDecimal(value / 10) }
        self.writeInteger(UInt8(ascii: "0") + UInt8(value % 10))
    }
}
