import Dispatch
import Synchronization
import Testing

@testable import MailStore

@Suite("Jobs in batches")
struct BatchQueueTests {
    @Test("what comes while others are carried out goes together next, in order and no more than the limit")
    func batches() async {
        let queue = BatchQueue<Int>(label: "test", limit: 4)
        let gate = DispatchSemaphore(value: 0)
        let seen = Mutex<[[Int]]>([])
        let (ends, continuation) = AsyncStream.makeStream(of: Void.self)
        let carryOut: @Sendable ([Int]) -> Void = { jobs in
            // The first waits until all others have come.
            if jobs.contains(0) { gate.wait() }
            seen.withLock { $0.append(jobs) }
            if jobs.contains(6) { continuation.yield() }
        }
        for number in 0...6 { queue.add(number, carryOut: carryOut) }
        gate.signal()
        for await _ in ends { break }
        let batches = seen.withLock { $0 }
        // How many have come when the first batch begins is up to the threads.
        #expect(batches.flatMap { $0 } == Array(0...6))
        #expect(batches.allSatisfy { (1...4).contains($0.count) })
        #expect(batches.count <= 3)
        // It starts again after it was idle.
        queue.add(6, carryOut: carryOut)
        for await _ in ends { break }
        #expect(seen.withLock { $0.last } == [6])
    }
}
