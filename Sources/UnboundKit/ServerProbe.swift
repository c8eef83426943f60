import Glibc

/// Tells a server that is not there from one that is slow. libunbound takes a refusal for a lost packet and tries again for
/// seconds; a host that refuses says so at once.
package enum ServerProbe {
    /// Whether a host answers that nothing listens at this port. Waits for a sign of life of at most `milliseconds`; a server
    /// that says nothing is not one that refuses.
    /// - Parameter address: of IPv4 or IPv6, as text.
    package static func refuses(address: String, port: UInt16, milliseconds: Int32) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address, String(port), &hints, &found) == 0, let info = found else { return false }
        defer { freeaddrinfo(found) }
        let descriptor = socket(info.pointee.ai_family, hints.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else { return errno == ECONNREFUSED }
        guard send(descriptor, question, question.count, 0) == question.count else { return errno == ECONNREFUSED }
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard Glibc.poll(&poll, 1, milliseconds) > 0 else { return false }
        var octet: UInt8 = 0
        return recv(descriptor, &octet, 1, Int32(MSG_DONTWAIT)) < 0 && errno == ECONNREFUSED
    }

    /// The name servers of the root (RFC 1035 §4.1), recursion desired.
    private static let question: [UInt8] = [0x4f, 0x50, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}
