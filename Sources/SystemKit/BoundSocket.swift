import COutpostSystem
import Glibc

/// TCP sockets that have their address and do not listen yet: what needs root for ports below 1024 is done, and nobody can
/// connect before everything else is ready.
package enum BoundSocket {
    /// - Parameters:
    ///   - octets: the address in network order, 4 or 16 octets; the IPv6 wildcard stands for IPv6 alone.
    ///   - port: 0 for one that the kernel chooses.
    /// - Returns: the descriptor, the caller's to close.
    package static func tcp(octets: [UInt8], port: UInt16) throws(SystemError) -> Int32 {
        let descriptor = outpost_bind_tcp(octets, octets.count, port)
        guard descriptor >= 0 else { throw SystemError("bind") }
        return descriptor
    }
}
