import CZlib

/// Compresses with the system's zlib.
package enum Deflation {
    /// What zlib calls its default: beyond it reports become hardly smaller.
    private static let level: Int32 = 6
    /// zlib's default memory.
    private static let memoryLevel: Int32 = 8
    /// Of the gzip format (RFC 1952) with the largest window.
    private static let gzipWindow = MAX_WBITS + 16

    /// A gzip file (RFC 1952) without name and time: the same input gives the same octets.
    /// - Returns: nil when zlib has no memory.
    package static func gzip(_ input: [UInt8]) -> [UInt8]? {
        // avail_in and avail_out count in 32 bits; a report is far from that.
        guard input.count < Int(UInt32.max) / 2 else { return nil }
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard
            deflateInit2_(
                &stream,
                self.level,
                Z_DEFLATED,
                self.gzipWindow,
                self.memoryLevel,
                Z_DEFAULT_STRATEGY,
                zlibVersion(),
                size
            ) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(input.count)))
        return input.withUnsafeBufferPointer { buffer -> [UInt8]? in
            // zlib takes its input as mutable for historic reasons and never writes to it.
            stream.next_in = buffer.baseAddress.map { UnsafeMutablePointer(mutating: $0) }
            stream.avail_in = UInt32(buffer.count)
            var isWhole = false
            let output = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(bound)
                isWhole = deflate(&stream, Z_FINISH) == Z_STREAM_END
                count = bound - Int(stream.avail_out)
            }
            return isWhole ? output : nil
        }
    }
}
