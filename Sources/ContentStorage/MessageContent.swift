import SystemKit

/// A message's octets: in memory, or in a file when they are many. What is in here never changes.
package enum MessageContent: Sendable {
    case memory([UInt8])
    case file(File, octets: Int)

    package var octets: Int {
        switch self {
        case .memory(let bytes): bytes.count
        case .file(_, let octets): octets
        }
    }

    /// The whole message. Blocks on the disk: not on an event loop.
    package func bytes() throws(SystemError) -> [UInt8] {
        switch self {
        case .memory(let bytes): bytes
        case .file(let file, let octets): try file.read(count: octets, at: 0)
        }
    }

    /// A piece of it, shorter at the end. Blocks on the disk where the content is in a file.
    package func read(count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
        switch self {
        case .memory(let bytes):
            offset >= bytes.count ? [] : Array(bytes[offset..<min(offset + count, bytes.count)])
        case .file(let file, let octets):
            offset >= octets ? [] : try file.read(count: min(count, octets - offset), at: offset)
        }
    }
}
