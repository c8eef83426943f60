import MailTypes

/// The commands that the gateway sends to a downstream server, as bytes with their CRLF.
package enum DownstreamCommand {
    package static let startTLS = Array("STARTTLS\r\n".utf8)
    package static let data = Array("DATA\r\n".utf8)
    package static let reset = Array("RSET\r\n".utf8)
    package static let quit = Array("QUIT\r\n".utf8)

    package static func hello(_ name: String, extended: Bool) -> [UInt8] {
        Array("\(extended ? "EHLO" : "HELO") \(name)\r\n".utf8)
    }

    /// MAIL with those of the client's parameters that the downstream knows. SMTPUTF8 and a need for 8BITMIME are checked
    /// elsewhere: leaving them out would not be the same message.
    package static func mail(_ command: MailCommand, for capabilities: DownstreamCapabilities) -> [UInt8] {
        var line = "MAIL FROM:<\(command.reversePath)>"
        let parameters = command.parameters
        if let size = parameters.size, capabilities.takesSize { line += " SIZE=\(size)" }
        if parameters.body == .eightBitMIME, capabilities.eightBitMIME { line += " BODY=8BITMIME" }
        if parameters.smtpUTF8, capabilities.smtpUTF8 { line += " SMTPUTF8" }
        if capabilities.dsn {
            if let ret = parameters.ret { line += " RET=\(ret)" }
            if let envid = parameters.envid { line += " ENVID=\(envid)" }
        }
        return Array((line + "\r\n").utf8)
    }

    package static func recipient(_ recipient: Recipient, for capabilities: DownstreamCapabilities) -> [UInt8] {
        var line = "RCPT TO:<\(recipient.forwardPath.text)>"
        if capabilities.dsn {
            if let notify = recipient.notify { line += " NOTIFY=\(notify)" }
            if let orcpt = recipient.orcpt { line += " ORCPT=\(orcpt)" }
        }
        return Array((line + "\r\n").utf8)
    }

    /// XCLIENT with every attribute that the downstream offers and we know about. An attribute without a value is sent as
    /// unavailable, since what an earlier client left behind on this connection would stay in force.
    package static func xclient(_ client: ClientIdentity, offered: Set<String>) -> [UInt8] {
        let unavailable = "[UNAVAILABLE]"
        let attributes: [(String, String)] = [
            ("NAME", client.reverseName.map(Self.xtext) ?? unavailable),
            ("ADDR", Self.xclientAddress(client.address)),
            ("PORT", client.port == 0 ? unavailable : "\(client.port)"),
            ("PROTO", client.isExtended ? "ESMTP" : "SMTP"),
            ("HELO", client.helo.map(Self.xtext) ?? unavailable),
            ("LOGIN", client.login.map(Self.xtext) ?? unavailable),
            ("DESTADDR", Self.xclientAddress(client.localAddress)),
            ("DESTPORT", client.localPort == 0 ? unavailable : "\(client.localPort)"),
        ]
        let words = attributes.filter { offered.contains($0.0) }.map { " \($0.0)=\($0.1)" }
        return Array("XCLIENT\(words.joined())\r\n".utf8)
    }

    private static func xclientAddress(_ address: IPAddress) -> String {
        address.isIPv4 ? "\(address)" : "IPV6:\(address)"
    }

    /// RFC 3461 §4: printable characters other than "+" and "=" stand for themselves.
    private static func xtext(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "+"), byte != UInt8(ascii: "=") {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "+"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a command ends where its line ends. Addresses and parameters were parsed before they came here; this is the
    /// last gate in front of the wire.
    package static func isOneLine(_ command: [UInt8]) -> Bool {
        command.dropLast(2).allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    }
}
