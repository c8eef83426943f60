import Dispatch
import Testing

/// Runs tests that wait in system calls on threads of their own, so that they take none of the few threads that
/// asynchronous tests share.
public struct BlockingTests: TestTrait, SuiteTrait, TestScoping {
    private final class Threads: TaskExecutor {
        private let queue = DispatchQueue(label: "outpost.tests.blocking", attributes: .concurrent)

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            self.queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    private static let threads = Threads()

    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(Self.threads) { try await function() }
    }
}

extension Trait where Self == BlockingTests {
    public static var blocking: Self { BlockingTests() }
}

/// Starts one Postfix for all tests of a suite, found in `PostfixInstance.current`.
public struct WithPostfix: SuiteTrait, TestScoping {
    private let settings: [String]

    init(settings: [String]) {
        self.settings = settings
    }

    public var isRecursive: Bool { false }

    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        guard PostfixInstance.isAvailable else { return try await function() }
        let postfix = try PostfixInstance(settings: self.settings)
        try await PostfixInstance.$current.withValue(postfix) { try await function() }
    }
}

extension Trait where Self == WithPostfix {
    public static func postfix(_ settings: String...) -> Self { WithPostfix(settings: settings) }
}
