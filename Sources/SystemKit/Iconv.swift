import Glibc

/// A conversion from one character set to UTF-8 by the system's `iconv`.
///
/// Owns the descriptor. Every call of `convert` starts in the initial shift state, so nothing of one text reaches the next.
/// For one thread at a time.
package final class Iconv {
    private let descriptor: iconv_t

    /// U+FFFD in UTF-8: stands for what cannot be converted.
    private static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]
    /// Octets of output for each octet of input that the buffer starts with; it grows when that is too little.
    private static let expectedGrowth = 2
    /// Smallest and largest buffer of one call: room for the longest single character with its state changes, and a bound on
    /// the work that a text full of invalid octets causes.
    private static let bufferSizes = 64...16_384

    /// - Parameter charset: a name that `iconv_open` knows; it must come from a list of ours, never from a message, because
    ///   the name can carry options.
    /// - Returns: nil when the system lacks the converter.
    package init?(from charset: String) {
        let descriptor = iconv_open("UTF-8", charset)
        guard let descriptor, Int(bitPattern: descriptor) != -1 else { return nil }
        self.descriptor = descriptor
    }

    deinit {
        iconv_close(self.descriptor)
    }

    /// Converts all of it; an octet that begins no character becomes U+FFFD.
    package func convert(_ bytes: [UInt8]) -> [UInt8] {
        self.convert(bytes) { result, consumed, failure in
            result.append(contentsOf: Self.replacement)
            // EINVAL: the text ends within a character.
            consumed = failure == EILSEQ ? consumed + 1 : bytes.count
            return true
        } ?? []
    }

    /// Converts all of it, or nothing: nil when an octet begins no character or the text ends within one.
    package func convertExactly(_ bytes: [UInt8]) -> [UInt8]? {
        self.convert(bytes) { _, _, _ in false }
    }

    /// - Parameter repair: called where the text cannot be converted, with what there is so far and where it stands; says whether
    ///   to go on.
    private func convert(_ bytes: [UInt8], repair: (inout [UInt8], inout Int, Int32) -> Bool) -> [UInt8]? {
        iconv(self.descriptor, nil, nil, nil, nil)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * Self.expectedGrowth)
        var consumed = 0
        while consumed < bytes.count {
            let wanted = (bytes.count - consumed) * Self.expectedGrowth
            let capacity = min(max(wanted, Self.bufferSizes.lowerBound), Self.bufferSizes.upperBound)
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, initialized in
                failure = self.step(bytes, from: &consumed, into: buffer, count: &initialized)
            }
            result.append(contentsOf: chunk)
            guard failure == 0 || failure == E2BIG || repair(&result, &consumed, failure) else { return nil }
        }
        return result
    }

    /// One call of `iconv`; returns 0 or its errno.
    private func step(
        _ bytes: [UInt8],
        from consumed: inout Int,
        into buffer: UnsafeMutableBufferPointer<UInt8>,
        count: inout Int
    ) -> Int32 {
        bytes.withUnsafeBytes { input in
            // iconv takes its input as mutable for historic reasons and never writes to it.
            var inPointer: UnsafeMutablePointer<CChar>? = UnsafeMutableRawPointer(mutating: input.baseAddress! + consumed)
                .assumingMemoryBound(to: CChar.self)
            var inLeft = input.count - consumed
            var outPointer: UnsafeMutablePointer<CChar>? = UnsafeMutableRawPointer(buffer.baseAddress!)
                .assumingMemoryBound(to: CChar.self)
            var outLeft = buffer.count
            let status = iconv(self.descriptor, &inPointer, &inLeft, &outPointer, &outLeft)
            let failure = status == -1 ? errno : 0
            consumed = input.count - inLeft
            count = buffer.count - outLeft
            return failure
        }
    }
}
