import MailTypes
import OpenSSLKit

/// The three fields that one hop added.
struct ARCSet {
    var results: SignedMessage.Field
    var signature: SignedMessage.Field
    var seal: SignedMessage.Field
}

/// All ARC fields of a message, put in order (RFC 8617 §4.2).
struct ARCChain {
    /// Hops of a chain (RFC 8617 §4.2.1).
    static let maximumInstances = 50

    /// The first hop first; empty when the message has no ARC fields.
    private(set) var sets: [ARCSet] = []

    struct Failure: Error, Hashable {
        var message: String
    }

    init(_ message: SignedMessage) throws(Failure) {
        let results = try Self.byInstance(message, "arc-authentication-results", Self.instanceOfResults)
        let signatures = try Self.byInstance(message, "arc-message-signature", Self.instanceOfTags)
        let seals = try Self.byInstance(message, "arc-seal", Self.instanceOfTags)
        let count = max(results.keys.max() ?? 0, signatures.keys.max() ?? 0, seals.keys.max() ?? 0)
        guard count > 0 else { return }
        for instance in 1...count {
            guard let result = results[instance], let signature = signatures[instance], let seal = seals[instance] else {
                throw Failure(message: "instance \(instance) is not whole")
            }
            self.sets.append(ARCSet(results: result, signature: signature, seal: seal))
        }
    }

    private static func byInstance(
        _ message: SignedMessage,
        _ name: String,
        _ instance: (ArraySlice<UInt8>) -> Int?
    ) throws(Failure) -> [Int: SignedMessage.Field] {
        var result: [Int: SignedMessage.Field] = [:]
        for field in message.fields(named: name) {
            guard let number = instance(message.value(field)), (1...Self.maximumInstances).contains(number) else {
                throw Failure(message: "\(name) has no valid i=")
            }
            guard result[number] == nil else { throw Failure(message: "\(name) stands twice with i=\(number)") }
            result[number] = field
        }
        return result
    }

    private static func instanceOfTags(_ value: ArraySlice<UInt8>) -> Int? {
        (try? TagList(value))?.number("i").flatMap { Int(exactly: $0) }
    }

    /// `i=1;` in front of what else the field says (RFC 8617 §4.1.1).
    private static func instanceOfResults(_ value: ArraySlice<UInt8>) -> Int? {
        guard let semicolon = value.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        return self.instanceOfTags(value[..<semicolon])
    }
}

/// Validates chains of ARC (RFC 8617 §5.2).
package struct ARCValidator<Resolver: DNSResolver>: Sendable {
    private let keys: DKIMKeyFetcher<Resolver>

    package init(resolver: Resolver) {
        self.keys = DKIMKeyFetcher(resolver: resolver)
    }

    package func validate(_ signed: SignedMessage) async -> ARCFinding {
        let chain: ARCChain
        do {
            chain = try ARCChain(signed)
        } catch {
            return ARCFinding(.fail, reason: error.message)
        }
        guard !chain.sets.isEmpty else { return ARCFinding(.none) }
        var finding = ARCFinding(.pass)
        for set in chain.sets {
            let tags = try? TagList(signed.value(set.seal))
            finding.sealers.append(tags?.text("d") ?? "")
            finding.authenticationResults.append(Self.payload(signed.value(set.results)))
        }
        do {
            try self.checkValues(chain, signed)
            // The newest signature is about the message as it is here; older ones may well be broken by now.
            try await self.checkSignature(chain.sets[chain.sets.count - 1], signed)
            for instance in chain.sets.indices.reversed() { try await self.checkSeal(instance, chain, signed) }
        } catch let stop as Stop {
            finding.result = .fail
            finding.reason = stop.reason
            finding.isTemporary = stop.isTemporary
        } catch {
            finding.result = .fail
            finding.reason = "\(error)"
        }
        return finding
    }

    private struct Stop: Error {
        var reason: String
        var isTemporary = false
    }

    /// Behind `i=N;`, on one line.
    private static func payload(_ value: ArraySlice<UInt8>) -> String {
        let rest = value.drop { $0 != UInt8(ascii: ";") }.dropFirst()
        let line = rest.filter { $0 != 0x0d && $0 != 0x0a }.drop { $0.isTagSpace }
        return String(decoding: line, as: UTF8.self)
    }

    /// `cv=`: none for the first hop, pass for all others.
    private func checkValues(_ chain: ARCChain, _ message: SignedMessage) throws {
        for (index, set) in chain.sets.enumerated() {
            let tags = try self.tags(set.seal, message, "ARC-Seal \(index + 1)")
            guard tags["h"] == nil else { throw Stop(reason: "ARC-Seal \(index + 1) has h=") }
            let wanted = index == 0 ? "none" : "pass"
            guard tags.text("cv") == wanted else {
                throw Stop(reason: "ARC-Seal \(index + 1) has cv=\(tags.text("cv") ?? "")")
            }
        }
    }

    private func tags(_ field: SignedMessage.Field, _ message: SignedMessage, _ name: String) throws -> TagList {
        do {
            return try TagList(message.value(field))
        } catch {
            throw Stop(reason: "\(name): \(error.message)")
        }
    }

    private func checkSignature(_ set: ARCSet, _ message: SignedMessage) async throws {
        let name = "ARC-Message-Signature"
        let signature: DKIMSignature
        do {
            signature = try DKIMSignature(self.tags(set.signature, message, name), isARC: true)
        } catch let failure as DKIMSignature.Failure {
            throw Stop(reason: "\(name): \(failure.message)")
        }
        guard message.bodyHash(signature.bodyForm, limit: signature.bodyLength)?.hash == signature.bodyHash else {
            throw Stop(reason: "\(name): the body was changed")
        }
        var text: [UInt8] = []
        message.appendFields(signature.headers, signature.headerForm, to: &text)
        message.appendSignature(set.signature, signature.headerForm, to: &text)
        try await self.verify(signature, text, name)
    }

    /// A seal signs all sets up to its own, in the order in which they were added (RFC 8617 §5.1.1).
    private func checkSeal(_ index: Int, _ chain: ARCChain, _ message: SignedMessage) async throws {
        let set = chain.sets[index]
        let name = "ARC-Seal \(index + 1)"
        let signature: DKIMSignature
        do {
            signature = try DKIMSignature(seal: self.tags(set.seal, message, name))
        } catch let failure as DKIMSignature.Failure {
            throw Stop(reason: "\(name): \(failure.message)")
        }
        var text: [UInt8] = []
        for earlier in chain.sets[..<index] {
            for field in [earlier.results, earlier.signature, earlier.seal] { message.append(field, .relaxed, to: &text) }
        }
        message.append(set.results, .relaxed, to: &text)
        message.append(set.signature, .relaxed, to: &text)
        message.appendSignature(set.seal, .relaxed, to: &text)
        try await self.verify(signature, text, name)
    }

    private func verify(_ signature: DKIMSignature, _ text: [UInt8], _ name: String) async throws {
        guard signature.algorithm != .rsaSHA1 else { throw Stop(reason: "\(name): rsa-sha1 is no longer accepted") }
        switch await self.keys.key(for: signature) {
        case .success(let key):
            guard key.key.verifies(signature.signature, ofDigest: SHA256.hash(text)) else {
                throw Stop(reason: "\(name): the signature does not match")
            }
        case .failure(let finding):
            throw Stop(reason: "\(name): \(finding.reason ?? "no key")", isTemporary: finding.result == .temperror)
        }
    }
}
