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
    var policy: Policy
    /// The allow and deny lists; nil: those of the configuration.
    var lists: SenderGate?
    /// What the DNS was asked about the envelope before the message was there; nil: nothing yet.
    var senderQuestion: SenderAuthentication.EnvelopeQuestion?
}

/// Runs all checks on a message, side by side, and has policy decide.
///
/// Parsing, checks and rules run on a fixed set of threads, one message a thread; the virus scan runs in another process
/// meanwhile. A check that is not done in time counts as failed, goes on, and is remembered for the sender's retry.
final class MessageInspector: Sendable {
    private let threads: NIOThreadPool
    private let scanner: (any VirusScanner)?
    let cache = VerdictCache()
    private let queueLimit: Int
    private let waiting = Atomic(0)
    /// Of these, how many wait for a thread, and how many have one.
    private let queued = Atomic(0)
    private let running = Atomic(0)

    /// Octets up to which a message without rules and virus scan is looked at on the event loop itself: what is left, parse
    /// and built-in checks, takes some ten microseconds for so much, less than going to another thread and back.
    private static let inlineLimit = 64 * 1024

    /// - Parameter queueLimit: inspections and scans that may run or wait.
    init(threads: NIOThreadPool, scanner: (any VirusScanner)?, queueLimit: Int) {
        self.threads = threads
        self.scanner = scanner
        self.queueLimit = queueLimit
    }

    /// More work would only make everybody wait: say so before the message is sent.
    var isOverloaded: Bool { self.waiting.load(ordering: .relaxed) >= self.queueLimit }

    /// For listings; what is told together was not counted in the same instant.
    var figures: GatewayStatus.Inspection {
        let running = self.running.load(ordering: .relaxed)
        let queued = self.queued.load(ordering: .relaxed)
        return GatewayStatus.Inspection(
            running: running,
            waiting: queued,
            elsewhere: max(0, self.waiting.load(ordering: .relaxed) - running - queued),
            bound: self.queueLimit
        )
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
        let course = Course(
            subject: subject,
            snapshot: snapshot,
            eventLoop: eventLoop,
            pending: NIOLoopBound(inspection, eventLoop: eventLoop)
        )
        if !scansVirus, snapshot.rules == nil, snapshot.authentication == nil, !inspection.expectsLists,
            case .memory(let bytes) = subject.content,
            bytes.count <= Self.inlineLimit
        {
            inspection.examined(MessageReading.read(subject, snapshot: snapshot, cache: self.cache).examination(course))
            return
        }
        inspection.deadline = eventLoop.assumeIsolated().scheduleTask(
            in: .seconds(Int64(snapshot.configuration.limits.inspectionSeconds))
        ) {
            inspection.deadlineReached()
        }
        self.onThread(course) {
            let reading = MessageReading.read(subject, snapshot: snapshot, cache: self.cache)
            guard case .success(let read) = reading else {
                course.report { $0.examined(reading.examination(course)) }
                return
            }
            if scansVirus { self.scan(read, course) }
            self.askLists(read, course)
            let rulesWait = self.askForSender(read, course)
            if !rulesWait { course.report(reading.examination(course)) }
        }
    }

    /// One message's way through the checks.
    struct Course: Sendable {
        var subject: InspectionSubject
        let snapshot: GatewaySnapshot
        fileprivate let eventLoop: any EventLoop
        fileprivate let pending: NIOLoopBound<PendingInspection>

        fileprivate func report(_ event: @escaping @Sendable (PendingInspection) -> Void) {
            self.eventLoop.execute { event(self.pending.value) }
        }

        fileprivate func report(_ outcome: LocalExamination.Outcome) {
            self.report { $0.examined(outcome) }
        }
    }

    private func onThread(_ course: Course, _ work: @escaping @Sendable () -> Void) {
        self.waiting.wrappingAdd(1, ordering: .relaxed)
        self.queued.wrappingAdd(1, ordering: .relaxed)
        self.threads.submit { state in
            self.queued.wrappingSubtract(1, ordering: .relaxed)
            self.running.wrappingAdd(1, ordering: .relaxed)
            defer {
                self.running.wrappingSubtract(1, ordering: .relaxed)
                self.waiting.wrappingSubtract(1, ordering: .relaxed)
            }
            guard case .active = state else { return course.report(.failure("shutting down")) }
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
        let scanSubject = ScanSubject(course.subject.content, read.message)
        let budget = Duration.seconds(course.snapshot.configuration.antivirus.budgetSeconds)
        self.waiting.wrappingAdd(1, ordering: .relaxed)
        Task {
            defer { self.waiting.wrappingSubtract(1, ordering: .relaxed) }
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
            self.onThread(course) { [course] in
                let reading = kept ?? MessageReading.read(course.subject, snapshot: course.snapshot, cache: self.cache)
                course.report(reading.examination(course))
            }
        }
        return rulesWait
    }
}

extension ScanSubject {
    /// The message and its decoded parts. A message in a file is read and taken apart again when its scan's turn comes, which
    /// costs less than keeping it in memory until then.
    init(_ content: MessageContent, _ message: ParsedMessage) {
        switch content {
        case .memory:
            self.init(message: content) { message.partsForScan }
        case .file:
            let limits = message.limits
            self.init(message: content) {
                // A file that cannot be read now cannot be scanned as a whole either, and that is reported.
                guard let bytes = try? content.bytes() else { return [] }
                return ParsedMessage(bytes, limits: limits).partsForScan
            }
        }
    }
}

/// What one message's inspection has so far. Lives on the connection's event loop.
private final class PendingInspection {
    private let envelope: Envelope
    private let policy: Policy
    private let lists: SenderGate
    private let snapshot: GatewaySnapshot
    private let cache: VerdictCache
    private let stopwatch = Stopwatch()
    private var completion: ((Judgement) -> Void)?
    private var local: LocalExamination.Outcome?
    private var scan: ScanFindings?
    private var sender: SenderExamination?
    private var expectsSender: Bool
    private(set) var expectsLists: Bool
    private var dnsLists: ListFindings?
    var deadline: Scheduled<Void>?

    init(
        envelope: Envelope,
        policy: Policy,
        lists: SenderGate,
        snapshot: GatewaySnapshot,
        cache: VerdictCache,
        expectsScan: Bool,
        expectsSender: Bool,
        expectsLists: Bool,
        completion: @escaping (Judgement) -> Void
    ) {
        self.envelope = envelope
        self.expectsSender = expectsSender
        self.expectsLists = expectsLists
        self.policy = policy
        self.lists = lists
        self.snapshot = snapshot
        self.cache = cache
        self.scan = expectsScan ? nil : ScanFindings(status: .off)
        self.completion = completion
    }

    func examined(_ outcome: LocalExamination.Outcome) {
        guard self.completion != nil else {
            if case .success(let examination) = outcome, examination.rules.failure == nil {
                self.cache.remember(examination.key, rules: examination.rules, envelope: self.envelope)
            }
            return
        }
        self.local = outcome
        if case .failure = outcome, self.scan == nil {
            // The message could not even be read: there will be no scan to wait for.
            self.scan = ScanFindings(status: .notScanned(.failed("the message could not be read")))
        }
        if case .failure = outcome {
            self.expectsSender = false
            self.expectsLists = false
        }
        self.finishIfComplete()
    }

    func identified(_ sender: SenderExamination) {
        self.sender = sender
        self.finishIfComplete()
    }

    func listed(_ outcome: ListFindings) {
        self.dnsLists = outcome
        self.finishIfComplete()
    }

    func scanned(_ findings: ScanFindings, key: VerdictCache.Key) {
        guard self.completion != nil else {
            if case .notScanned = findings.status { return }
            self.cache.remember(key, scan: findings)
            return
        }
        self.scan = findings
        self.finishIfComplete()
    }

    func deadlineReached() {
        self.finish(local: self.local ?? .failure("timed out"), scan: self.scan ?? ScanFindings(status: .notScanned(.timedOut)))
    }

    private func finishIfComplete() {
        guard self.sender != nil || !self.expectsSender, self.dnsLists != nil || !self.expectsLists else { return }
        if let local = self.local, let scan = self.scan { self.finish(local: local, scan: scan) }
    }

    private func finish(local: LocalExamination.Outcome, scan: ScanFindings) {
        guard let completion = self.completion else { return }
        self.completion = nil
        self.deadline?.cancel()
        var outcome = self.dnsLists
        if outcome == nil, self.expectsLists {
            outcome = ListFindings(failures: [ListFailure(list: "links", reason: "timed out")])
        }
        completion(
            Judgement(
                local: local,
                scan: scan,
                sender: self.sender.map { .success($0) } ?? (self.expectsSender ? .failure(CheckError(failure: .timedOut)) : nil),
                reputation: self.snapshot.reputation?.findings(about: self.envelope, content: outcome),
                policy: self.policy,
                snapshot: self.snapshot,
                envelope: self.envelope,
                lists: self.lists,
                microseconds: self.stopwatch.microseconds
            )
        )
    }
}
