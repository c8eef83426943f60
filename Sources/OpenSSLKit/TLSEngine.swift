import COpenSSL

/// One end of a TLS connection, without a socket: what came from the network is given to `receive`, what must go there is
/// fetched with `takeOutput`, and it is the caller who moves the octets.
///
/// Every step answers in one of three ways: it is done, it needs more octets from the peer, or it failed for good. Output
/// must be taken after each step, also after one that failed (the alert that tells the peer why).
///
/// Not thread-safe: an engine belongs to one event loop.
package final class TLSEngine {
    /// Octets of plaintext in a full record (RFC 8446 §5.1).
    package static let maximumRecord = 16 * 1024

    package enum Handshake: Hashable, Sendable {
        /// More octets from the peer are needed.
        case incomplete
        case complete
        case failed(TLSError)
    }

    package enum Read: Hashable, Sendable {
        /// So many octets of plaintext.
        case complete(Int)
        /// More octets from the peer are needed.
        case incomplete
        /// The peer said `close_notify`: it sends nothing more (RFC 8446 §6.1).
        case closed
        case failed(TLSError)
    }

    package enum Write: Hashable, Sendable {
        case complete
        case failed(TLSError)
    }

    /// What was agreed on.
    package struct Agreement: Hashable, Sendable {
        /// `TLSv1.2`, `TLSv1.3`.
        package var version: String
        /// OpenSSL's name of the cipher suite.
        package var cipher: String
        /// The name asked for by the client (SNI).
        package var serverName: String?
        package var resumed: Bool
    }

    /// A memory BIO's storage only grows; beyond this it is given back as soon as it is empty. Commands and replies fit.
    private static let keptStorage = 4 * 1024

    private let ssl: OpaquePointer
    /// What the peer sent, and what it is to get. They belong to `ssl`.
    private var input: OpaquePointer
    private var output: OpaquePointer
    private var inputStorage = 0
    private var outputStorage = 0
    /// The context: its callbacks reach objects that it holds.
    private let context: AnyObject

    /// Takes `ssl` over, also when this throws.
    init(owning ssl: OpaquePointer, keeping context: AnyObject) throws(TLSError) {
        ERR_clear_error()
        guard let input = BIO_new(BIO_s_mem()), let output = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw TLSError(queueFor: nil, otherwise: "no memory for a TLS connection")
        }
        SSL_set_bio(ssl, input, output)
        self.ssl = ssl
        self.input = input
        self.output = output
        self.context = context
    }

    deinit {
        SSL_free(self.ssl)
    }

    /// Octets from the network.
    package func receive(_ bytes: RawSpan) {
        guard !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { buffer in
            let count = BIO_write(self.input, buffer.baseAddress, Int32(buffer.count))
            precondition(count == buffer.count, "a memory BIO takes all it is given")
        }
        self.inputStorage = max(self.inputStorage, self.unreadInput)
    }

    /// Octets received and not yet looked at.
    package var unreadInput: Int { BIO_ctrl_pending(self.input) }

    /// Octets for the network.
    package var pendingOutput: Int { BIO_ctrl_pending(self.output) }

    /// Moves octets for the network to `span`, as many as fit.
    package func takeOutput(into span: inout OutputRawSpan) {
        self.outputStorage = max(self.outputStorage, self.pendingOutput)
        span.withUnsafeMutableBytes { buffer, initialized in
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[initialized...])
            let count = BIO_read(self.output, free.baseAddress, Int32(min(free.count, Int(Int32.max))))
            if count > 0 { initialized += Int(count) }
        }
    }

    /// Goes on with the handshake. The client's first call makes the first message.
    package func handshake() -> Handshake {
        ERR_clear_error()
        let result = SSL_do_handshake(self.ssl)
        if result == 1 { return .complete }
        switch SSL_get_error(self.ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .incomplete
        default: return .failed(self.failure(otherwise: "the peer ended the handshake"))
        }
    }

    /// Decrypts what was received, up to the room in `span`; one call reads one record at most.
    package func unwrap(into span: inout OutputRawSpan) -> Read {
        precondition(span.freeCapacity > 0)
        ERR_clear_error()
        let (result, count) = span.withUnsafeMutableBytes { buffer, initialized in
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[initialized...])
            var count = 0
            let result = SSL_read_ex(self.ssl, free.baseAddress, free.count, &count)
            initialized += count
            return (result, count)
        }
        if result == 1 { return .complete(count) }
        switch SSL_get_error(self.ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .incomplete
        case SSL_ERROR_ZERO_RETURN: return .closed
        default: return .failed(self.failure(otherwise: "the peer's data cannot be read"))
        }
    }

    /// Encrypts all of `bytes`; only after the handshake. It never waits for the peer, as there is no renegotiation.
    package func wrap(_ bytes: RawSpan) -> Write {
        guard !bytes.isEmpty else { return .complete }
        ERR_clear_error()
        let result = bytes.withUnsafeBytes { buffer in
            var count = 0
            return SSL_write_ex(self.ssl, buffer.baseAddress, buffer.count, &count)
        }
        return result == 1 ? .complete : .failed(self.failure(otherwise: "the data cannot be sent"))
    }

    /// Says `close_notify`; nothing can be written afterwards, but the peer may still send.
    package func close() {
        ERR_clear_error()
        _ = SSL_shutdown(self.ssl)
        ERR_clear_error()
    }

    /// Gives back what a large transfer left allocated. For an established connection between two bursts.
    package func releaseStorage() {
        if self.inputStorage > Self.keptStorage, self.unreadInput == 0, let fresh = BIO_new(BIO_s_mem()) {
            SSL_set0_rbio(self.ssl, fresh)
            self.input = fresh
            self.inputStorage = 0
        }
        if self.outputStorage > Self.keptStorage, self.pendingOutput == 0, let fresh = BIO_new(BIO_s_mem()) {
            SSL_set0_wbio(self.ssl, fresh)
            self.output = fresh
            self.outputStorage = 0
        }
    }

    /// What was agreed on; meaningful after the handshake.
    package var agreement: Agreement {
        Agreement(
            version: String(cString: SSL_get_version(self.ssl)),
            cipher: SSL_get_current_cipher(self.ssl).flatMap { SSL_CIPHER_get_name($0) }.map { String(cString: $0) } ?? "",
            serverName: SSL_get_servername(self.ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) },
            resumed: SSL_session_reused(self.ssl) == 1
        )
    }

    /// The peer's certificate, when it sent one.
    package var peerCertificate: CertificateInfo? {
        SSL_get0_peer_certificate(self.ssl).map { CertificateInfo($0) }
    }

    /// OpenSSL says only `certificate verify failed`; why is kept apart.
    private func failure(otherwise fallback: String) -> TLSError {
        var error = TLSError(queueFor: nil, otherwise: fallback)
        let verified = SSL_get_verify_result(self.ssl)
        if verified != Int(X509_V_OK), SSL_get_verify_mode(self.ssl) != SSL_VERIFY_NONE,
            let why = X509_verify_cert_error_string(verified)
        {
            error.reason += ": \(String(cString: why))"
        }
        return error
    }
}
