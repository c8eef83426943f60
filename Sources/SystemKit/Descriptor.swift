import Glibc

/// Plain descriptors that someone else owns, such as standard output.
package enum Descriptor {
    package static let standardOutput = STDOUT_FILENO
    package static let standardError = STDERR_FILENO

    /// Writes all of it, waiting where the other side is slow.
    package static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        var failure: SystemError?
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = write(descriptor, buffer.baseAddress! + done, buffer.count - done)
                if count < 0 {
                    if errno == EINTR { continue }
                    failure = SystemError("write")
                    return
                }
                done += count
            }
        }
        if let failure { throw failure }
    }
}
