import MailTypes
import NIOPosix
import SystemKit
import VirusScan

/// Examines messages that take long on threads of their own, which give way to all others of the machine, in a fair order.
///
/// Without it a few archives that are made to be large keep all inspection threads busy, and every message waits for them.
final class SlowLane: Sendable {
    struct Bounds: Hashable, Sendable {
        /// Messages examined at once.
        var places: Int
        /// Messages that wait, in all and from one client network; beyond either 451 4.3.2.
        var waiting: Int
        var waitingPerNetwork: Int
    }

    enum Outcome: Hashable, Sendable {
        case done
        /// Not begun: too many wait.
        case full
        /// Not begun: its time has passed.
        case timedOut
        case stopped
    }

    private let gate: FairGate
    private let threads: NIOThreadPool

    init(_ bounds: Bounds) {
        self.gate = FairGate(
            FairQueue.Bounds(places: bounds.places, waiting: bounds.waiting, waitingPerNetwork: bounds.waitingPerNetwork)
        )
        self.threads = NIOThreadPool(numberOfThreads: bounds.places)
        self.threads.start()
    }

    func stop() async { try? await self.threads.shutdownGracefully() }

    var running: Int { get async { await self.gate.running } }
    var waiting: Int { get async { await self.gate.waiting } }
    var refusals: Int { get async { await self.gate.refusals } }

    func run(
        network: IPNetwork,
        cost: ExpectedCost,
        deadline: ContinuousClock.Instant,
        _ work: @escaping @Sendable () -> Void
    ) async -> Outcome {
        switch await self.gate.enter(network: network, cost: cost.milliseconds, deadline: deadline) {
        case .full: return .full
        case .timedOut: return .timedOut
        case .entered(let place):
            let outcome: Outcome
            do {
                try await self.threads.runIfActive {
                    // For the thread's whole life; again each time, because a pool does not tell when it starts one.
                    CurrentThread.giveWay()
                    work()
                }
                outcome = .done
            } catch {
                outcome = .stopped
            }
            await self.gate.leave(place)
            return outcome
        }
    }
}
