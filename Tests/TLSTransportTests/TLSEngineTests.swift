import NIOCore
import OpenSSLKit
import OutpostTestKit
import Testing

@Suite("TLS engine")
struct TLSEngineTests {
    let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    private func client(verifies: Bool = true) throws -> TLSClientContext {
        try TLSClientContext(authorities: self.certificates.authority, verifies: verifies)
    }

    @Test("two engines agree, however the octets are cut", arguments: [Int.max, 1, 7, 100], TestCertificates.Key.allCases)
    func agree(piece: Int, key: TestCertificates.Key) throws {
        let pair = EnginePair(
            client: try self.client().makeEngine(serverName: "MX.example.org."),
            server: try self.certificates.server(key: key).makeEngine(),
            piece: piece
        )
        let result = pair.shakeHands()
        #expect(result.client == .complete)
        #expect(result.server == .complete)
        #expect(pair.server.agreement.version == "TLSv1.3")
        #expect(pair.server.agreement.serverName == "MX.example.org")
        #expect(pair.server.agreement.resumed == false)
        #expect(pair.client.agreement.cipher == pair.server.agreement.cipher)
        #expect(pair.client.peerCertificate?.names == ["mx.example.org"])

        let text = ByteBuffer(repeating: 0x61, count: 50_000)
        #expect(pair.client.wrap(text.readableBytesSpan) == .complete)
        var received = ByteBuffer()
        var last = TLSEngine.Read.incomplete
        pair.move(from: pair.client, to: pair.server) {
            var (part, result) = pair.server.plaintext()
            received.writeBuffer(&part)
            last = result
        }
        #expect(received == text)
        #expect(last == .incomplete)
    }

    @Test("close_notify ends one direction and leaves the other")
    func closeNotify() throws {
        let pair = EnginePair(
            client: try self.client(verifies: false).makeEngine(serverName: nil),
            server: try self.certificates.server().makeEngine()
        )
        _ = pair.shakeHands()
        pair.client.close()
        pair.move(from: pair.client, to: pair.server)
        #expect(pair.server.plaintext().1 == .closed)
        #expect(pair.server.wrap(ByteBuffer(string: "still").readableBytesSpan) == .complete)
        pair.move(from: pair.server, to: pair.client)
        #expect(pair.client.plaintext().0 == ByteBuffer(string: "still"))
    }

    @Test("a changed octet is noticed")
    func tampered() throws {
        let pair = EnginePair(
            client: try self.client().makeEngine(serverName: "mx.example.org"),
            server: try self.certificates.server().makeEngine()
        )
        _ = pair.shakeHands()
        _ = pair.client.wrap(ByteBuffer(string: "MAIL FROM:<>").readableBytesSpan)
        var output = pair.client.output()
        let last = output.writerIndex - 1
        output.setInteger(output.getInteger(at: last, as: UInt8.self)! ^ 1, at: last)
        pair.server.receive(output.readableBytesSpan)
        guard case .failed(let error) = pair.server.plaintext().1 else {
            Issue.record("a forged record was read")
            return
        }
        #expect(error.reason.contains("bad record mac"))
        #expect(pair.server.pendingOutput > 0, "the alert")
    }

    @Test("what is no TLS is refused with an alert or a reason")
    func garbage() throws {
        let engine = try self.certificates.server().makeEngine()
        engine.receive(ByteBuffer(string: "EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n").readableBytesSpan)
        guard case .failed(let error) = engine.handshake() else {
            Issue.record("clear text was taken for TLS")
            return
        }
        #expect(!error.reason.isEmpty)
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var certificateNames: [String]
        var isExpired = false
        var askedFor: String
        var reason: String
    }

    @Test(
        "a verifying client says why it refuses",
        arguments: [
            Refusal(
                testDescription: "name",
                certificateNames: ["mx.example.org"],
                askedFor: "mx.example.net",
                reason: "hostname mismatch"
            ),
            Refusal(
                testDescription: "partial wildcard",
                certificateNames: ["m*.example.org"],
                askedFor: "mx.example.org",
                reason: "hostname mismatch"
            ),
            Refusal(
                testDescription: "address",
                certificateNames: ["IP:127.0.0.1"],
                askedFor: "127.0.0.2",
                reason: "IP address mismatch"
            ),
            Refusal(
                testDescription: "expired",
                certificateNames: ["mx.example.org"],
                isExpired: true,
                askedFor: "mx.example.org",
                reason: "certificate has expired"
            ),
        ]
    )
    func refuses(_ refusal: Refusal) throws {
        let pair = EnginePair(
            client: try self.client().makeEngine(serverName: refusal.askedFor),
            server: try self.certificates.server(refusal.certificateNames, isExpired: refusal.isExpired).makeEngine()
        )
        let result = pair.shakeHands()
        guard case .failed(let error) = result.client else {
            Issue.record("the certificate was taken")
            return
        }
        #expect(error.reason.contains("certificate verify failed"))
        #expect(error.reason.lowercased().contains(refusal.reason.lowercased()), "\(error)")
        guard case .failed = result.server else {
            Issue.record("the server was not told")
            return
        }
    }

    @Test("an unknown authority is refused, and taken without verification", arguments: [true, false])
    func unknownAuthority(verifies: Bool) throws {
        let stranger = try TestCertificates(name: "Stranger")
        let pair = EnginePair(
            client: try self.client(verifies: verifies).makeEngine(serverName: "mx.example.org"),
            server: try stranger.server().makeEngine()
        )
        let result = pair.shakeHands()
        if verifies {
            guard case .failed(let error) = result.client else {
                Issue.record("a stranger's certificate was taken")
                return
            }
            #expect(error.reason.contains("unable to get local issuer certificate"), "\(error)")
        } else {
            #expect(result.client == .complete)
        }
    }

    @Test(
        "wildcards, addresses and the common name are taken",
        arguments: [("*.example.org", "mx.example.org"), ("IP:127.0.0.1", "127.0.0.1")]
    )
    func matches(name: String, askedFor: String) throws {
        let pair = EnginePair(
            client: try self.client().makeEngine(serverName: askedFor),
            server: try self.certificates.server([name]).makeEngine()
        )
        let result = pair.shakeHands()
        #expect(result.client == .complete)
        #expect(result.server == .complete)
        #expect(pair.server.agreement.serverName == (name.hasPrefix("IP") ? nil : askedFor))
    }

    @Test("verification without a name is a mistake of ours")
    func nameNeeded() throws {
        let context = try self.client()
        #expect(throws: TLSError.self) { try context.makeEngine(serverName: nil) }
    }

    @Test("storage is given back between bursts, and the connection goes on")
    func releaseStorage() throws {
        let pair = EnginePair(
            client: try self.client().makeEngine(serverName: "mx.example.org"),
            server: try self.certificates.server().makeEngine()
        )
        _ = pair.shakeHands()
        for size in [100_000, 5, 70_000, 1] {
            let text = ByteBuffer(repeating: 0x62, count: size)
            #expect(pair.client.wrap(text.readableBytesSpan) == .complete)
            pair.move(from: pair.client, to: pair.server)
            #expect(pair.server.plaintext().0 == text)
            pair.client.releaseStorage()
            pair.server.releaseStorage()
        }
    }
}

@Suite("SHA-256")
struct SHA256Tests {
    @Test(
        "digests of FIPS 180-4's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ]
    )
    func digest(text: String, expected: String) {
        #expect(Self.hex(SHA256.hash(Array(text.utf8))) == expected)
    }

    @Test("pieces give the digest of the whole, and a hasher starts afresh")
    func pieces() {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0) }
        let hasher = SHA256Hasher()
        for _ in 0..<2 {
            var rest = bytes[...]
            while !rest.isEmpty {
                hasher.update(Array(rest.prefix(777)))
                rest = rest.dropFirst(777)
            }
            #expect(hasher.finish() == SHA256.hash(bytes))
        }
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
