import MailTypes

/// Scans run in two lanes with places of their own, quick ones and long ones, so that a small message never waits for a bomb.
struct ScanLanes: Sendable {
    enum Entry: Sendable {
        case entered(Pass)
        case notScanned(CheckFailure)
    }

    /// A place in a lane.
    struct Pass: Sendable {
        fileprivate let gate: FairGate
        fileprivate let id: UInt64

        func leave() async { await self.gate.leave(self.id) }
    }

    private let quick: FairGate
    private let long: FairGate
    /// Scans that may run at once in both.
    let places: Int

    /// - Parameters:
    ///   - quick: places for scans that are expected to be short.
    ///   - spares: what is made up for when scans there turn out to be long.
    init(quick: Int, long: Int, spares: Int, queueLimit: Int, longQueueLimit: Int, longQueuePerNetwork: Int) {
        var bounds = FairQueue.Bounds(places: quick, waiting: queueLimit)
        bounds.overdueAfter = Self.overdueAfter
        bounds.spares = spares
        self.quick = FairGate(bounds)
        self.long = FairGate(
            FairQueue.Bounds(places: long, waiting: longQueueLimit, waitingPerNetwork: longQueuePerNetwork)
        )
        self.places = quick + long + spares
    }

    /// Milliseconds: well above what a scan takes that was expected to be short, well below what a client notices.
    private static let overdueAfter = 250

    func enter(_ demand: ScanDemand, deadline: ContinuousClock.Instant) async -> Entry {
        let gate = demand.isLong ? self.long : self.quick
        switch await gate.enter(network: demand.network, cost: demand.cost, deadline: deadline) {
        case .entered(let id): return .entered(Pass(gate: gate, id: id))
        case .full: return .notScanned(.overloaded)
        case .timedOut: return .notScanned(.timedOut)
        }
    }

    var load: ScanLoad {
        get async {
            var load = ScanLoad()
            load.running = await self.quick.running
            load.waiting = await self.quick.waiting
            load.longRunning = await self.long.running
            load.longWaiting = await self.long.waiting
            load.refusals = await self.quick.refusals + self.long.refusals
            return load
        }
    }
}
