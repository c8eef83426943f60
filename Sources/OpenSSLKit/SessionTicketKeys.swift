import COpenSSL
import Glibc
import Synchronization

/// The keys that session tickets are sealed with (RFC 5077, RFC 8446 §4.6.1), changed often: whoever learns such a key can
/// read the TLS 1.2 sessions whose tickets it sealed.
struct SessionTicketKeys: Sendable {
    /// Six hours: longer than a ticket lives (two hours, OpenSSL's default session time), so one old key is enough.
    static let rotation = 6 * 60 * 60

    struct Key: Hashable, Sendable {
        /// Named in clear text in each ticket.
        var name: [UInt8]
        var encryption: [UInt8]
        var authentication: [UInt8]

        static let nameSize = 16
        static let secretSize = 32

        static func random() -> Key? {
            guard let bytes = randomBytes(self.nameSize + 2 * self.secretSize) else { return nil }
            return Key(
                name: Array(bytes[..<self.nameSize]),
                encryption: Array(bytes[self.nameSize..<(self.nameSize + self.secretSize)]),
                authentication: Array(bytes[(self.nameSize + self.secretSize)...])
            )
        }
    }

    private(set) var current: Key
    private var previous: Key?
    /// When `current` was made; seconds of a clock that only goes forward.
    private var since: Int

    init(current: Key, now: Int) {
        self.current = current
        self.since = now
    }

    /// The key for a new ticket. A new key is made when the time has come; `makeKey` failing keeps the old one.
    mutating func sealingKey(now: Int, makeKey: () -> Key? = Key.random) -> Key {
        let age = now - self.since
        if age >= Self.rotation, let fresh = makeKey() {
            self.previous = age < 2 * Self.rotation ? self.current : nil
            self.current = fresh
            self.since = now
        }
        return self.current
    }

    /// The key that a ticket names, and whether the ticket should be replaced; nil when it is gone.
    func openingKey(named name: [UInt8], now: Int) -> (key: Key, isOld: Bool)? {
        let age = now - self.since
        if name == self.current.name, age < 2 * Self.rotation { return (self.current, age >= Self.rotation) }
        if let previous, name == previous.name, age < Self.rotation { return (previous, true) }
        return nil
    }
}

/// The keys of one server context, shared by its connections on all event loops.
final class SessionTicketKeyring: Sendable {
    private let keys: Mutex<SessionTicketKeys>

    init() throws(TLSError) {
        ERR_clear_error()
        guard let key = SessionTicketKeys.Key.random() else { throw TLSError(queueFor: nil, otherwise: "no random numbers") }
        self.keys = Mutex(SessionTicketKeys(current: key, now: secondsSinceBoot()))
    }

    func sealingKey() -> SessionTicketKeys.Key {
        self.keys.withLock { $0.sealingKey(now: secondsSinceBoot()) }
    }

    func openingKey(named name: [UInt8]) -> (key: SessionTicketKeys.Key, isOld: Bool)? {
        self.keys.withLock { $0.openingKey(named: name, now: secondsSinceBoot()) }
    }
}

private func secondsSinceBoot() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec
}

private func randomBytes(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return RAND_bytes(&bytes, Int32(count)) == 1 ? bytes : nil
}

/// OpenSSL's ticket callback: `SSL_CTX_set_tlsext_ticket_key_evp_cb`(3) says what it returns.
let ticketCallback:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?, Int32
    ) -> Int32 = { ssl, name, vector, cipher, mac, isSealing in
        guard let ssl, let name, let vector, let data = outpost_ssl_get_app_data(ssl) else { return 0 }
        // The engine that owns this SSL holds its context, and that holds the keyring.
        let keyring = Unmanaged<SessionTicketKeyring>.fromOpaque(data).takeUnretainedValue()
        if isSealing != 0 {
            let key = keyring.sealingKey()
            guard RAND_bytes(vector, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 else { return -1 }
            name.update(from: key.name, count: key.name.count)
            guard EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.encryption, vector) == 1 else { return -1 }
            return outpost_ticket_mac_init(mac, key.authentication, key.authentication.count) == 1 ? 1 : -1
        }
        let wanted = Array(UnsafeBufferPointer(start: name, count: SessionTicketKeys.Key.nameSize))
        // 0: a full handshake; 1: go on; 2: go on, and send a new ticket.
        guard let (key, isOld) = keyring.openingKey(named: wanted) else { return 0 }
        guard outpost_ticket_mac_init(mac, key.authentication, key.authentication.count) == 1,
            EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.encryption, vector) == 1
        else { return -1 }
        return isOld ? 2 : 1
    }
