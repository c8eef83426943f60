import CUnbound

/// libunbound could not do what it was asked, in its own words.
package struct UnboundError: Error, Hashable, Sendable, CustomStringConvertible {
    package var action: String
    package var reason: String

    package var description: String { "\(self.action): \(self.reason)" }

    init(_ action: String, _ code: Int32) {
        self.action = action
        self.reason = ub_strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }
}

/// What libunbound found out.
package struct UnboundAnswer: Hashable, Sendable {
    /// The data of the records, as on the wire, names in them not compressed.
    package var records: [[UInt8]]
    /// RFC 1035 §4.1.1
    package var code: Int
    /// There is no such name.
    package var isNoName: Bool
    package var isSecure: Bool
    package var isBogus: Bool
    /// The records had no room in a message as the library writes it, and were left out.
    package var isCut: Bool
    /// Seconds.
    package var timeToLive: UInt32
}

/// A resolver of libunbound with its cache. Questions are worked on by a thread of the library.
///
/// `@unchecked Sendable`: libunbound locks its contexts itself; the pointer never changes, and the context is deleted once, when
/// the last owner is gone.
package final class UnboundContext: @unchecked Sendable {
    package struct Configuration: Hashable, Sendable {
        /// `192.0.2.1@53`; empty: those of /etc/resolv.conf.
        package var servers: [String] = []
        /// A file with the key of the root (RFC 5011); nil: DNSSEC is not checked.
        package var trustAnchor: String?

        package init() {}
    }

    /// Records of one answer that are taken; no answer that mail needs comes near.
    package static let maximumRecords = 1_000

    private let context: OpaquePointer
    private let checksSignatures: Bool

    package init(_ configuration: Configuration) throws(UnboundError) {
        guard let context = ub_ctx_create() else { throw UnboundError("make a resolver", UB_NOMEM.code) }
        self.context = context
        self.checksSignatures = configuration.trustAnchor != nil
        // First of all: other calls settle whether questions are worked on by a thread or a process.
        try self.check(ub_ctx_async(context, 1), "use a thread")
        for (name, value) in Self.options { try self.check(ub_ctx_set_option(context, name, value), "set \(name)") }
        if configuration.servers.isEmpty {
            try self.check(ub_ctx_resolvconf(context, nil), "read /etc/resolv.conf")
        }
        for server in configuration.servers {
            try self.check(ub_ctx_set_fwd(context, server), "use the server \(server)")
        }
        if let file = configuration.trustAnchor {
            try self.check(ub_ctx_add_ta_file(context, file), "read the key of the root in \(file)")
        }
        // Names for private use are answered by the servers, too: a site may well have such domains.
        for zone in Self.privateZones { try self.check(ub_ctx_zone_add(context, zone, "transparent"), "ask for \(zone)") }
    }

    deinit {
        ub_ctx_delete(self.context)
    }

    private static let options = [
        // A server on this machine is the usual case.
        ("do-not-query-localhost:", "no"),
        ("unblock-lan-zones:", "yes"),
        ("insecure-lan-zones:", "yes"),
        // Of what mail asks, little is asked again beyond these.
        ("msg-cache-size:", "8m"),
        ("rrset-cache-size:", "16m"),
    ]

    private static let privateZones = ["test.", "invalid.", "onion.", "home.arpa."]

    private func check(_ code: Int32, _ action: String) throws(UnboundError) {
        guard code == UB_NOERROR.code else { throw UnboundError(action, code) }
    }

    package static var libraryVersion: String { ub_version().map { String(cString: $0) } ?? "" }

    /// Readable when there are answers to `process`.
    package var descriptor: Int32 { ub_fd(self.context) }

    /// A question that is on its way.
    package struct Ticket {
        fileprivate var id: Int32
        fileprivate var completion: Unmanaged<Completion>
    }

    fileprivate final class Completion {
        /// The type whose records are read from the message itself where the library gives up; nil: none.
        let spareType: UInt16?
        let run: (Result<UnboundAnswer, UnboundError>) -> Void

        init(spareType: UInt16?, _ run: @escaping (Result<UnboundAnswer, UnboundError>) -> Void) {
            self.spareType = spareType
            self.run = run
        }
    }

    /// libunbound takes a record without data for a lack of memory, and says SERVFAIL for the whole answer. A TXT record without a
    /// string is against RFC 1035 §3.3.14, and nobody's reason to lose the good ones beside it. Where DNSSEC is checked it stays a
    /// failure: the library has then not said what the signatures are worth.
    private static let text: UInt16 = 16

    /// Asks. `completion` is called within `process`, once, unless the question is cancelled before.
    /// - Parameters:
    ///   - name: as text, octets that are no text as `\ddd`.
    ///   - type: RFC 1035 §3.2.2
    package func ask(
        _ name: String,
        type: UInt16,
        completion: @escaping (Result<UnboundAnswer, UnboundError>) -> Void
    ) throws(UnboundError) -> Ticket {
        let spareType = type == Self.text && !self.checksSignatures ? type : nil
        let box = Unmanaged.passRetained(Completion(spareType: spareType, completion))
        var id: Int32 = 0
        let code = ub_resolve_async(self.context, name, Int32(type), 1, box.toOpaque(), unboundAnswered, &id)
        guard code == UB_NOERROR.code else {
            box.release()
            throw UnboundError("ask for \(name)", code)
        }
        return Ticket(id: id, completion: box)
    }

    /// Drops a question whose completion was not called yet. Not to be called while `process` runs on another thread.
    package func cancel(_ ticket: Ticket) {
        ub_cancel(self.context, ticket.id)
        ticket.completion.release()
    }

    /// Calls the completions of all questions that are answered.
    package func process() {
        ub_process(self.context)
    }
}

private func unboundAnswered(_ data: UnsafeMutableRawPointer?, _ error: Int32, _ result: UnsafeMutablePointer<ub_result>?) {
    guard let data else { return }
    let completion = Unmanaged<UnboundContext.Completion>.fromOpaque(data).takeRetainedValue()
    guard error == UB_NOERROR.code, let result else {
        completion.run(.failure(UnboundError("ask", error)))
        return
    }
    defer { ub_resolve_free(result) }
    if let type = completion.spareType, result.pointee.rcode != 0, result.pointee.bogus == 0,
        let packet = result.pointee.answer_packet,
        let read = AnswerPacket(UnsafeRawBufferPointer(start: packet, count: Int(result.pointee.answer_len)), type: type),
        read.code == 0, read.records.contains([])
    {
        let answer = UnboundAnswer(
            records: read.records,
            code: 0,
            isNoName: false,
            isSecure: false,
            isBogus: false,
            isCut: false,
            timeToLive: read.timeToLive
        )
        return completion.run(.success(answer))
    }
    var records: [[UInt8]] = []
    if result.pointee.havedata != 0, let items = result.pointee.data, let lengths = result.pointee.len {
        var index = 0
        while records.count < UnboundContext.maximumRecords, let item = items[index] {
            let octets = UnsafeRawBufferPointer(start: item, count: Int(lengths[index]))
            records.append(Array(octets))
            index += 1
        }
    }
    completion.run(
        .success(
            UnboundAnswer(
                records: records,
                code: Int(result.pointee.rcode),
                isNoName: result.pointee.nxdomain != 0,
                isSecure: result.pointee.secure != 0,
                isBogus: result.pointee.bogus != 0,
                isCut: result.pointee.isCut,
                timeToLive: UInt32(clamping: result.pointee.ttl)
            )
        )
    )
}

extension ub_result {
    /// The library writes each answer anew before it reads it, and names may then take more room than they had: what does not fit in
    /// 65,535 octets it leaves out, says so in the header (TC, RFC 1035 §4.1.1), and calls the rest a good answer.
    fileprivate var isCut: Bool {
        guard self.havedata == 0, let packet = self.answer_packet, self.answer_len > 2 else { return false }
        return UnsafeRawBufferPointer(start: packet, count: Int(self.answer_len))[2] & 0x02 != 0
    }
}

extension ub_ctx_err {
    fileprivate var code: Int32 { Int32(self.rawValue) }
}
