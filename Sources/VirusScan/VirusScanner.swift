import ContentStorage
import MailTypes

/// What a scanner is given of one message.
package struct ScanSubject: Sendable {
    /// The message as it came.
    package var message: MessageContent
    /// Each part as our parser decodes it, and as lenient readers would where that differs. Asked for when the scan's turn has
    /// come, on a thread that may wait: messages that queue for the engine are not held in memory a second time.
    package var parts: @Sendable () -> [[UInt8]]
    /// What orders the scans that wait.
    package var demand = ScanDemand()

    package init(message: MessageContent, parts: @escaping @Sendable () -> [[UInt8]]) {
        self.message = message
        self.parts = parts
    }

    package init(message: MessageContent, parts: [[UInt8]] = []) {
        self.init(message: message) { parts }
    }
}

/// What a scan is expected to be.
package struct ScanDemand: Hashable, Sendable {
    /// The client's; nil: nobody's.
    package var network: IPNetwork?
    /// Milliseconds that it will take, as far as one can tell.
    package var cost: Int
    /// It has a lane of its own, so that those that do not take long need not wait for it.
    package var isLong: Bool

    package init(network: IPNetwork? = nil, cost: Int = 1, isLong: Bool = false) {
        self.network = network
        self.cost = cost
        self.isLong = isLong
    }
}

/// Scans that run and wait now.
package struct ScanLoad: Hashable, Sendable {
    package var running = 0
    package var waiting = 0
    package var longRunning = 0
    package var longWaiting = 0
    /// Since the start: scans that were not begun because too many waited.
    package var refusals = 0

    package init() {}
}

/// A virus engine: `outpost-scanner` or clamd.
package protocol VirusScanner: Sendable {
    /// Never throws: no answer in time is a finding, `.notScanned`.
    /// - Parameter budget: how long the answer may take in all.
    func scan(_ subject: ScanSubject, budget: Duration) async -> ScanFindings

    func load() async -> ScanLoad
}
