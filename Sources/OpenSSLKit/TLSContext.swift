import COpenSSL

/// A certificate chain and its key, PEM files.
package struct CertificateFiles: Hashable, Sendable {
    package var certificate: String
    package var privateKey: String

    package init(certificate: String, privateKey: String) {
        self.certificate = certificate
        self.privateKey = privateKey
    }
}

/// An `SSL_CTX`, freed with the last reference.
///
/// `@unchecked Sendable`: OpenSSL counts references and locks inside an `SSL_CTX`, so many threads may make connections of one
/// at the same time as long as nobody changes its settings; ours is set up before it is shared and never changed later.
final class SSLContext: @unchecked Sendable {
    let pointer: OpaquePointer

    init(method: OpaquePointer?) throws(TLSError) {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(method) else { throw TLSError(queueFor: nil, otherwise: "no TLS context") }
        self.pointer = pointer
        SSL_CTX_set_default_passwd_cb(pointer, refusePassphrase)
        guard outpost_ssl_ctx_harden(pointer) == 1 else { throw TLSError(queueFor: nil, otherwise: "TLS 1.2 is not available") }
    }

    deinit {
        SSL_CTX_free(self.pointer)
    }

    /// A connection's `SSL`; the caller owns it.
    func makeSSL() throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let ssl = SSL_new(self.pointer) else { throw TLSError(queueFor: nil, otherwise: "no TLS connection") }
        return ssl
    }

    /// Loads a chain and its key beside what is there: one certificate of each key type may stand in a context.
    func load(_ files: CertificateFiles) throws(TLSError) {
        try checkReadable(files.certificate)
        try checkReadable(files.privateKey)
        ERR_clear_error()
        guard SSL_CTX_use_certificate_chain_file(self.pointer, files.certificate) == 1 else {
            throw pemError(files.certificate, lacking: "certificate")
        }
        let key = try Self.privateKey(files.privateKey)
        defer { EVP_PKEY_free(key) }
        ERR_clear_error()
        // Compared by hand: beside a certificate of another type OpenSSL would take the key for that one.
        guard let certificate = SSL_CTX_get0_certificate(self.pointer), X509_check_private_key(certificate, key) == 1 else {
            let why = TLSError(queueFor: nil, otherwise: "they do not match").reason
            throw TLSError(file: files.privateKey, "is not the key of the certificate \(files.certificate) (\(why))")
        }
        guard SSL_CTX_use_PrivateKey(self.pointer, key) == 1 else {
            throw TLSError(queueFor: files.privateKey, otherwise: "the key cannot be used")
        }
    }

    private static func privateKey(_ file: String) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let bio = BIO_new_file(file, "r") else { throw TLSError(queueFor: file, otherwise: "cannot be read") }
        defer { BIO_free(bio) }
        if let key = PEM_read_bio_PrivateKey(bio, nil, refusePassphrase, nil) { return key }
        let why = TLSError(queueFor: file, otherwise: "no private key").reason
        if why.contains("bad password read") || why.contains("interrupted or cancelled") {
            throw TLSError(file: file, "is encrypted; a key without passphrase is needed")
        }
        throw TLSError(file: file, "holds no private key in PEM form (\(why))")
    }
}

/// What a listener needs for TLS: certificates, one of which is chosen by the name the client asks for (SNI), and the keys of
/// session tickets. It never changes: for new certificates make a new one.
package final class TLSServerContext: Sendable {
    /// In the order given.
    package let certificates: [CertificateInfo]

    private let contexts: [SSLContext]
    private let choice: CertificateChoice
    private let ticketKeys: SessionTicketKeyring

    /// - Parameter certificates: the first is the default for clients that ask for no name, or for a name nobody has. A
    ///   certificate with the same names as an earlier one and a key of another type (RSA and P-256) is offered beside it.
    /// - Throws: an error that names the file.
    package init(certificates: [CertificateFiles]) throws(TLSError) {
        guard !certificates.isEmpty else { throw TLSError("a TLS server needs a certificate") }
        var set = CertificateSet()
        for files in certificates {
            try set.add(files)
        }
        let contexts = set.contexts
        self.certificates = set.certificates
        self.contexts = contexts
        self.choice = CertificateChoice(names: set.names, contexts: contexts)
        self.ticketKeys = try SessionTicketKeyring()
        // Only the first context has callbacks: each connection starts from it. Engines hold `self`, so the unretained
        // pointer outlives every call.
        outpost_ssl_ctx_set_servername_callback(
            contexts[0].pointer,
            serverNameCallback,
            Unmanaged.passUnretained(self.choice).toOpaque()
        )
        SSL_CTX_set_tlsext_ticket_key_evp_cb(contexts[0].pointer, ticketCallback)
    }

    /// A server's end of one connection.
    package func makeEngine() throws(TLSError) -> TLSEngine {
        let ssl = try self.contexts[0].makeSSL()
        outpost_ssl_set_app_data(ssl, Unmanaged.passUnretained(self.ticketKeys).toOpaque())
        SSL_set_accept_state(ssl)
        return try TLSEngine(owning: ssl, keeping: self)
    }
}

/// Sorts certificates into contexts: those with equal names and keys of different types share one.
private struct CertificateSet {
    private(set) var contexts: [SSLContext] = []
    private(set) var names = ServerNames()
    private(set) var certificates: [CertificateInfo] = []
    /// Beside `contexts`: the names, and the types of key loaded.
    private var members: [(names: Set<String>, keyTypes: Set<Int32>)] = []

    mutating func add(_ files: CertificateFiles) throws(TLSError) {
        let info = try CertificateInfo(reading: files.certificate)
        let names = Set(info.names)
        let index: Int
        if let place = self.members.firstIndex(where: { $0.names == names && !$0.keyTypes.contains(info.keyType) }) {
            index = place
        } else {
            index = self.contexts.count
            self.contexts.append(try Self.makeContext())
            self.members.append((names, []))
        }
        try self.contexts[index].load(files)
        self.members[index].keyTypes.insert(info.keyType)
        self.certificates.append(info)
        for name in info.names {
            self.names.add(name, index: index)
        }
    }

    private static func makeContext() throws(TLSError) -> SSLContext {
        let context = try SSLContext(method: TLS_server_method())
        // Sessions are taken up only under the name of the service they were made for; without one OpenSSL refuses them all.
        let identity = Array("outpost".utf8)
        SSL_CTX_set_session_id_context(context.pointer, identity, UInt32(identity.count))
        // One ticket a connection (RFC 8446 §4.6.1 allows any number): a mail client has no use for a second.
        SSL_CTX_set_num_tickets(context.pointer, 1)
        return context
    }
}

/// What the server name callback needs.
private final class CertificateChoice: Sendable {
    let names: ServerNames
    let contexts: [SSLContext]

    init(names: ServerNames, contexts: [SSLContext]) {
        self.names = names
        self.contexts = contexts
    }
}

private let serverNameCallback: @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 =
    { ssl, _, argument in
        guard let ssl, let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        let choice = Unmanaged<CertificateChoice>.fromOpaque(argument).takeUnretainedValue()
        // An unknown name gets the default certificate and no acknowledgement (RFC 6066 §3): mail clients rarely verify,
        // and refusing would send the mail in clear text.
        guard let index = choice.names.index(for: String(cString: name)) else { return SSL_TLSEXT_ERR_NOACK }
        SSL_set_SSL_CTX(ssl, choice.contexts[index].pointer)
        return SSL_TLSEXT_ERR_OK
    }

/// What connections to a downstream server need for TLS.
package final class TLSClientContext: Sendable {
    /// Whether certificates and names are checked.
    package let verifies: Bool
    private let context: SSLContext

    /// - Parameters:
    ///   - authorities: a PEM file of trusted certificates; nil for the system's.
    ///   - verifies: false takes any certificate: opportunistic TLS (RFC 7435), which protects from listeners only.
    package init(authorities: String?, verifies: Bool) throws(TLSError) {
        self.verifies = verifies
        self.context = try SSLContext(method: TLS_client_method())
        SSL_CTX_set_verify(self.context.pointer, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        guard verifies else { return }
        ERR_clear_error()
        if let authorities {
            try checkReadable(authorities)
            guard SSL_CTX_load_verify_file(self.context.pointer, authorities) == 1 else {
                throw pemError(authorities, lacking: "certificate")
            }
        } else if SSL_CTX_set_default_verify_paths(self.context.pointer) != 1 {
            throw TLSError(queueFor: nil, otherwise: "the system's certificate store cannot be used")
        }
    }

    /// A client's end of one connection.
    ///
    /// - Parameter serverName: the server's host name (sent as SNI, and checked when verifying) or its IP address (checked,
    ///   never sent: RFC 6066 §3). Needed when verifying: a certificate for any name at all would prove nothing.
    package func makeEngine(serverName: String?) throws(TLSError) -> TLSEngine {
        guard serverName != nil || !self.verifies else { throw TLSError("verification needs the server's name") }
        let ssl = try self.context.makeSSL()
        SSL_set_connect_state(ssl)
        // From here on the engine frees it.
        let engine = try TLSEngine(owning: ssl, keeping: self)
        if let serverName { try self.expect(serverName, ssl) }
        return engine
    }

    private func expect(_ serverName: String, _ ssl: OpaquePointer) throws(TLSError) {
        let name = serverName.hasSuffix(".") ? String(serverName.dropLast()) : serverName
        guard let parameters = SSL_get0_param(ssl) else { throw TLSError("no verification parameters") }
        ERR_clear_error()
        // An IP address is one that OpenSSL can read as such.
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return }
        ERR_clear_error()
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1, outpost_ssl_set_server_name(ssl, name) == 1 else {
            throw TLSError(queueFor: nil, otherwise: "\(name) is no host name")
        }
    }
}
