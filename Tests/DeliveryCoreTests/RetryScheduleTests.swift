import DeliveryCore
import Testing

@Suite("When a destination that is away is tried again")
struct RetryScheduleTests {
    private let start = ContinuousClock.now
    private var random = FixedNumbers(.max)

    private func attempt(_ leave: RetrySchedule.Leave, sourceLocation: SourceLocation = #_sourceLocation) throws
        -> RetrySchedule.Attempt
    {
        guard case .go(let attempt) = leave else {
            Issue.record("no leave: \(leave)", sourceLocation: sourceLocation)
            throw ExpectedLeave()
        }
        return attempt
    }

    private struct ExpectedLeave: Error {}

    @Test("the pause doubles from ten seconds to half an hour and stays there")
    func doubles() {
        var least = FixedNumbers(0)
        let pauses = (0...10).map { RetrySchedule.pause(afterFailures: $0, using: &least) }
        #expect(pauses == [10, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_800, 1_800].map { .seconds($0) })
        #expect(RetrySchedule.pause(afterFailures: .max, using: &least) == .seconds(1_800))
        var random = SystemRandomNumberGenerator()
        for failures in 1...20 {
            var fixed = FixedNumbers(0)
            let whole = RetrySchedule.pause(afterFailures: failures, using: &fixed)
            let pauses = (0..<50).map { _ in RetrySchedule.pause(afterFailures: failures, using: &random) }
            #expect(pauses.allSatisfy { $0 <= whole && $0 >= whole * (1 - RetrySchedule.jitter) })
            #expect(Set(pauses).count > 1, "no two gateways should come back at the same time")
        }
    }

    @Test("nothing is known at first: one probe, and all may go when it is answered")
    mutating func begins() throws {
        var schedule = RetrySchedule()
        #expect(!schedule.isAnswering)
        let probe = try self.attempt(schedule.askLeave(at: self.start))
        #expect(probe.isProbe)
        #expect(schedule.askLeave(at: self.start + .seconds(9_999)) == .waitForProbe)
        schedule.answered(probe)
        #expect(schedule.isAnswering)
        for _ in 0..<3 { #expect(try self.attempt(schedule.askLeave(at: self.start)).isProbe == false) }
    }

    @Test("while it is away one probe goes after each pause")
    mutating func probes() throws {
        var schedule = RetrySchedule()
        var now = self.start
        var least = FixedNumbers(0)
        for (index, pause) in [10, 20, 40, 80, 160, 320, 640, 1_280, 1_800, 1_800].enumerated() {
            let probe = try self.attempt(schedule.askLeave(at: now))
            #expect(probe.isProbe)
            schedule.failed(probe, at: now, using: &least)
            #expect(schedule.failures == index + 1)
            #expect(schedule.nextProbe == now + .seconds(pause))
            #expect(schedule.askLeave(at: now + .seconds(pause - 1)) == .wait(until: now + .seconds(pause)))
            now += .seconds(pause)
        }
        schedule.answered(try self.attempt(schedule.askLeave(at: now)))
        #expect(schedule.failures == 0 && schedule.nextProbe == nil)
        // What was learnt before counts no more.
        let later = try self.attempt(schedule.askLeave(at: now))
        schedule.failed(later, at: now, using: &least)
        #expect(schedule.nextProbe == now + .seconds(10))
    }

    @Test("many attempts that fail together are one failure")
    mutating func countsOnce() throws {
        var schedule = RetrySchedule()
        schedule.answered(try self.attempt(schedule.askLeave(at: self.start)))
        let attempts = try (0..<20).map { _ in try self.attempt(schedule.askLeave(at: self.start)) }
        var least = FixedNumbers(0)
        for attempt in attempts { schedule.failed(attempt, at: self.start, using: &least) }
        #expect(schedule.failures == 1)
        // Nor is one from before taken for the probe.
        let probe = try self.attempt(schedule.askLeave(at: self.start + .seconds(10)))
        schedule.failed(attempts[0], at: self.start + .seconds(61), using: &least)
        #expect(schedule.askLeave(at: self.start + .seconds(99)) == .waitForProbe)
        schedule.failed(probe, at: self.start + .seconds(62), using: &least)
        #expect(schedule.failures == 2)
    }

    @Test("an answer to an attempt from before shows that it is there")
    mutating func lateAnswer() throws {
        var schedule = RetrySchedule()
        schedule.answered(try self.attempt(schedule.askLeave(at: self.start)))
        let slow = try self.attempt(schedule.askLeave(at: self.start))
        let failing = try self.attempt(schedule.askLeave(at: self.start))
        schedule.failed(failing, at: self.start, using: &self.random)
        #expect(!schedule.isAnswering)
        schedule.answered(slow)
        #expect(schedule.isAnswering)
    }

    @Test("a probe that is given up makes room for another, and says nothing about the destination")
    mutating func withdrawn() throws {
        var schedule = RetrySchedule()
        schedule.failed(try self.attempt(schedule.askLeave(at: self.start)), at: self.start, using: &self.random)
        let now = self.start + .seconds(10)
        let probe = try self.attempt(schedule.askLeave(at: now))
        schedule.withdrawn(probe, at: now)
        #expect(schedule.failures == 1)
        #expect(try self.attempt(schedule.askLeave(at: now)).isProbe)
        // What became of the first is told twice: the second probe is still under way.
        schedule.withdrawn(probe, at: now)
        schedule.failed(probe, at: now, using: &self.random)
        #expect(schedule.askLeave(at: now) == .waitForProbe)
    }
}

/// Always the same number.
private struct FixedNumbers: RandomNumberGenerator {
    let number: UInt64

    init(_ number: UInt64) {
        self.number = number
    }

    mutating func next() -> UInt64 { self.number }
}
