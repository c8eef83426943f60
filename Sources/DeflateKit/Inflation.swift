import CZlib

/// Undoes DEFLATE (RFC 1951) with the system's zlib, within a bound on the output: what a compressed file says about its size
/// is never believed.
package enum Inflation {
    /// What stands around the compressed data.
    package enum Wrapping: Hashable, Sendable {
        /// Nothing, as in zip files.
        case none
        /// RFC 1950.
        case zlib
        /// RFC 1952; the first member.
        case gzip

        fileprivate var windowBits: Int32 {
            switch self {
            case .none: -MAX_WBITS
            case .zlib: MAX_WBITS
            case .gzip: MAX_WBITS + 16
            }
        }
    }

    /// How it ended.
    package enum Outcome: Hashable, Sendable {
        /// At the end of the compressed data.
        case complete
        /// At the bound; there is more.
        case limitReached
        /// At the end of the input; the compressed data goes on.
        case truncated
        /// At something that is no DEFLATE, or with a wrong checksum.
        case broken
    }

    package struct Result: Hashable, Sendable {
        /// What could be read, at most the limit.
        package var bytes: [UInt8]
        /// Octets of the input that were used.
        package var consumed: Int
        package var outcome: Outcome
    }

    /// Octets that are made at once.
    private static let chunkSize = 65_536

    /// - Parameters:
    ///   - range: of the compressed data in `input`; what stands behind its end is left alone.
    ///   - limit: octets of output at most.
    package static func inflate(_ input: [UInt8], _ range: Range<Int>, _ wrapping: Wrapping, limit: Int) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= input.count, "outside of the input")
        var stream = z_stream()
        let version = zlibVersion()
        guard inflateInit2_(&stream, wrapping.windowBits, version, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return Result(bytes: [], consumed: 0, outcome: .broken)
        }
        defer { inflateEnd(&stream) }
        var output: [UInt8] = []
        var outcome = Outcome.truncated
        var consumed = 0
        input.withUnsafeBufferPointer { buffer in
            // zlib takes its input as mutable for historic reasons and never writes to it; avail_in counts in 32 bits.
            let available = min(range.count, Int(UInt32.max))
            stream.next_in = buffer.baseAddress.map { UnsafeMutablePointer(mutating: $0 + range.lowerBound) }
            stream.avail_in = UInt32(available)
            var isDone = false
            while !isDone {
                let room = min(Self.chunkSize, limit - output.count)
                guard room > 0 else {
                    outcome = .limitReached
                    break
                }
                let chunk = [UInt8](unsafeUninitializedCapacity: room) { target, count in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(room)
                    let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    count = room - Int(stream.avail_out)
                    switch status {
                    case Z_OK: isDone = stream.avail_in == 0 && count < room
                    case Z_STREAM_END: (outcome, isDone) = (.complete, true)
                    // No progress is possible: the input is used up.
                    case Z_BUF_ERROR: isDone = true
                    default: (outcome, isDone) = (.broken, true)
                    }
                }
                output.append(contentsOf: chunk)
            }
            consumed = available - Int(stream.avail_in)
        }
        return Result(bytes: output, consumed: consumed, outcome: outcome)
    }

    /// How many octets would come out, without keeping them.
    ///
    /// - Returns: at most `limit`; the outcome is then `limitReached`.
    package static func measure(_ input: [UInt8], _ range: Range<Int>, _ wrapping: Wrapping, limit: Int) -> (
        count: Int, outcome: Outcome
    ) {
        precondition(range.lowerBound >= 0 && range.upperBound <= input.count, "outside of the input")
        var stream = z_stream()
        guard inflateInit2_(&stream, wrapping.windowBits, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return (0, .broken)
        }
        defer { inflateEnd(&stream) }
        var total = 0
        var outcome = Outcome.truncated
        var room = [UInt8](repeating: 0, count: self.chunkSize)
        input.withUnsafeBufferPointer { buffer in
            stream.next_in = buffer.baseAddress.map { UnsafeMutablePointer(mutating: $0 + range.lowerBound) }
            stream.avail_in = UInt32(min(range.count, Int(UInt32.max)))
            var isDone = false
            while !isDone {
                guard total < limit else {
                    outcome = .limitReached
                    break
                }
                room.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    let count = target.count - Int(stream.avail_out)
                    total += count
                    switch status {
                    case Z_OK: isDone = stream.avail_in == 0 && count < target.count
                    case Z_STREAM_END: (outcome, isDone) = (.complete, true)
                    case Z_BUF_ERROR: isDone = true
                    default: (outcome, isDone) = (.broken, true)
                    }
                }
            }
        }
        return (min(total, limit), outcome)
    }
}
