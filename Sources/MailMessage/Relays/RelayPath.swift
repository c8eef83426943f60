import MailTypes

/// The hops of a message, newest first, and how far they can be believed.
package struct RelayPath: Sendable {
    /// Told by hosts that can be trusted, or by ourselves.
    package private(set) var trusted: [Relay] = []
    /// From the first hop on that could be made up.
    package private(set) var untrusted: [Relay] = []
    /// Within our own network.
    package private(set) var `internal`: [Relay] = []
    package private(set) var external: [Relay] = []
    /// Received fields that could not be read.
    package private(set) var unparseableCount = 0
    /// Received fields, less one, that stand in front of the first untrusted hop; −1 for none. Fields that are no hops count.
    package private(set) var lastTrustedField = -1
    package private(set) var lastInternalField = -1
    /// The first hop is the connection to us: no Received field tells of it.
    package private(set) var beginsWithConnection = false

    /// Received fields that are looked at. Servers refuse mail with a hundred (RFC 5321 §6.3): what has more was written to
    /// cost time.
    static let maximumFields = 200

    package init() {}

    /// - Parameters:
    ///   - connection: the hop to us, if the message came over one.
    package init(_ message: ParsedMessage, networks: RelayNetworks, connection: Relay? = nil) {
        var reader = RelayPathReader(networks)
        if let connection {
            self.beginsWithConnection = true
            reader.add(.relay(connection), to: &self)
        }
        for field in message.fields(named: "received").prefix(Self.maximumFields) {
            reader.add(ReceivedParser.parse(message.bytes[field.value]), to: &self)
        }
        for name in networks.originatingFields {
            guard let field = message.fields(named: name).last else { continue }
            let value = message.unfoldedValue(of: field)
            guard let address = AddressText.first(in: value) else { continue }
            reader.add(ReceivedParser.parse(Array("from X-Originating-IP: ".utf8) + value[address]), to: &self)
        }
    }

    /// As rules see hops: `[ ip=… rdns=… … ] [ ip=… ]`.
    package static func text(_ relays: [Relay]) -> [UInt8] {
        Array(relays.map(\.text).joined(separator: [.space]))
    }

    /// Walks along the hops.
    private struct RelayPathReader {
        let trusted: NetworkSet
        let `internal`: NetworkSet
        let submission: NetworkSet
        /// Nobody said which hosts are trusted: private addresses and authenticated clients are.
        let isGuessing: Bool
        var isTrusted = true
        var isInternal = true
        var hasMetSubmission = false
        var mayHaveFetched = true
        var envelopeBelow: [UInt8]?

        init(_ networks: RelayNetworks) {
            // Who names only one of the two means both.
            self.trusted = networks.trusted ?? networks.internal ?? RelayNetworks.loopback
            self.internal = networks.internal ?? networks.trusted ?? RelayNetworks.loopback
            self.submission = networks.submission
            self.isGuessing = networks.trusted == nil && networks.internal == nil
        }

        mutating func add(_ outcome: ReceivedParser.Outcome, to path: inout RelayPath) {
            let envelope = self.envelopeBelow
            self.envelopeBelow = nil
            switch outcome {
            case .relay(var relay):
                if let envelope, !envelope.isEmpty { relay.envelopeFrom = envelope }
                self.judge(&relay)
                self.append(relay, to: &path)
                return
            case .unparseable: path.unparseableCount += 1
            case .envelopeBelow(let envelope): self.envelopeBelow = envelope
            case .fetched where self.mayHaveFetched:
                path.trusted = []
                path.internal = []
                path.external = []
            case .fetched, .ignored: break
            }
            if self.isTrusted { path.lastTrustedField += 1 }
            if self.isInternal { path.lastInternalField += 1 }
        }

        private mutating func judge(_ relay: inout Relay) {
            guard self.isTrusted, !self.hasMetSubmission else { return }
            let isAuthenticated = !relay.authentication.isEmpty
            if self.isGuessing {
                if !relay.isPrivate, !isAuthenticated {
                    self.isTrusted = false
                    self.isInternal = false
                }
                return
            }
            let address = relay.address
            func isIn(_ set: NetworkSet) -> Bool { address.map { set.contains($0) } ?? false }
            guard isAuthenticated || isIn(self.trusted) else {
                self.isTrusted = false
                self.isInternal = false
                return
            }
            if self.isInternal, !isAuthenticated, !isIn(self.internal) { self.isInternal = false }
            if isIn(self.submission) {
                self.hasMetSubmission = true
                relay.isSubmissionServer = true
            }
        }

        private mutating func append(_ relay: Relay, to path: inout RelayPath) {
            var relay = relay
            relay.isInternal = self.isInternal
            self.mayHaveFetched = self.isTrusted
            if self.isTrusted {
                path.trusted.append(relay)
                path.lastTrustedField += 1
            } else {
                path.untrusted.append(relay)
            }
            if self.isInternal {
                path.internal.append(relay)
                path.lastInternalField += 1
            } else {
                path.external.append(relay)
            }
        }
    }
}
