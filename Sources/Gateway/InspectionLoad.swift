import VirusScan

/// How much is being examined and how much waits, for those who watch.
package struct InspectionLoad: Hashable, Sendable {
    /// Pieces of work in the quick lane, those that run and those that wait: examinations, scans, questions to the DNS.
    package var quick: Int
    /// From here on new messages are told to come later.
    package var quickLimit: Int
    /// Messages that take long: examined now, waiting for that.
    package var slowRunning: Int
    package var slowWaiting: Int
    package var scans: ScanLoad
    /// Since the start: connections and messages that were turned away because too much waited.
    package var shedConnections: Int
    package var shedMessages: Int
}
