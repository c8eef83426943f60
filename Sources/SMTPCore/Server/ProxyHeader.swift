import MailTypes
import NIOCore

/// The header that a load balancer puts before the client's first octet (PROXY protocol, versions 1 and 2).
package enum ProxyHeader: Hashable, Sendable {
    package struct Endpoints: Hashable, Sendable {
        package var source: IPAddress
        package var sourcePort: UInt16
        package var destination: IPAddress
        package var destinationPort: UInt16
    }

    /// The balancer speaks for itself (health checks), or knows no addresses that we understand.
    case local
    case proxied(Endpoints)

    package enum Malformed: Error, Hashable, Sendable {
        case signature
        case tooLong
        case family
        case address
        case port
        case version
    }

    /// Octets of a version 1 line with its CRLF, as the protocol bounds it.
    package static let maximumLineLength = 107
    /// Octets behind the fixed part of a version 2 header: addresses and a few hundred octets of TLVs in practice.
    package static let maximumBlockLength = 4_096

    private static let signature2: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
    private static let signature1 = Array("PROXY ".utf8)

    /// Takes a whole header away from the front of the buffer.
    /// - Returns: nil while octets are missing.
    package static func read(from buffer: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        let start = buffer.getBytes(at: buffer.readerIndex, length: min(buffer.readableBytes, self.signature2.count)) ?? []
        guard let first = start.first else { return nil }
        let signature = first == self.signature1[0] ? self.signature1 : self.signature2
        guard start.prefix(signature.count).elementsEqual(signature.prefix(start.count)) else { throw .signature }
        guard start.count >= signature.count else { return nil }
        return signature.count == self.signature1.count ? try self.readLine(from: &buffer) : try self.readBlock(from: &buffer)
    }

    // MARK: - Version 1

    private static func readLine(from buffer: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        let window = buffer.getBytes(at: buffer.readerIndex, length: min(buffer.readableBytes, self.maximumLineLength)) ?? []
        guard let lineFeed = window.firstIndex(of: 0x0a) else {
            if window.count == self.maximumLineLength { throw .tooLong }
            return nil
        }
        guard lineFeed > 0, window[lineFeed - 1] == 0x0d else { throw .signature }
        buffer.moveReaderIndex(forwardBy: lineFeed + 1)
        let words = String(decoding: window[self.signature1.count..<(lineFeed - 1)], as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: false)
        guard let family = words.first else { throw .family }
        if family == "UNKNOWN" { return .local }
        guard family == "TCP4" || family == "TCP6" else { throw .family }
        guard words.count == 5 else { throw .address }
        return .proxied(
            Endpoints(
                source: try self.address(words[1], isIPv6: family == "TCP6"),
                sourcePort: try self.port(words[3]),
                destination: try self.address(words[2], isIPv6: family == "TCP6"),
                destinationPort: try self.port(words[4])
            )
        )
    }

    private static func address(_ text: Substring, isIPv6: Bool) throws(Malformed) -> IPAddress {
        guard text.contains(":") == isIPv6, let address = IPAddress(text) else { throw .address }
        return address
    }

    private static func port(_ text: Substring) throws(Malformed) -> UInt16 {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }), text == "0" || text.first != "0",
            let port = UInt16(text)
        else { throw .port }
        return port
    }

    // MARK: - Version 2

    private static func readBlock(from buffer: inout ByteBuffer) throws(Malformed) -> ProxyHeader? {
        var reader = buffer
        reader.moveReaderIndex(forwardBy: self.signature2.count)
        guard let versionAndCommand = reader.readInteger(as: UInt8.self) else { return nil }
        guard versionAndCommand >> 4 == 2, versionAndCommand & 15 <= 1 else { throw .version }
        guard let familyAndProtocol = reader.readInteger(as: UInt8.self) else { return nil }
        guard familyAndProtocol >> 4 <= 3, familyAndProtocol & 15 <= 2 else { throw .family }
        guard let length = reader.readInteger(as: UInt16.self) else { return nil }
        guard Int(length) <= self.maximumBlockLength else { throw .tooLong }
        guard var block = reader.readSlice(length: Int(length)) else { return nil }
        let isLocal = versionAndCommand & 15 == 0
        let header = try self.endpoints(&block, family: familyAndProtocol, isLocal: isLocal)
        buffer = reader
        return header
    }

    /// Only TCP and UDP over IPv4 and IPv6 carry addresses that say who the client is.
    private static func endpoints(_ block: inout ByteBuffer, family: UInt8, isLocal: Bool) throws(Malformed) -> ProxyHeader {
        let width: Int
        switch family {
        case 0x11, 0x12: width = 4
        case 0x21, 0x22: width = 16
        default: return .local
        }
        if isLocal { return .local }
        guard let source = block.readBytes(length: width).flatMap({ IPAddress(octets: $0) }),
            let destination = block.readBytes(length: width).flatMap({ IPAddress(octets: $0) }),
            let sourcePort = block.readInteger(as: UInt16.self), let destinationPort = block.readInteger(as: UInt16.self)
        else { throw .address }
        return .proxied(
            Endpoints(source: source, sourcePort: sourcePort, destination: destination, destinationPort: destinationPort)
        )
    }
}
