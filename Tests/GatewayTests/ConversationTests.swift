import Foundation
import OutpostTestKit
import Synchronization
import Testing

/// The conversations of `Fixtures/conversations`, in memory and against the program.
private enum Corpus {
    static let loaded = Result { try ConversationScript.all() }
    static let scripts = (try? loaded.get()) ?? []
}

@Suite("Conversations")
struct ConversationTests {
    @Test("there are enough of them, and no two say the same")
    func corpus() throws {
        let scripts = try Corpus.loaded.get()
        #expect(scripts.count >= 120)
        var seen: [String: String] = [:]
        for script in scripts {
            let key =
                "\(script.configuration) \(script.listener) \(script.offers) "
                + script.steps.map { "\($0.actor) \($0.action)" }.joined(separator: "\n")
            if let other = seen[key] { Issue.record("\(script.name) is \(other)") }
            seen[key] = script.name
        }
    }

    @Suite("in memory", .serialized, .conversationGateways)
    struct InMemory {
        @Test("go as written", arguments: Corpus.scripts.filter { $0.programOnly == nil })
        func conversation(_ script: ConversationScript) async throws {
            let gateways = try #require(ConversationGateways.current)
            script.record(try await onThread { try gateways.memory(for: script).run(script) })
        }
    }

    @Suite(
        "against the program",
        .serialized,
        .conversationGateways,
        .enabled(if: ConversationProgram.path != nil, "outpost is not built")
    )
    struct AgainstTheProgram {
        @Test("go as written", arguments: Corpus.scripts)
        func conversation(_ script: ConversationScript) async throws {
            let gateways = try #require(ConversationGateways.current)
            script.record(try await onThread { try gateways.program(for: script).run(script, startTLS: BlockingTLS.start) })
        }
    }
}

extension ConversationScript: CustomTestStringConvertible {
    public var testDescription: String { self.name }

    fileprivate func record(_ failures: [ConversationFailure]) {
        for failure in failures {
            Issue.record(
                "\(self.name):\(failure.line): \(failure.reason)",
                sourceLocation: SourceLocation(
                    fileID: "Conversations/\(self.file.lastPathComponent)",
                    filePath: self.file.path,
                    line: failure.line,
                    column: 1
                )
            )
        }
    }
}

/// Runs what blocks on a thread of its own.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
}

/// The gateways that one suite needs: each configuration is started once, when the first conversation asks for it.
final class ConversationGateways: Sendable {
    @TaskLocal static var current: ConversationGateways?

    private struct Key: Hashable {
        let configuration: String
        let offers: [String]

        init(_ script: ConversationScript) {
            self.configuration = script.configuration
            self.offers = script.offers
        }
    }

    private let programs = Mutex<[Key: ConversationProgram]>([:])
    private let memory = Mutex<[Key: MemoryGateway]>([:])

    func program(for script: ConversationScript) throws -> ConversationProgram {
        try self.programs.withLock { programs in
            if let program = programs[Key(script)] { return program }
            let certificate = try TestCertificates.shared.get().make(["mx.example.com"])
            let program = try ConversationProgram(
                configuration: script.configuration,
                offers: script.offers,
                certificate: certificate
            )
            programs[Key(script)] = program
            return program
        }
    }

    func memory(for script: ConversationScript) throws -> MemoryGateway {
        try self.memory.withLock { gateways in
            if let gateway = gateways[Key(script)] { return gateway }
            let gateway = try MemoryGateway(configuration: script.configuration, offers: script.offers)
            gateways[Key(script)] = gateway
            return gateway
        }
    }

    func stop() async throws {
        let programs = self.programs.withLock { Array($0.values) }
        let complaints = try await onThread { programs.compactMap { $0.stop() } }
        for complaint in complaints { Issue.record("\(complaint)") }
        for gateway in self.memory.withLock({ Array($0.values) }) { await gateway.stop() }
    }
}

/// Gives a suite its gateways and stops them behind its last test.
struct ConversationGatewaysTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        let gateways = ConversationGateways()
        try await ConversationGateways.$current.withValue(gateways) { try await function() }
        try await gateways.stop()
    }
}

extension Trait where Self == ConversationGatewaysTrait {
    static var conversationGateways: Self { ConversationGatewaysTrait() }
}
