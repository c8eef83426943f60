import NIOCore
import OutpostTestKit
import Testing

@testable import OpenSSLKit

@Suite("TLS context")
struct TLSContextTests {
    let certificates: TestCertificates

    init() throws {
        self.certificates = try TestCertificates.shared.get()
    }

    @Test(
        "the certificate is chosen by the name asked for",
        arguments: [
            (nil, "first.example.org"), ("first.example.org", "first.example.org"), ("SECOND.example.org", "second.example.org"),
            ("any.wild.example.org", "*.wild.example.org"), ("two.any.wild.example.org", "first.example.org"),
            ("wild.example.org", "first.example.org"), ("unknown.example.net", "first.example.org"),
        ] as [(String?, String)]
    )
    func choice(askedFor: String?, expected: String) throws {
        let names = ["first.example.org", "second.example.org", "*.wild.example.org"]
        let context = try TLSServerContext(certificates: try names.map { CertificateFiles(try self.certificates.make([$0])) })
        let pair = EnginePair(
            client: try TLSClientContext(authorities: nil, verifies: false).makeEngine(serverName: askedFor),
            server: try context.makeEngine()
        )
        let result = pair.shakeHands()
        #expect(result.client == .complete)
        #expect(result.server == .complete)
        #expect(pair.client.peerCertificate?.names == [expected])
        #expect(context.certificates.map(\.names) == names.map { [$0] })
    }

    @Test("a certificate tells until when it is valid")
    func validity() throws {
        let valid = try CertificateInfo(reading: self.certificates.make(["a.example", "B.example"]).certificate)
        let expired = try CertificateInfo(reading: self.certificates.make(["a.example"], isExpired: true).certificate)
        #expect(valid.names == ["a.example", "b.example"])
        #expect(valid.notAfter - valid.notBefore == 2 * 86_400)
        #expect(expired.notAfter < valid.notBefore)
    }

    @Test("a certificate that cannot be used is named with the reason")
    func unusable() throws {
        let directory = try TemporaryDirectory()
        let good = try self.certificates.make(["a.example"])
        let other = try self.certificates.make(["a.example"])
        let rsa = try self.certificates.make(["a.example"], key: .rsa)
        let text = try directory.write("no certificate\n", to: "text.pem")
        let broken = try directory.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: "broken.pem")
        let missing = "\(directory.path)/missing.pem"
        let cases: [(String, String, String, String)] = [
            (missing, good.privateKey, missing, "No such file or directory"),
            (good.certificate, missing, missing, "No such file or directory"),
            (directory.path, good.privateKey, directory.path, "is a directory"),
            (text, good.privateKey, text, "holds no certificate"),
            (good.certificate, text, text, "holds no private key"),
            (broken, good.privateKey, broken, ""),
            (good.certificate, other.privateKey, other.privateKey, "is not the key of the certificate \(good.certificate)"),
            (good.certificate, rsa.privateKey, rsa.privateKey, "is not the key of the certificate \(good.certificate)"),
        ]
        for (certificate, key, file, reason) in cases {
            let error = #expect(throws: TLSError.self) {
                try TLSServerContext(certificates: [CertificateFiles(certificate: certificate, privateKey: key)])
            }
            #expect(error?.file == file)
            #expect(error?.reason.contains(reason) == true, "\(error?.description ?? "")")
            #expect(error?.reason.isEmpty == false)
        }
        #expect(throws: TLSError.self) { try TLSServerContext(certificates: []) }
        #expect(throws: TLSError(file: missing, "No such file or directory")) {
            try TLSClientContext(authorities: missing, verifies: true)
        }
        #expect(throws: TLSError.self) { try TLSClientContext(authorities: text, verifies: true) }
    }

    @Test("an encrypted key is refused without asking anybody")
    func encryptedKey() throws {
        let files = try self.certificates.make(["a.example"])
        let directory = try TemporaryDirectory()
        let encrypted = "\(directory.path)/encrypted.key"
        let made = try run("openssl", ["ec", "-aes256", "-passout", "pass:secret", "-in", files.privateKey, "-out", encrypted])
        #expect(made.status == 0)
        let error = #expect(throws: TLSError.self) {
            try TLSServerContext(certificates: [CertificateFiles(certificate: files.certificate, privateKey: encrypted)])
        }
        #expect(error?.file == encrypted)
        #expect(error?.reason.contains("is encrypted") == true, "\(error?.reason ?? "")")
    }
}

@Suite("Server names")
struct ServerNamesTests {
    @Test("exact names win over wildcards, and a wildcard stands for one label")
    func look() {
        var names = ServerNames()
        names.add("*.Example.org", index: 0)
        names.add("mx.example.org", index: 1)
        names.add("mx.example.org", index: 2)
        #expect(names.index(for: "MX.example.ORG.") == 1)
        #expect(names.index(for: "other.example.org") == 0)
        #expect(names.index(for: "a.b.example.org") == nil)
        #expect(names.index(for: ".example.org") == nil)
        #expect(names.index(for: "example.org") == nil)
        #expect(names.index(for: "") == nil)
    }
}

@Suite("Session ticket keys")
struct SessionTicketKeysTests {
    private static func key(_ name: UInt8) -> SessionTicketKeys.Key {
        SessionTicketKeys.Key(name: [name], encryption: [], authentication: [])
    }

    @Test("a key seals for one period and opens for one more")
    func rotation() {
        let period = SessionTicketKeys.rotation
        var keys = SessionTicketKeys(current: Self.key(1), now: 0)
        #expect(keys.sealingKey(now: period - 1, makeKey: { Self.key(2) }).name == [1])
        #expect(keys.openingKey(named: [1], now: period - 1)?.isOld == false)
        #expect(keys.openingKey(named: [1], now: period)?.isOld == true)
        #expect(keys.openingKey(named: [1], now: 2 * period) == nil)
        #expect(keys.sealingKey(now: period, makeKey: { Self.key(2) }).name == [2])
        #expect(keys.openingKey(named: [2], now: period)?.isOld == false)
        #expect(keys.openingKey(named: [1], now: 2 * period - 1)?.isOld == true)
        #expect(keys.openingKey(named: [1], now: 2 * period) == nil)
        #expect(keys.openingKey(named: [9], now: period) == nil)
    }

    @Test("after a long silence no old key comes back, and without random numbers the old one stays")
    func silence() {
        let period = SessionTicketKeys.rotation
        var keys = SessionTicketKeys(current: Self.key(1), now: 0)
        #expect(keys.sealingKey(now: 3 * period, makeKey: { nil }).name == [1])
        #expect(keys.sealingKey(now: 3 * period, makeKey: { Self.key(2) }).name == [2])
        #expect(keys.openingKey(named: [1], now: 3 * period) == nil)
    }
}
