import Foundation
import MailMessage
import MailTypes
import OutpostTestKit
import Testing

/// What SpamAssassin's own tests say of Received fields.
@Suite("Relays", .enabled(if: Fixture.shared("sa-rule-language") != nil))
struct RelayTests {
    private struct Field: Decodable {
        var received: String
        var relay: String
    }

    private struct Path: Decodable {
        var config_and_received: String
        var expect: String
    }

    @Test("Received fields of all servers are read")
    func fields() throws {
        let file = try #require(Fixture.shared("sa-rule-language/received-parser.json"))
        let cases = try JSONDecoder().decode([Field].self, from: Data(try Fixture.bytes(file)))
        #expect(cases.count == 145)
        for item in cases {
            let message = ParsedMessage(Array("Received: \(item.received)\n\nbody\n".utf8))
            let path = RelayPath(message, networks: RelayNetworks())
            // The recorded texts were made before hops were sorted.
            let text = String(decoding: RelayPath.text(path.trusted + path.untrusted), as: UTF8.self)
                .replacing(" intl=0", with: "").replacing(" intl=1", with: "").replacing(" msa=1", with: " msa=0")
            #expect(text == item.relay.replacing(" intl=0", with: ""), "\(item.received)")
        }
    }

    @Test("Trust ends at the first host that is not ours")
    func paths() throws {
        let file = try #require(Fixture.shared("sa-rule-language/trust-path.json"))
        let cases = try JSONDecoder().decode([Path].self, from: Data(try Fixture.bytes(file)))
        #expect(cases.count == 32)
        for item in cases {
            let (networks, header) = try RelayTests.networks(item.config_and_received)
            let path = RelayPath(ParsedMessage(Array((header + "\n\nbody\n").utf8)), networks: networks)
            let trusted = String(decoding: RelayPath.text(path.trusted), as: UTF8.self)
            let untrusted = String(decoding: RelayPath.text(path.untrusted), as: UTF8.self)
            let expected = RelayTests.words(item.expect).filter {
                !["Netset-Warn", "Patricia-Failure", "Lint-Error"].contains($0)
            }
            #expect(RelayTests.words("Trusted: \(trusted) Untrusted: \(untrusted)") == expected, "\(item.config_and_received)")
        }
    }

    private static func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    private static func networks(_ text: String) throws -> (RelayNetworks, String) {
        var networks = RelayNetworks()
        // As the stock rules have it.
        networks.originatingFields = ["X-Originating-IP"]
        var header: [String] = []
        for line in text.split(separator: "\n") {
            let line = line.drop { $0 == " " }
            let words = self.words(String(line))
            switch words.first {
            case "trusted_networks": networks.trusted = try self.adding(words, to: networks.trusted ?? RelayNetworks.loopback)
            case "internal_networks": networks.internal = try self.adding(words, to: networks.internal ?? RelayNetworks.loopback)
            case "msa_networks": networks.submission = try self.adding(words, to: networks.submission)
            case "originating_ip_headers": networks.originatingFields += words.dropFirst().map(String.init)
            case .some(let word) where word.hasSuffix(":"): header.append(String(line))
            default: header.append(" " + line)
            }
        }
        if let trusted = networks.trusted { _ = networks.internal?.remove(notIn: trusted) }
        return (networks, header.joined(separator: "\n"))
    }

    private static func adding(_ words: [Substring], to set: NetworkSet) throws -> NetworkSet {
        var set = set
        for word in words.dropFirst() {
            let isNetwork = set.add(word)
            try #require(isNetwork, "\(word)")
        }
        return set
    }
}

@Suite("Paths of relays")
struct RelayPathTests {
    private static let header = """
        Received: from a.example (a.example [192.0.2.1]) by mx.example.org (Postfix) with ESMTP id 1
        Received: from b.example (b.example [198.51.100.1]) by a.example (Postfix) with ESMTP id 2
        """

    @Test("The connection is the first hop; no field tells of it")
    func connection() {
        var hop = Relay()
        hop.ip = Array("203.0.113.9".utf8)
        hop.helo = Array("c.example".utf8)
        hop.by = Array("gate.example.org".utf8)
        let path = RelayPath(
            ParsedMessage(Array((RelayPathTests.header + "\n\n").utf8)),
            networks: RelayNetworks(),
            connection: hop
        )
        #expect(path.beginsWithConnection)
        #expect(path.untrusted.map(\.by) == ["gate.example.org", "mx.example.org", "a.example"].map { Array($0.utf8) })
        #expect(path.lastTrustedField == -1)
    }

    @Test("A field that is a burden is read in time and is no hop")
    func burden() {
        for text in [
            String(repeating: "(", count: 100_000), String(repeating: "[1.2.3.4] by x ", count: 10_000),
            String(repeating: ":", count: 100_000), String(repeating: "a (b [", count: 20_000),
            "x " + String(repeating: "authenticated (", count: 20_000),
        ] {
            let header = (0..<300).map { _ in "Received: from " + text + "\n" }
            var message: [UInt8] = []
            for line in header where message.count < 250_000 { message += line.utf8 }
            let clock = ContinuousClock()
            let time = clock.measure {
                let path = RelayPath(ParsedMessage(message + Array("\n\n".utf8)), networks: RelayNetworks())
                #expect(path.trusted.isEmpty)
            }
            #expect(time < .seconds(10))
        }
    }
}
