import NIOCore
import SMTPCore
import Testing

@Suite("Pool of one route")
struct ClientPoolMachineTests {
    private typealias Lease = PoolMachine.LeaseID
    private typealias Connection = PoolMachine.ConnectionID

    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    private static func at(_ seconds: Int64) -> NIODeadline { Self.start + .seconds(seconds) }

    private var pool = PoolMachine(idleLimit: .seconds(30))

    /// One connection, leased as number 1.
    private mutating func open() {
        _ = self.pool.lease(Lease(1), fresh: false, deadline: Self.at(10))
        _ = self.pool.slotGranted()
        _ = self.pool.connected(Connection(0), othersWait: false, now: Self.start)
    }

    @Test("a lease opens a connection, the next one takes it over")
    mutating func reuses() {
        #expect(self.pool.lease(Lease(1), fresh: false, deadline: Self.at(10)) == [.requestSlot])
        #expect(self.pool.slotGranted() == [.connect(Connection(0))])
        #expect(self.pool.connected(Connection(0), othersWait: false, now: Self.start) == [.grant(Lease(1), Connection(0))])
        #expect(self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1)) == [])
        #expect(self.pool.lease(Lease(2), fresh: false, deadline: Self.at(10)) == [.grant(Lease(2), Connection(0))])
    }

    @Test("who waits is served in order, and put off at the deadline")
    mutating func waitsInOrder() {
        self.open()
        #expect(self.pool.lease(Lease(2), fresh: false, deadline: Self.at(5)) == [.requestSlot])
        #expect(self.pool.lease(Lease(3), fresh: false, deadline: Self.at(6)) == [.requestSlot])
        #expect(self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1)) == [.grant(Lease(2), Connection(0))])
        #expect(self.pool.nextDeadline == Self.at(6))
        #expect(self.pool.tick(now: Self.at(5)) == [])
        #expect(self.pool.tick(now: Self.at(6)) == [.fail(Lease(3), .busy)])
        // The slots that were asked for are not wanted any more.
        #expect(self.pool.slotGranted() == [.releaseSlot])
        #expect(self.pool.slotGranted() == [.releaseSlot])
    }

    @Test("a connection that is being opened has its own time")
    mutating func connectingIsNotLate() {
        #expect(self.pool.lease(Lease(1), fresh: false, deadline: Self.at(5)) == [.requestSlot])
        #expect(self.pool.slotGranted() == [.connect(Connection(0))])
        #expect(self.pool.nextDeadline == nil)
        #expect(self.pool.tick(now: Self.at(50)) == [])
    }

    @Test("no host answers: all fail, unless connections are in use that will come back")
    mutating func connectFails() {
        self.open()
        #expect(self.pool.lease(Lease(2), fresh: false, deadline: Self.at(5)) == [.requestSlot])
        #expect(self.pool.slotGranted() == [.connect(Connection(1))])
        #expect(self.pool.connectFailed(Connection(1), .timedOut) == [.releaseSlot])
        #expect(self.pool.waitingLeases == 1)
        // The last one in use is lost: a new attempt, and now there is nothing left to hope for.
        #expect(self.pool.closed(Connection(0)) == [.releaseSlot, .requestSlot])
        #expect(self.pool.slotGranted() == [.connect(Connection(2))])
        #expect(self.pool.connectFailed(Connection(2), .timedOut) == [.releaseSlot, .fail(Lease(2), .lost(.timedOut))])
        #expect(self.pool.openConnections == 0)
    }

    @Test("idle connections run out of time")
    mutating func idleLimit() {
        self.open()
        #expect(self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1)) == [])
        #expect(self.pool.nextDeadline == Self.at(31))
        #expect(self.pool.tick(now: Self.at(30)) == [])
        #expect(self.pool.tick(now: Self.at(31)) == [.close(Connection(0))])
        #expect(self.pool.closed(Connection(0)) == [.releaseSlot])
    }

    @Test("a fresh connection is asked for: the kept ones are suspect")
    mutating func fresh() {
        self.open()
        _ = self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1))
        #expect(self.pool.lease(Lease(2), fresh: true, deadline: Self.at(10)) == [.close(Connection(0)), .requestSlot])
    }

    @Test("other event loops get their turn")
    mutating func sharesSlots() {
        self.open()
        for turn in 2...PoolMachine.turnsWhileOthersWait {
            _ = self.pool.lease(Lease(turn), fresh: false, deadline: Self.at(10))
            #expect(
                self.pool.giveBack(Connection(0), othersWait: true, now: Self.at(1)) == [.grant(Lease(turn), Connection(0))]
            )
        }
        _ = self.pool.lease(Lease(99), fresh: false, deadline: Self.at(10))
        #expect(self.pool.giveBack(Connection(0), othersWait: true, now: Self.at(1)) == [.close(Connection(0))])
    }

    @Test("an idle connection makes room, one that comes back unneeded, too")
    mutating func reclaims() {
        self.open()
        #expect(self.pool.reclaim() == [])
        _ = self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1))
        #expect(self.pool.reclaim() == [.close(Connection(0))])
        _ = self.pool.closed(Connection(0))
        _ = self.pool.lease(Lease(2), fresh: false, deadline: Self.at(10))
        _ = self.pool.slotGranted()
        self.pool.cancel(Lease(2))
        #expect(self.pool.connected(Connection(1), othersWait: true, now: Self.at(2)) == [.close(Connection(1))])
    }

    @Test("shut down, nothing is kept")
    mutating func shutsDown() {
        self.open()
        _ = self.pool.lease(Lease(2), fresh: false, deadline: Self.at(10))
        #expect(self.pool.shutdown() == [.fail(Lease(2), .lost(.abandoned))])
        #expect(self.pool.giveBack(Connection(0), othersWait: false, now: Self.at(1)) == [.close(Connection(0))])
        #expect(self.pool.lease(Lease(3), fresh: false, deadline: Self.at(10)) == [.fail(Lease(3), .lost(.abandoned))])
    }

    @Test("hosts that failed are left alone for a while, unless all did")
    func hostAvailability() {
        var hosts = HostAvailability<String>()
        let all = ["a", "b"]
        #expect(hosts.candidates(all, now: Self.start) == all)
        hosts.failed("a", now: Self.start)
        #expect(hosts.candidates(all, now: Self.start) == ["b"])
        hosts.failed("b", now: Self.at(1))
        #expect(hosts.candidates(all, now: Self.at(2)) == all)
        #expect(hosts.candidates(all, now: Self.start + HostAvailability<String>.backOff) == ["a"])
        hosts.answered("b")
        #expect(hosts.candidates(all, now: Self.at(2)) == ["b"])
    }
}
