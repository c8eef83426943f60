/// The text form of octets in parameters of SMTP (RFC 3461 §4).
package enum XText {
    /// `xtext = *( xchar / hexchar )`, `hexchar = "+" 2(DIGIT / "A"..."F")` (RFC 3461 §4); nil when it is not that.
    /// Lower-case hex digits are let pass: some proxies send them in XCLIENT.
    package static func decode(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "+"):
                guard index + 2 < bytes.endIndex, let high = self.hexDigit(bytes[index + 1]),
                    let low = self.hexDigit(bytes[index + 2])
                else { return nil }
                result.append(high << 4 | low)
                index += 3
            case UInt8(ascii: "="), 0...0x20, 0x7f...:
                return nil
            default:
                result.append(byte)
                index += 1
            }
        }
        return result
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
