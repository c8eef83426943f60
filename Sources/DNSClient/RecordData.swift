import MailTypes

/// Reads the data of records as it stands on the wire (RFC 1035 §3.3, RFC 3596 §2.2), names not compressed.
enum RecordData {
    /// nil if it is not what the type has.
    static func record(_ data: [UInt8], _ type: DNSRecordType) -> DNSRecord? {
        switch type {
        case .a:
            return data.count == 4 ? IPAddress(octets: data).map { .address($0) } : nil
        case .aaaa:
            return data.count == 16 ? IPAddress(octets: data).map { .address($0) } : nil
        case .mx:
            guard data.count > 2, let exchange = self.name(data[2...]) else { return nil }
            return .mailExchange(preference: UInt16(data[0]) << 8 | UInt16(data[1]), exchange: exchange)
        case .txt:
            return self.strings(data).map { .text($0) }
        case .ns, .cname, .ptr:
            return self.name(data[...]).map { .name($0) }
        }
    }

    private static func name(_ data: ArraySlice<UInt8>) -> DNSName? {
        var labels: [[UInt8]] = []
        var index = data.startIndex
        while index < data.endIndex {
            let length = Int(data[index])
            index += 1
            if length == 0 { return labels.isEmpty ? .root : DNSName(labels: labels) }
            guard length <= DNSName.maximumLabel, index + length <= data.endIndex else { return nil }
            labels.append(Array(data[index..<(index + length)]))
            index += length
        }
        return nil
    }

    private static func strings(_ data: [UInt8]) -> [[UInt8]]? {
        var strings: [[UInt8]] = []
        var index = 0
        while index < data.count {
            let length = Int(data[index])
            index += 1
            guard index + length <= data.count else { return nil }
            strings.append(Array(data[index..<(index + length)]))
            index += length
        }
        return strings
    }
}
