import ContentStorage
import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import NIOCore
import NIOPosix
import SMTPCore
import SenderAuth
import SenderReputation
import Synchronization
import VirusScan

/// A message that is to be judged.
struct InspectionSubject: Sendable {
    var envelope: Envelope
    var content: MessageContent
    var facts: ContentFacts
    /// The content taken apart, where that had to be done to know the envelope; nil: not yet.
    var parsed: ParsedContent?
    var policy: Policy
    /// The allow and deny lists; nil: those of the configuration.
    var lists: SenderGate?
    /// What the DNS was asked about the envelope before the message was there; nil: nothing yet.
    var senderQuestion: SenderAuthentication.EnvelopeQuestion?
    /// What is to be learnt from the rules.
    var goal = EvaluationGoal.hits
}

/// Runs all checks on a message, side by side, and has policy decide.
///
/// Parsing, checks and rules run on a fixed set of threads, one message a thread; the virus scan runs in another process
/// meanwhile. What is expected to take long goes through lanes of its own for both, so that others need not wait for it. A check that is not done in time counts as failed, goes on, and is remembered for the sender's retry.
final class MessageInspector: Sendable {
    private let threads: NIOThreadPool
    private let scanner: (any VirusScanner)?
    let cache = VerdictCache()
    private let slowLane: SlowLane?
    private let queueLimit: Int
    private let waiting = Atomic(0)
    private let shedConnections = Atomic(0)
    private let shedMessages = Atomic(0)
    /// Of these, how many wait for a thread, and how many have one.
    private let queued = Atomic(0)
    private let running = Atomic(0)

    /// Octets up to which a message of one text is looked at on the event loop itself where there are neither rules nor virus scan:
    /// what is left, parse and built-in checks, takes some ten microseconds for so much, less than going to another thread and
    /// back. Of a message that holds files nobody knows that.
    private static let inlineLimit = 64 * 1024

    /// - Parameters:
    ///   - slowLane: for messages that take long; nil: they are like all others.
    ///   - queueLimit: inspections and scans of quick messages that may run or wait.
    init(threads: NIOThreadPool, scanner: (any VirusScanner)?, slowLane: SlowLane? = nil, queueLimit: Int) {
        self.threads = threads
        self.scanner = scanner
        self.slowLane = slowLane
        self.queueLimit = queueLimit
    }

    /// Asked at DATA: more work would only make everybody wait, and that is said before the message is sent.
    func mayTakeMessage() -> Bool {
        guard self.waiting.load(ordering: .relaxed) >= self.queueLimit else { return true }
        self.shedMessages.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// Asked when a client comes: new ones are turned away while there is still room for the messages of those that are here.
    func mayTakeConnection() -> Bool {
        guard self.waiting.load(ordering: .relaxed) >= self.queueLimit - self.queueLimit / 4 else { return true }
        self.shedConnections.wrappingAdd(1, ordering: .relaxed)
        return false
    }

    /// For listings; what is told together was not counted in the same instant.
    var figures: GatewayStatus.Inspection {
        get async {
            let running = self.running.load(ordering: .relaxed)
            let queued = self.queued.load(ordering: .relaxed)
            let refusals = await (self.slowLane?.refusals ?? 0) + (self.scanner?.load().refusals ?? 0)
            return GatewayStatus.Inspection(
                running: running,
                waiting: queued,
                elsewhere: max(0, self.waiting.load(ordering: .relaxed) - running - queued),
                bound: self.queueLimit,
                slowRunning: await self.slowLane?.running ?? 0,
                slowWaiting: await self.slowLane?.waiting ?? 0,
                clientsTurnedAway: self.shedConnections.load(ordering: .relaxed),
                messagesPutOff: self.shedMessages.load(ordering: .relaxed) + refusals
            )
        }
    }

    /// - Parameter completion: called once, on the event loop, maybe before this returns, within the inspection time of the
    ///   configuration.
    func inspect(
        _ subject: InspectionSubject,
        snapshot: GatewaySnapshot,
        on eventLoop: any EventLoop,
        completion: @escaping (Judgement) -> Void
    ) {
        let scansVirus = self.scanner != nil && snapshot.configuration.antivirus.engine != .none
        let inspection = PendingInspection(
            envelope: subject.envelope,
            policy: subject.policy,
            lists: subject.lists ?? SenderGate([snapshot.senders]),
            snapshot: snapshot,
            cache: self.cache,
            expectsScan: scansVirus,
            expectsSender: snapshot.authentication != nil,
            expectsLists: snapshot.reputation?.lists.asksAbout { !$0.isOfEnvelope } ?? false,
            completion: completion
        )
        let time = snapshot.configuration.limits.inspectionSeconds
        let course = Course(
            subject: subject,
            snapshot: snapshot,
            deadline: .now + .seconds(time),
            scansVirus: scansVirus,
            eventLoop: eventLoop,
            pending: NIOLoopBound(inspection, eventLoop: eventLoop),
            cost: ExpectedCost(octets: subject.content.octets)
        )
        if !scansVirus, snapshot.rules == nil, snapshot.authentication == nil, !inspection.expectsLists,
            case .memory(let bytes) = subject.content,
            bytes.count <= Self.inlineLimit
        {
            let reading = MessageReading.read(subject, snapshot: snapshot, cache: self.cache)
            if case .success(let read) = reading, read.message.isOneText {
                inspection.examined(reading.examination(course))
                return
            }
        }
        inspection.deadline = eventLoop.assumeIsolated().scheduleTask(in: .seconds(Int64(time))) {
            inspection.deadlineReached()
        }
        self.onThread(course) { self.begin(course) }
    }

    /// Reads the message and starts everything that is to run side by side.
    private func begin(_ course: Course) {
        var course = course
        // Whoever is on a thread of the slow lane already stays there.
        let isHere = self.isSlow(course)
        let reading = MessageReading.read(course.subject, snapshot: course.snapshot, cache: self.cache)
        guard case .success(let read) = reading else { return course.report(reading.examination(course)) }
        if self.slowLane != nil, !isHere { course.cost = ExpectedCost(read.message) }
        if course.scansVirus { self.scan(read, course) }
        self.askLists(read, course)
        if self.askForSender(read, course) { return }
        if self.isSlow(course), !isHere {
            self.examine(course, nil)
        } else {
            course.report(reading.examination(course))
        }
    }

    private func isSlow(_ course: Course) -> Bool { self.slowLane != nil && !course.cost.isQuick }

    /// Checks and rules, on a thread.
    /// - Parameter reading: nil: the message is read again, which costs less than keeping it in memory until its turn comes.
    private func examine(_ course: Course, _ reading: MessageReading?) {
        self.onThread(course) {
            let reading = reading ?? MessageReading.read(course.subject, snapshot: course.snapshot, cache: self.cache)
            course.report(reading.examination(course))
        }
    }

    /// One message's way through the checks.
    struct Course: Sendable {
        var subject: InspectionSubject
        let snapshot: GatewaySnapshot
        let deadline: ContinuousClock.Instant
        let scansVirus: Bool
        fileprivate let eventLoop: any EventLoop
        fileprivate let pending: NIOLoopBound<PendingInspection>
        /// As far as it is known by now.
        var cost: ExpectedCost

        var network: IPNetwork { self.subject.envelope.client.address.customerNetwork }

        fileprivate func report(_ event: @escaping @Sendable (PendingInspection) -> Void) {
            self.eventLoop.execute { event(self.pending.value) }
        }

        fileprivate func report(_ outcome: LocalExamination.Outcome) {
            self.report { $0.examined(outcome) }
        }
    }

    private func onThread(_ course: Course, _ work: @escaping @Sendable () -> Void) {
        if let slowLane = self.slowLane, !course.cost.isQuick {
            Task {
                switch await slowLane.run(network: course.network, cost: course.cost, deadline: course.deadline, work) {
                case .done: break
                case .full: course.report(.failure(.overloaded))
                case .timedOut: course.report(.failure(.timedOut))
                case .stopped: course.report(.failure(.failed("shutting down")))
                }
            }
            return
        }
        self.waiting.wrappingAdd(1, ordering: .relaxed)
        self.queued.wrappingAdd(1, ordering: .relaxed)
        self.threads.submit { state in
            self.queued.wrappingSubtract(1, ordering: .relaxed)
            self.running.wrappingAdd(1, ordering: .relaxed)
            defer {
                self.running.wrappingSubtract(1, ordering: .relaxed)
                self.waiting.wrappingSubtract(1, ordering: .relaxed)
            }
            guard case .active = state else { return course.report(.failure(.failed("shutting down"))) }
            work()
        }
    }

    private func scan(_ read: MessageReading.Read, _ course: Course) {
        guard let scanner = self.scanner else { return }
        let key = read.key
        if let known = read.known.scan {
            course.report { $0.scanned(known, key: key) }
            return
        }
        let isLong = self.isSlow(course)
        var scanSubject = ScanSubject(course.subject.content, read.message, isKept: !isLong)
        scanSubject.demand = ScanDemand(network: course.network, cost: course.cost.milliseconds, isLong: isLong)
        let configured = Duration.seconds(course.snapshot.configuration.antivirus.budgetSeconds)
        // One that takes long has what is left of the whole inspection, since it waits and gives way to others.
        let budget = isLong ? max(configured, course.deadline - .now) : configured
        if !isLong { self.waiting.wrappingAdd(1, ordering: .relaxed) }
        Task { [scanSubject] in
            defer { if !isLong { self.waiting.wrappingSubtract(1, ordering: .relaxed) } }
            let findings = await scanner.scan(scanSubject, budget: budget)
            course.report { $0.scanned(findings, key: key) }
        }
    }

    /// Asks lists about links and From; no rule waits for that.
    private func askLists(_ read: MessageReading.Read, _ course: Course) {
        guard let reputation = course.snapshot.reputation, let question = reputation.contentQuestion(read.message) else { return }
        self.waiting.wrappingAdd(1, ordering: .relaxed)
        Task {
            defer { self.waiting.wrappingSubtract(1, ordering: .relaxed) }
            let outcome = await reputation.ask(question)
            course.report { $0.listed(outcome) }
        }
    }

    /// Asks who sends, and what rules want to know.
    /// - Returns: whether the rules wait for the answer, because some of them look at it.
    private func askForSender(_ read: MessageReading.Read, _ course: Course) -> Bool {
        let envelope = course.subject.envelope
        let authentication = course.snapshot.authentication
        let questions = course.snapshot.ruleQuestions(read.message, envelope: envelope)
        guard authentication != nil || questions != nil else { return false }
        let looksAtSender = authentication != nil && course.snapshot.rules?.looksAtAuthentication ?? false
        let rulesWait = looksAtSender || questions != nil
        let question =
            course.subject.senderQuestion
            ?? authentication?.begin(client: envelope.connectedClient, reversePath: envelope.reversePath)
        let sealer = course.snapshot.sealer
        let signed = SignedMessage(read.message, sealing: sealer != nil)
        // The DNS may be long in answering: a message that lies in a file is not kept in memory meanwhile.
        var kept: MessageReading? = rulesWait ? .success(read) : nil
        if case .file = course.subject.content { kept = nil }
        if self.isSlow(course) { kept = nil }
        let contentHash = read.key.contentHash
        self.waiting.wrappingAdd(1, ordering: .relaxed)
        Task { [kept] in
            defer { self.waiting.wrappingSubtract(1, ordering: .relaxed) }
            async let firstAnswers = questions?.answered()
            var sender: SenderExamination?
            if let authentication, let question {
                let found = await authentication.examine(
                    signed,
                    envelope: envelope,
                    question: question,
                    contentHash: contentHash,
                    sealer: sealer
                )
                sender = found
                course.report { $0.identified(found) }
            }
            var answers = await firstAnswers
            if let findings = sender?.findings { answers = await answers?.answered(knowing: findings) }
            guard rulesWait else { return }
            var course = course
            course.subject.envelope.authentication = sender?.findings
            course.subject.envelope.network = answers?.findings
            self.examine(course, kept)
        }
        return rulesWait
    }
}

extension ParsedMessage {
    /// Nothing to unpack, and nothing that could be read in another way.
    fileprivate var isOneText: Bool {
        self.parts.count == 1 && self.parts[0].encoding == .identity && self.possibleParts == 0
            && !ArchiveSurvey.isArchive(ContentKind.detect(self.contentHead(of: self.parts[0])[...]))
    }
}

extension ScanSubject {
    /// The message and its decoded parts. A message in a file is read and taken apart again when its scan's turn comes, which
    /// costs less than keeping it in memory until then.
    /// - Parameter isKept: the scan's turn comes soon: a message in memory need not be taken apart again.
    init(_ content: MessageContent, _ message: ParsedMessage, isKept: Bool = true) {
        if case .memory = content, isKept {
            self.init(message: content) { message.partsForScan }
        } else {
            let limits = message.limits
            self.init(message: content) {
                // A file that cannot be read now cannot be scanned as a whole either, and that is reported.
                guard let bytes = try? content.bytes() else { return [] }
                return ParsedMessage(bytes, limits: limits).partsForScan
            }
        }
    }
}
