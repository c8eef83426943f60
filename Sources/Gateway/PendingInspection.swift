import MailPolicy
import MailTypes
import NIOCore
import SenderReputation

/// What one message's inspection has so far. Lives on the connection's event loop.
final class PendingInspection {
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
        if case .failure(let failure) = outcome {
            // The message could not even be read, or will not be: there is nothing more to wait for.
            if self.scan == nil { self.scan = ScanFindings(status: .notScanned(failure)) }
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
        // Whatever else is found, the sender has to come again.
        if findings.status == .notScanned(.overloaded) {
            return self.finish(local: self.local ?? .failure(.overloaded), scan: findings)
        }
        self.finishIfComplete()
    }

    func deadlineReached() {
        self.finish(local: self.local ?? .failure(.timedOut), scan: self.scan ?? ScanFindings(status: .notScanned(.timedOut)))
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
