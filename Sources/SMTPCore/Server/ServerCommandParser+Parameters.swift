import MailTypes

extension ServerCommandParser {
    /// RFC 1870 §4: the size has up to 20 digits; more than fits is as good as the largest number.
    private static let sizeDigits = 20
    /// RFC 3461 §4.4, octets of xtext.
    private static let envidLength = 100
    /// RFC 3461 §4.2, octets.
    private static let orcptLength = 500

    private struct Parameter {
        var keyword: String
        var value: ArraySlice<UInt8>?
    }

    /// `Mail-parameters = esmtp-param *(SP esmtp-param)` (RFC 5321 §4.1.2).
    private static func parameters(_ bytes: ArraySlice<UInt8>) throws(CommandSyntaxError) -> [Parameter] {
        var parameters: [Parameter] = []
        for word in bytes.split(separator: UInt8(ascii: " ")) {
            let equals = word.firstIndex(of: UInt8(ascii: "="))
            let name = word[..<(equals ?? word.endIndex)]
            guard self.isKeyword(name) else { throw .badParameter }
            let keyword = String(decoding: name.map(self.upperCase), as: UTF8.self)
            guard !parameters.contains(where: { $0.keyword == keyword }) else { throw .badParameter }
            let value = equals.map { word[($0 + 1)...] }
            if let value, value.isEmpty { throw .badParameter }
            parameters.append(Parameter(keyword: keyword, value: value))
        }
        return parameters
    }

    /// `esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")`
    private static func isKeyword(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let first = bytes.first, first != UInt8(ascii: "-") else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }

    static func mailParameters(
        _ bytes: ArraySlice<UInt8>,
        offered: OfferedParameters
    ) throws(CommandSyntaxError) -> MailParameters {
        var result = MailParameters()
        for parameter in try self.parameters(bytes) {
            switch parameter.keyword {
            case "SIZE" where offered.size:
                guard let value = parameter.value, value.count <= self.sizeDigits,
                    value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
                else { throw .badParameter }
                result.size = self.number(value) ?? .max
            case "BODY" where offered.body:
                guard let value = parameter.value,
                    let body = BodyType(rawValue: String(decoding: value.map(self.upperCase), as: UTF8.self))
                else { throw .badParameter }
                result.body = body
            case "SMTPUTF8" where offered.smtpUTF8:
                guard parameter.value == nil else { throw .badParameter }
                result.smtpUTF8 = true
            case "RET" where offered.dsn:
                guard let value = parameter.value.map({ String(decoding: $0.map(self.upperCase), as: UTF8.self) }),
                    value == "FULL" || value == "HDRS"
                else { throw .badParameter }
                result.ret = value
            case "ENVID" where offered.dsn:
                guard let value = parameter.value, value.count <= self.envidLength, self.isPrintable(value)
                else { throw .badParameter }
                result.envid = String(decoding: value, as: UTF8.self)
            default:
                throw .unknownParameter
            }
        }
        return result
    }

    static func readRecipientParameters(
        _ bytes: ArraySlice<UInt8>,
        offered: OfferedParameters,
        allowUTF8: Bool,
        into recipient: inout Recipient
    ) throws(CommandSyntaxError) {
        for parameter in try self.parameters(bytes) {
            switch parameter.keyword {
            case "NOTIFY" where offered.dsn:
                guard let value = parameter.value, self.isNotifyList(value) else { throw .badParameter }
                recipient.notify = String(decoding: value, as: UTF8.self)
            case "ORCPT" where offered.dsn:
                guard let value = parameter.value, self.isOriginalRecipient(value, allowUTF8: allowUTF8) else {
                    throw .badParameter
                }
                recipient.orcpt = String(decoding: value, as: UTF8.self)
            default:
                throw .unknownParameter
            }
        }
    }

    /// `"NEVER" / 1#("SUCCESS" / "FAILURE" / "DELAY")` (RFC 3461 §4.1).
    private static func isNotifyList(_ value: ArraySlice<UInt8>) -> Bool {
        let words = String(decoding: value.map(self.upperCase), as: UTF8.self)
            .split(separator: ",", omittingEmptySubsequences: false)
        return words == ["NEVER"] || words.allSatisfy { ["SUCCESS", "FAILURE", "DELAY"].contains($0) }
    }

    /// `addr-type ";" xtext` (RFC 3461 §4.2); with SMTPUTF8 the address may be in UTF-8 (RFC 6533 §3).
    private static func isOriginalRecipient(_ value: ArraySlice<UInt8>, allowUTF8: Bool) -> Bool {
        guard value.count <= self.orcptLength, let separator = value.firstIndex(of: UInt8(ascii: ";")) else { return false }
        let address = value[(separator + 1)...]
        guard self.isKeyword(value[..<separator]), !address.isEmpty else { return false }
        return self.isPrintable(address) || allowUTF8 && self.isPrintableUTF8(address)
    }

    private static func isPrintableUTF8(_ value: ArraySlice<UInt8>) -> Bool {
        guard value.allSatisfy({ $0 > 0x20 && $0 != 0x7f }), let text = String(validating: value, as: UTF8.self) else {
            return false
        }
        return !text.unicodeScalars.contains(where: \.isControlBeyondASCII)
    }

    /// xtext that stands for printable characters: RFC 3461 §4.2 and §4.4 allow no others. A line end that comes in as `+0D+0A`
    /// would be one in the fields of a delivery status notification.
    private static func isPrintable(_ value: ArraySlice<UInt8>) -> Bool {
        XText.decode(value)?.allSatisfy { $0 >= 0x20 && $0 != 0x7f } ?? false
    }
}
