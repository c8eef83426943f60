import Logging
import MailStore
import MailTypes
import NIOCore
import NIOPosix
import SMTPClient
import SystemKit
import VirusScan

/// What all connections share.
final class GatewayServices: Sendable {
    let clock = TransactionClock()
    let log: TransactionLog
    let directory = DownstreamDirectory()
    let inspector: MessageInspector
    let quarantine: Quarantine?
    let spool: Spool
    /// nil: nothing is remembered.
    let ledger: Ledger?
    let ruleHits: RuleHitCounter
    let lists: StoredLists
    let greylist: Greylist
    let rates: RateCounter
    private let rateMemory: RateMemory
    let transactions = TransactionGate()
    let dmarc: DMARCCounter
    let scanner: ScannerSlot
    let turns: LoopTurns
    private let threads: NIOThreadPool
    private let slowLane: SlowLane
    private let logger: Logger

    /// - Parameter group: where the connections live.
    init(
        configuration: GatewayConfiguration,
        group: any EventLoopGroup,
        logger: Logger,
        observer: TransactionLog.Observer?
    ) throws {
        // Root makes them for the user that the process becomes after binding.
        let owner = CurrentProcess.isRoot ? configuration.runAsUser : nil
        let directories = [
            configuration.dataDirectory, configuration.temporaryDirectory, configuration.runDirectory,
            configuration.quarantineDirectory, configuration.spoolDirectory,
        ]
        for directory in directories {
            try Directory.make(directory, owner: owner)
        }
        // A power failure must not take away a directory in which promises lie.
        try File.synchronizeDirectory(configuration.dataDirectory)
        self.logger = logger
        self.turns = LoopTurns(group)
        self.log = TransactionLog(logger, observer: observer)
        self.threads = NIOThreadPool(numberOfThreads: configuration.limits.inspectionThreads)
        self.threads.start()
        self.scanner = try ScannerSlot(configuration, logger: logger)
        let limits = configuration.limits
        self.slowLane = SlowLane(
            SlowLane.Bounds(
                places: limits.inspectionThreads,
                waiting: limits.slowQueue,
                waitingPerNetwork: limits.slowQueuePerNetwork
            )
        )
        self.inspector = MessageInspector(
            threads: self.threads,
            scanner: self.scanner,
            slowLane: self.slowLane,
            queueLimit: configuration.limits.inspectionQueue
        )
        self.quarantine = try Quarantine(configuration, logger: logger)
        self.spool = try Spool(configuration)
        self.ledger = configuration.ledger.rememberSeconds > 0 ? try Ledger(configuration, logger: logger) : nil
        self.ruleHits = try RuleHitCounter(directory: configuration.dataDirectory, logger: logger)
        self.lists = try StoredLists(directory: configuration.dataDirectory, logger: logger)
        self.greylist = Greylist(try GreylistDatabase(directory: configuration.dataDirectory), logger: logger)
        self.rateMemory = try RateMemory(RateDatabase(directory: configuration.dataDirectory), logger: logger)
        self.rates = RateCounter(self.rateMemory, logger: logger)
        self.dmarc = DMARCCounter(
            directory: configuration.dataDirectory,
            keptDays: configuration.dmarcReports.keptDays,
            logger: logger
        )
    }

    func start() async throws {
        try await self.scanner.start()
        self.quarantine?.startRetention()
        if let ledger = self.ledger {
            let held = await self.quarantine?.latest(Ledger.latest) ?? []
            await ledger.start(stored: await self.spool.latest(Ledger.latest) + held)
        }
        self.ruleHits.start()
        self.lists.start()
        self.rateMemory.start()
        self.dmarc.start()
    }

    /// What tells senders what became of their mail.
    func notices(_ snapshot: GatewaySnapshot) -> SpoolNotices {
        SpoolNotices(spool: self.spool, quarantine: self.quarantine, snapshot: snapshot, logger: self.logger)
    }

    /// - Throws: when the new virus engine cannot run; the old one stays.
    func reload(from old: GatewayConfiguration, to new: GatewayConfiguration) async throws {
        if old.antivirus != new.antivirus { try await self.scanner.use(new) }
        self.dmarc.keep(days: new.dmarcReports.keptDays)
    }

    func stop() async {
        await self.quarantine?.stopRetention()
        await self.scanner.stop()
        await self.ledger?.stop()
        await self.ruleHits.stop()
        await self.lists.stop()
        await self.rateMemory.stop()
        await self.dmarc.stop()
        try? await self.threads.shutdownGracefully()
        await self.slowLane.stop()
    }
}
