import ContentStorage
import MailTypes

/// What a scanner is given of one message.
package struct ScanSubject: Sendable {
    /// The message as it came.
    package var message: MessageContent
    /// Each part as our parser decodes it, and as lenient readers would where that differs. Asked for when the scan's turn has
    /// come, on a thread that may wait: messages that queue for the engine are not held in memory a second time.
    package var parts: @Sendable () -> [[UInt8]]

    package init(message: MessageContent, parts: @escaping @Sendable () -> [[UInt8]]) {
        self.message = message
        self.parts = parts
    }

    package init(message: MessageContent, parts: [[UInt8]] = []) {
        self.init(message: message) { parts }
    }
}

/// A virus engine: `outpost-scanner` or clamd.
package protocol VirusScanner: Sendable {
    /// Never throws: no answer in time is a finding, `.notScanned`.
    /// - Parameter budget: how long the answer may take in all.
    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings
}
