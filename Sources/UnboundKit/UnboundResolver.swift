import Dispatch

/// Asks libunbound from any thread, and gives up questions whose time is over.
///
/// `@unchecked Sendable`: all that changes is touched on `queue` alone; the sources are set up before anybody else knows of the
/// object, and cancelled when nobody does any more.
package final class UnboundResolver: @unchecked Sendable {
    /// What a question came to; nil: it was not answered in time.
    package typealias Outcome = Result<UnboundAnswer, UnboundError>?

    private struct OpenQuestion {
        var ticket: UnboundContext.Ticket
        var deadline: ContinuousClock.Instant
        var completion: @Sendable (Outcome) -> Void
    }

    /// How often it is looked for questions whose time is over, while there are any.
    private static let tick = DispatchTimeInterval.milliseconds(50)

    private let context: UnboundContext
    private let timeout: Duration
    private let queue = DispatchQueue(label: "unbound")
    private let answers: any DispatchSourceRead
    private var open: [UInt64: OpenQuestion] = [:]
    private var number: UInt64 = 0
    private var isTicking = false

    /// - Parameter timeout: until a question counts as not answered.
    package init(_ configuration: UnboundContext.Configuration, timeout: Duration) throws(UnboundError) {
        self.context = try UnboundContext(configuration)
        self.timeout = timeout
        self.answers = DispatchSource.makeReadSource(fileDescriptor: self.context.descriptor, queue: self.queue)
        self.answers.setEventHandler { [context] in context.process() }
        self.answers.activate()
    }

    deinit {
        self.answers.cancel()
    }

    /// - Parameter completion: called once, on a thread of the resolver's own.
    package func ask(_ name: String, type: UInt16, completion: @escaping @Sendable (Outcome) -> Void) {
        self.queue.async { self.start(name, type, completion) }
    }

    /// Looks whether servers refuse (`ServerProbe`), one after the other; questions wait meanwhile.
    /// - Parameter completion: called once, on a thread of the resolver's own, with whether all of them do.
    package func look(
        at servers: [(address: String, port: UInt16)],
        milliseconds: Int32,
        completion: @escaping @Sendable (Bool) -> Void
    ) {
        self.queue.async {
            completion(
                servers.allSatisfy { ServerProbe.refuses(address: $0.address, port: $0.port, milliseconds: milliseconds) }
            )
        }
    }

    private func start(_ name: String, _ type: UInt16, _ completion: @escaping @Sendable (Outcome) -> Void) {
        self.number += 1
        let number = self.number
        do {
            let ticket = try self.context.ask(name, type: type) { [weak self] result in
                self?.open[number] = nil
                completion(result)
            }
            self.open[number] = OpenQuestion(ticket: ticket, deadline: .now + self.timeout, completion: completion)
            self.scheduleTick()
        } catch {
            completion(.failure(error))
        }
    }

    private func scheduleTick() {
        guard !self.isTicking, !self.open.isEmpty else { return }
        self.isTicking = true
        self.queue.asyncAfter(deadline: .now() + Self.tick) { [weak self] in
            guard let self else { return }
            self.isTicking = false
            self.endOverdue()
            self.scheduleTick()
        }
    }

    private func endOverdue() {
        let now = ContinuousClock.now
        for (number, question) in self.open where question.deadline <= now {
            self.open[number] = nil
            self.context.cancel(question.ticket)
            question.completion(nil)
        }
    }
}
