import MailMessage
import MailTypes

/// The reverse path, as `EnvelopeFrom` has it.
///
/// In a session, and when it was stated, it is the envelope's. A message alone may tell it in a field that some server on
/// the way wrote: then a field counts only if no Received field stands above it, for below one it may be of an earlier
/// hop with another envelope.
enum EnvelopeSender {
    /// nil when nothing tells.
    static func find(_ subject: some RuleSubject, _ envelope: Envelope) -> [UInt8]? {
        switch envelope.origin {
        case .session, .stated: Array(envelope.reversePath.description.utf8)
        case .unknown: self.derived(subject)
        }
    }

    private static func derived(_ subject: some RuleSubject) -> [UInt8]? {
        if let name = subject.envelopeSenderField {
            // Whoever names a field says that it is always there.
            return self.address(subject, HeaderName(name)).flatMap { self.isPath($0) ? $0 : nil }
        }
        let relays = subject.relays
        if let path = (relays.untrusted.first ?? relays.trusted.last)?.envelopeFrom, self.isPath(path) { return path }
        // Lists keep the sender of a message in X-Sender, and fetchmail takes that for the envelope.
        if self.address(subject, self.listSender)?.contains(.at) == true, self.wasFetched(subject) { return nil }
        for (name, decides) in self.fields {
            guard let address = self.address(subject, name) else { continue }
            if !self.stands(name, belowReceivedIn: subject) { return address }
            if decides { return nil }
        }
        return nil
    }

    private static let listSender: HeaderName = "x-sender"
    /// Fields with a sender, and whether none behind counts when that one stands below a Received field.
    private static let fields: [(HeaderName, Bool)] = [
        ("x-envelope-from", true), ("envelope-sender", false), ("return-path", false),
    ]

    /// The null path, or one with something before its `@`.
    private static func isPath(_ text: [UInt8]) -> Bool {
        text.isEmpty || (text.firstIndex(of: .at) ?? 0) > 0
    }

    private static func address(_ subject: some RuleSubject, _ name: HeaderName) -> [UInt8]? {
        subject.fields(named: name).first.flatMap { field in
            HeaderAddress.list(field.raw).lazy.compactMap(\.address).first
        }
    }

    private static func wasFetched(_ subject: some RuleSubject) -> Bool {
        subject.fields(named: .received).contains { $0.decoded.contains("(fetchmail") }
    }

    private static func stands(_ name: HeaderName, belowReceivedIn subject: some RuleSubject) -> Bool {
        let fields = subject.allFields()
        guard let received = fields.firstIndex(where: { $0.isNamed(.received) }) else { return false }
        return fields[received...].contains { $0.isNamed(name) }
    }
}
