import DNSClient
import Foundation
import MailTypes
import OutpostTestKit
import SenderAuth
import Testing
import Yams

@Suite("SPF: the test suite of RFC 7208")
struct SPFSuiteTests {
    static let files = ["spf/openspf/rfc7208-tests.yml", "spf/openspf/rfc7208-tests-2014-05.yml"]

    @Test("Every case gives one of the results it allows", .enabled(if: Fixture.shared(files[0]) != nil), arguments: files)
    func suite(file: String) async throws {
        try await self.run(file) { ZoneResolver(zone: $0) }
    }

    /// The same, each scenario's zone behind a name server: names, strings and silence as they are on the wire.
    @Test(
        "Every case gives one of the results it allows through packets of the DNS",
        .enabled(if: Fixture.shared(files[0]) != nil),
        .timeLimit(.minutes(3)),
        arguments: files
    )
    func packets(file: String) async throws {
        var servers: [FaultyNameServer] = []
        try await self.run(file) { zone in
            let server = try FaultyNameServer(
                Dictionary(uniqueKeysWithValues: zone.map { ($0.labels.text, Self.behaviour($1)) })
            )
            servers.append(server)
            return try DNSClient(
                DNSClient.Configuration(servers: ["127.0.0.1:\(server.port)"], timeoutMilliseconds: Self.silenceMilliseconds)
            )
        }
        #expect(servers.count > 10)
    }

    /// What the suite calls a time-out takes so long here: enough for a busy machine, and not for a person.
    private static let silenceMilliseconds = 1_500

    private func run(_ file: String, resolver: ([DNSName: [ZoneResolver.Entry]]) throws -> any DNSResolver) async throws {
        let text = try String(contentsOf: #require(Fixture.shared(file)), encoding: .utf8)
        var count = 0
        for document in try Yams.load_all(yaml: text, Resolver.basic) {
            let scenario = try #require(document as? [String: Any])
            let resolver = AnyResolver(try resolver(Self.zone(try #require(scenario["zonedata"] as? [String: Any]))))
            let checker = SPFChecker(resolver: resolver, receiver: "mx.example.org", time: 1_700_000_000)
            for (name, value) in try #require(scenario["tests"] as? [String: Any]) {
                let test = try #require(value as? [String: Any])
                let results = test["result"] as? [String] ?? [test["result"] as? String ?? ""]
                let client = try #require(IPAddress("\(test["host"] ?? "")"), "\(name)")
                let finding = await checker.checkMailFrom(
                    "\(test["mailfrom"] ?? "")",
                    helo: "\(test["helo"] ?? "")",
                    client: client
                )
                count += 1
                #expect(results.contains(finding.result.rawValue), "\(name): \(finding)")
                if let wanted = test["explanation"].map({ "\($0)" }), finding.result == .fail {
                    #expect(finding.explanation ?? "DEFAULT" == wanted, "\(name)")
                }
            }
        }
        #expect(count > 150)
    }

    /// What a name server does for a name with these entries.
    private static func behaviour(_ entries: [ZoneResolver.Entry]) -> FaultyNameServer.Behaviour {
        var silent: [UInt16: FaultyNameServer.Behaviour] = [:]
        var records: [FaultyNameServer.Record] = []
        var otherwise: FaultyNameServer.Behaviour?
        for entry in entries {
            switch entry {
            case .record(let type, let record): records.append(.init(type: type.rawValue, data: record.wire))
            case .alias(let target): otherwise = .alias(target.labels.text)
            case .timeout(nil): otherwise = .silence
            case .timeout(let type?): silent[type.rawValue] = .silence
            }
        }
        guard let otherwise else { return .byType(silent, otherwise: .records(records)) }
        // Records come before an alias and before silence.
        let answered = Dictionary(records.map { ($0.type, FaultyNameServer.Behaviour.records(records)) }) { first, _ in first }
        return .byType(answered.merging(silent) { $1 }, otherwise: otherwise)
    }

    private static func zone(_ data: [String: Any]) -> [DNSName: [ZoneResolver.Entry]] {
        var zone: [DNSName: [ZoneResolver.Entry]] = [:]
        for (key, value) in data {
            guard let name = DNSName(key) else { continue }
            let entries = (value as? [Any] ?? []).flatMap { self.records($0) }
            // `NONE` says that there is no TXT record, not even in place of one of type SPF.
            let hasText = entries.contains { entry in
                if case (.record(.txt, _), false) = entry { true } else { entry.entry == nil }
            }
            let isSilent = entries.contains { if case (.timeout(.txt), false) = $0 { true } else { false } }
            // Records of the old type SPF stand for TXT where there is none of its own.
            zone[name] = entries.filter { !$0.isOldType || !(hasText || isSilent) }.compactMap { $0.entry }
        }
        return zone
    }

    private static func records(_ value: Any) -> [(entry: ZoneResolver.Entry?, isOldType: Bool)] {
        if value as? String == "TIMEOUT" { return [(.timeout(nil), false)] }
        guard let pair = (value as? [String: Any])?.first else { return [] }
        if pair.key == "TXT", pair.value as? String == "NONE" { return [(nil, false)] }
        let isOldType = pair.key == "SPF"
        let type: DNSRecordType? =
            switch pair.key {
            case "A": .a
            case "AAAA": .aaaa
            case "MX": .mx
            case "PTR": .ptr
            case "TXT", "SPF": .txt
            case "CNAME": .cname
            default: nil
            }
        guard let type else { return [] }
        if pair.value as? String == "TIMEOUT" { return [(.timeout(type), isOldType)] }
        switch type {
        case .a, .aaaa:
            return IPAddress("\(pair.value)").map { [(.record(type, .address($0)), false)] } ?? []
        case .mx:
            let parts = pair.value as? [Any] ?? []
            guard parts.count == 2, let preference = UInt16("\(parts[0])") else { return [] }
            let exchange = DNSName("\(parts[1])") ?? .root
            return [(.record(.mx, .mailExchange(preference: preference, exchange: exchange)), false)]
        case .ptr:
            return DNSName("\(pair.value)").map { [(.record(.ptr, .name($0)), false)] } ?? []
        case .cname:
            return DNSName("\(pair.value)").map { [(.alias($0), false)] } ?? []
        case .txt, .ns:
            // Octets above ASCII are written as code points.
            let strings = (pair.value as? [Any] ?? [pair.value]).map {
                "\($0)".unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
            }
            return [(.record(.txt, .text(strings)), isOldType)]
        }
    }
}

/// Any resolver in the place of one whose type is known.
private struct AnyResolver: DNSResolver {
    let base: any DNSResolver

    init(_ base: any DNSResolver) {
        self.base = base
    }

    func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSResponse { await self.base.resolve(name, type) }
}

extension [[UInt8]] {
    /// Labels as the name server of the tests knows them.
    fileprivate var text: String { self.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".") }
}

extension DNSRecord {
    /// Its data as on the wire (RFC 1035 §3.3).
    fileprivate var wire: [UInt8] {
        func name(_ name: DNSName) -> [UInt8] { name.labels.flatMap { [UInt8($0.count)] + $0 } + [0] }
        switch self {
        case .address(let address): return address.octets
        case .mailExchange(let preference, let exchange):
            return [UInt8(preference >> 8), UInt8(preference & 0xff)] + name(exchange)
        case .name(let target): return name(target)
        case .text(let strings):
            // A string of a record has up to 255 octets; longer ones of the suite are several.
            return strings.flatMap { string in
                string.isEmpty
                    ? [0]
                    : stride(from: 0, to: string.count, by: 255).flatMap { start -> [UInt8] in
                        let piece = string[start..<min(start + 255, string.count)]
                        return [UInt8(piece.count)] + piece
                    }
            }
        }
    }
}
