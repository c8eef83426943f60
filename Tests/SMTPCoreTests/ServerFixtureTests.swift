import Foundation
import MailTypes
import NIOCore
import OutpostTestKit
import SMTPCore
import Testing

@Suite("Server against public material")
struct ServerFixtureTests {
    private static func lines(_ path: String) throws -> [[String: Any]] {
        let url = try #require(Fixture.shared(path))
        return try String(contentsOf: url, encoding: .utf8).split(separator: "\n").compactMap {
            try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
    }

    @Test("PROXY headers", .enabled(if: Fixture.shared("smtp/proxy-protocol-vectors.jsonl") != nil), arguments: [1, Int.max])
    func proxyHeaders(pieces: Int) throws {
        var count = 0
        for vector in try Self.lines("smtp/proxy-protocol-vectors.jsonl") {
            guard let hex = vector["bytes_hex"] as? String, let isValid = vector["valid"] as? Bool else { continue }
            count += 1
            let bytes = stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
            var buffer = ByteBuffer()
            var header: ProxyHeader?
            var error: ProxyHeader.Malformed?
            var rest = bytes[...]
            while header == nil, error == nil, !rest.isEmpty {
                buffer.writeBytes(rest.prefix(pieces))
                rest = rest.dropFirst(pieces)
                do throws(ProxyHeader.Malformed) { header = try ProxyHeader.read(from: &buffer) } catch let thrown {
                    error = thrown
                }
            }
            #expect((header != nil) == isValid, "\(vector["error"] ?? "") \(hex)")
            // Families beyond TCP and UDP over IP tell no address.
            guard case .proxied(let endpoints)? = header, let source = vector["src"] as? String else { continue }
            #expect(endpoints.source == IPAddress(source))
            #expect(endpoints.destination == (vector["dst"] as? String).flatMap { IPAddress($0) })
            #expect(Int(endpoints.sourcePort) == vector["sport"] as? Int)
            #expect(Int(endpoints.destinationPort) == vector["dport"] as? Int)
        }
        #expect(count >= 33)
    }

    /// Commands whose code the RFC leaves open, or where Outpost means to differ from aiosmtpd: looked at by hand.
    private static let ownMind = [
        "AUTH", "HELP", "VRFY", "STARTTLS", "LHLO", "SIZE", "SMTPUTF8", "BODY", "(comment)", "\\ ", "MUCH.", "IPV6::1", "<@",
        "@>",
        "127.0.0.1", "\"\"@", "MACHINE", "#$%", "BARTÿ", "ANNEÿ", "Ë", "XYZ%", "\\\\BLOW", "ANNE(", "FROM:\" \"",
    ]

    @Test("recorded dialogs", .enabled(if: Fixture.shared("smtp/aiosmtpd-dialogs.jsonl") != nil))
    func dialogs() throws {
        var compared = 0
        for dialog in try Self.lines("smtp/aiosmtpd-dialogs.jsonl") {
            guard let steps = dialog["steps"] as? [[String]], let test = dialog["test"] as? String else { continue }
            // Their limits, their handlers' own answers, and sessions with AUTH or TLS are not ours.
            let foreign = [
                "Auth", "TLS", "Limit", "exception", "hook", "Handler", "size", "long", "LMTP", "lmtp", "dots", "Timeout",
                "unexpected_errors",
            ]
            if foreign.contains(where: { test.contains($0) }) { continue }
            if steps.contains(where: { step in Self.ownMind.contains { step[1].uppercased().contains($0) } }) { continue }
            var driver = ServerDriver {
                $0.bareLineEnds = .accept
                $0.limits.errors = 1_000
            }
            driver.capabilities = ServerCapabilities(size: 33_554_432, smtpUTF8: true)
            driver.refusedPrefix = "nobody-has-this"
            driver.start()
            var position = 0
            for (sender, text) in steps.map({ ($0[0], $0[1]) }) {
                if sender == "C" {
                    position = driver.record.replies.count
                    driver.feed(
                        text.unicodeScalars.allSatisfy { $0.value < 256 }
                            ? text.unicodeScalars.map { UInt8($0.value) } : Array(text.utf8)
                    )
                } else if driver.record.replies.count > position {
                    let theirs = text.prefix(1)
                    let ours = driver.record.replies[position].prefix(1)
                    #expect(ours == theirs, "\(test): \(driver.record.replies[position]) instead of \(text)")
                    position += 1
                    compared += 1
                } else {
                    Issue.record("\(test): no reply, expected \(text)")
                }
            }
        }
        #expect(compared > 100)
    }
}
