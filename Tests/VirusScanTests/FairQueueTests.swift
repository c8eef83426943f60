import MailTypes
import Testing

@testable import VirusScan

@Suite("Who of those that wait goes next")
struct FairQueueTests {
    /// A queue at a place of its own: what changes it can stand in an expectation.
    private final class Line {
        private var queue: FairQueue

        init(_ bounds: FairQueue.Bounds) { self.queue = FairQueue(bounds) }

        var running: Int { self.queue.running }
        var waiting: Int { self.queue.waiting }
        var refusals: Int { self.queue.refusals }
        var remembered: Int { self.queue.remembered }

        @discardableResult
        func enter(_ id: UInt64, network: IPNetwork?, cost: Int, now: Int) -> FairQueue.Entry {
            self.queue.enter(id, network: network, cost: cost, now: now)
        }

        @discardableResult
        func leave(_ id: UInt64, now: Int) -> [UInt64] { self.queue.leave(id, now: now) }
        func withdraw(_ id: UInt64) -> Bool { self.queue.withdraw(id) }
        func admit(now: Int) -> [UInt64] { self.queue.admit(now: now) }
        func nextOverdue(now: Int) -> Int? { self.queue.nextOverdue(now: now) }

        /// One place; whoever takes it leaves at once, so that the order of leaving is the order of the queue.
        func order(holder: UInt64, now: Int) -> [UInt64] {
            var order: [UInt64] = []
            var next = self.leave(holder, now: now)
            while let id = next.first {
                order.append(id)
                next = self.leave(id, now: now)
            }
            return order
        }
    }

    private static func network(_ number: Int) -> IPNetwork { IPNetwork("192.0.\(number).0/24")! }

    @Test("as many run as there are places, and each that leaves makes room for one")
    func places() {
        let queue = Line(FairQueue.Bounds(places: 2, waiting: 10))
        #expect(queue.enter(1, network: nil, cost: 1, now: 0) == .runs)
        #expect(queue.enter(2, network: nil, cost: 1, now: 0) == .runs)
        #expect(queue.enter(3, network: nil, cost: 1, now: 0) == .waits)
        #expect(queue.enter(4, network: nil, cost: 1, now: 1) == .waits)
        #expect([queue.running, queue.waiting] == [2, 2])
        #expect(queue.leave(1, now: 2) == [3])
        #expect(queue.leave(3, now: 2) == [4])
        #expect(queue.leave(2, now: 2) == [])
        #expect(queue.leave(4, now: 2) == [])
        #expect([queue.running, queue.waiting] == [0, 0])
    }

    @Test("short work passes long work that came before it")
    func shortFirst() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 10))
        queue.enter(1, network: nil, cost: 1, now: 0)
        queue.enter(2, network: nil, cost: 2_000, now: 0)
        queue.enter(3, network: nil, cost: 3, now: 100)
        queue.enter(4, network: nil, cost: 50, now: 50)
        #expect(queue.order(holder: 1, now: 200) == [3, 4, 2])
    }

    @Test("long work is not passed for ever: what comes ten times its cost later is behind it")
    func ageing() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 1_000))
        queue.enter(1, network: nil, cost: 1, now: 0)
        queue.enter(2, network: nil, cost: 100, now: 0)
        var holder: UInt64 = 1
        var passed = 0
        // One short piece comes every 5 ms and the place is always taken.
        for step in 1...1_000 {
            queue.enter(UInt64(10 + step), network: nil, cost: 3, now: step * 5)
            let next = queue.leave(holder, now: step * 5)
            if next == [2] { break }
            passed += 1
            holder = next[0]
        }
        #expect(passed == 193)
    }

    @Test("a network that sends much waits behind itself and not before others")
    func networks() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 100))
        queue.enter(1, network: nil, cost: 1, now: 0)
        for id in 10..<20 { queue.enter(UInt64(id), network: Self.network(1), cost: 100, now: 0) }
        queue.enter(30, network: Self.network(2), cost: 100, now: 900)
        // Each of the first network is due a second behind the one before.
        #expect(queue.order(holder: 1, now: 1_000) == [10, 30, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    }

    @Test("what a network had before counts for ten seconds at most")
    func debt() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 1_000))
        queue.enter(1, network: nil, cost: 1, now: 0)
        for id in 100..<200 { queue.enter(UInt64(id), network: Self.network(1), cost: 1_000, now: 0) }
        for id in 100..<200 { #expect(queue.withdraw(UInt64(id))) }
        queue.enter(2, network: Self.network(1), cost: 1, now: 0)
        queue.enter(3, network: Self.network(2), cost: 1, now: 9_900)
        queue.enter(4, network: Self.network(3), cost: 1, now: 10_100)
        #expect(queue.order(holder: 1, now: 10_200) == [3, 2, 4])
    }

    @Test("what a network had is forgotten when its time has come, and is bounded in any case")
    func memory() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 1))
        for number in 0..<20_000 {
            let network = IPNetwork("10.\(number >> 8).\(number & 0xff).0/24")!
            queue.enter(UInt64(number), network: network, cost: 1_000, now: 0)
            queue.leave(UInt64(number), now: 0)
        }
        #expect(queue.remembered == 4_096)
        queue.enter(1, network: Self.network(1), cost: 1, now: 100_000)
        #expect(queue.remembered == 1)
    }

    @Test("more than may wait are refused, in all and of one network")
    func full() {
        let queue = Line(FairQueue.Bounds(places: 1, waiting: 3, waitingPerNetwork: 2))
        queue.enter(1, network: Self.network(1), cost: 1, now: 0)
        #expect(queue.enter(2, network: Self.network(1), cost: 1, now: 0) == .waits)
        #expect(queue.enter(3, network: Self.network(1), cost: 1, now: 0) == .waits)
        #expect(queue.enter(4, network: Self.network(1), cost: 1, now: 0) == .refused)
        #expect(queue.enter(5, network: Self.network(2), cost: 1, now: 0) == .waits)
        #expect(queue.enter(6, network: Self.network(3), cost: 1, now: 0) == .refused)
        #expect(queue.refusals == 2)
        // Whoever goes makes room, for the network as well.
        #expect(queue.withdraw(2))
        #expect(!queue.withdraw(2))
        #expect(queue.enter(7, network: Self.network(1), cost: 1, now: 0) == .waits)
        #expect(queue.enter(8, network: Self.network(1), cost: 1, now: 0) == .refused)
    }

    @Test("a piece that takes longer than such pieces do gives its place to others, as often as there are spares")
    func overdue() {
        var bounds = FairQueue.Bounds(places: 1, waiting: 10)
        bounds.overdueAfter = 250
        bounds.spares = 1
        let queue = Line(bounds)
        #expect(queue.enter(1, network: nil, cost: 1, now: 0) == .runs)
        #expect(queue.nextOverdue(now: 0) == nil)
        #expect(queue.enter(2, network: nil, cost: 1, now: 100) == .waits)
        #expect(queue.nextOverdue(now: 100) == 250)
        #expect(queue.admit(now: 249) == [])
        #expect(queue.admit(now: 250) == [2])
        // The spare place is in use: the second that becomes overdue keeps its own.
        #expect(queue.enter(3, network: nil, cost: 1, now: 400) == .waits)
        #expect(queue.admit(now: 1_000) == [])
        #expect(queue.nextOverdue(now: 1_000) == nil)
        #expect(queue.leave(1, now: 1_100) == [3])
    }
}

@Suite("Tasks at the gate")
struct FairGateTests {
    @Test("one waits until another leaves, one whose time passes has no place, one that finds it full does not wait")
    func entries() async {
        let gate = FairGate(FairQueue.Bounds(places: 1, waiting: 1))
        let later = ContinuousClock.now + .seconds(600)
        guard case .entered(let first) = await gate.enter(network: nil, cost: 1, deadline: later) else {
            Issue.record("an empty gate is closed")
            return
        }
        #expect(await gate.enter(network: nil, cost: 1, deadline: .now + .milliseconds(10)) == .timedOut)
        let second = Task { await gate.enter(network: nil, cost: 1, deadline: later) }
        while await gate.waiting == 0 { await Task.yield() }
        #expect(await gate.enter(network: nil, cost: 1, deadline: later) == .full)
        #expect(await gate.refusals == 1)
        await gate.leave(first)
        guard case .entered(let place) = await second.value else {
            Issue.record("nobody took the place")
            return
        }
        await gate.leave(place)
        #expect(await gate.running == 0)
    }

    @Test("the alarm lets somebody in while nobody leaves")
    func overdue() async {
        var bounds = FairQueue.Bounds(places: 1, waiting: 1)
        bounds.overdueAfter = 20
        bounds.spares = 1
        let gate = FairGate(bounds)
        let later = ContinuousClock.now + .seconds(600)
        _ = await gate.enter(network: nil, cost: 1, deadline: later)
        guard case .entered = await gate.enter(network: nil, cost: 1, deadline: later) else {
            Issue.record("an overdue piece keeps its place")
            return
        }
        #expect(await gate.running == 2)
    }
}
