import NIOCore

/// Waits until the event loops have learned what the system knew when it was asked: above all, which clients have gone.
struct LoopTurns: Sendable {
    private let group: any EventLoopGroup

    /// A loop looks at its connections before it runs what has become due, but goes on with that without another look.
    private static let pause = TimeAmount.milliseconds(2)
    /// A loop that was kept from running for longer than a pause may not have looked in between.
    private static let pauses = 2

    init(_ group: any EventLoopGroup) {
        self.group = group
    }

    /// Returns when every loop has looked at its connections; some milliseconds when none is busy.
    func pass() async {
        for _ in 0..<Self.pauses {
            let looks = self.group.makeIterator().map { $0.scheduleTask(in: Self.pause) {}.futureResult }
            for look in looks { try? await look.get() }
        }
    }
}
