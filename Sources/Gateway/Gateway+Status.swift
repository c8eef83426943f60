import AdminSocket
import DNSClient
import Logging
import MailRules
import MailStore
import NIOCore
import PatternKit
import SMTPClient
import SMTPServer
import Synchronization
import SystemKit
import VirusScan

extension Gateway {
    /// Of the programs.
    package static let version = "0.1.0"

    /// How the gateway is. Waits for its event loops and its databases; nothing on the way of a message waits for this.
    package func status() async -> GatewayStatus {
        let snapshot = self.snapshot
        let services = self.services
        let loading = self.loading
        let sessions = self.gate.figures
        var problems: [String] = []
        var spool: GatewayStatus.Spool?
        var quarantine: GatewayStatus.Quarantine?
        do {
            spool = try await services.spool.figures()
        } catch {
            problems.append("the spool cannot be read: \(error)")
        }
        do {
            quarantine = try await services.quarantine?.figures()
        } catch {
            problems.append("the quarantine cannot be read: \(error)")
        }
        return GatewayStatus(
            version: Self.version,
            process: CurrentProcess.id,
            started: TimeText.utc(loading.started),
            configuration: GatewayStatus.Configuration(
                file: snapshot.configuration.file,
                loaded: TimeText.utc(loading.loaded),
                reloads: loading.reloads,
                failure: loading.failure
            ),
            sessions: GatewayStatus.Sessions(
                now: sessions.open,
                peak: sessions.peak,
                limit: sessions.limit,
                taken: sessions.taken,
                turnedAway: sessions.refused
            ),
            transactions: services.transactions.figures,
            messages: services.log.counts.figures,
            inspection: await services.inspector.figures,
            scanner: await services.scanner.figures(),
            rules: GatewayStatus.Rules(snapshot),
            dns: GatewayStatus.DNS(snapshot),
            dnsLists: snapshot.reputation?.lists.figures ?? [],
            routes: await self.routes(of: snapshot),
            spool: spool,
            quarantine: quarantine,
            problems: problems
        )
    }

    private func routes(of snapshot: GatewaySnapshot) async -> [GatewayStatus.Route] {
        var resting: [DownstreamRoute: Int] = [:]
        for pool in self.poolsByLoop.values {
            // A loop that has ended keeps no connections.
            let found = try? await pool.eventLoop.submit { pool.value.restingConnections }.get()
            resting.merge(found ?? [:]) { $0 + $1 }
        }
        let directory = self.services.directory
        return snapshot.downstreamRoutes.map { route in
            let idle = resting[route] ?? 0
            return GatewayStatus.Route(
                hosts: route.hosts.map { host in
                    GatewayStatus.Route.Host(
                        name: "\(host)",
                        awaySince: directory.awaySince(host).map { TimeText.utc(Self.wallTime($0)) }
                    )
                },
                wasReached: directory.capabilities(of: route) != nil,
                inUse: max(0, directory.openConnections(of: route) - idle),
                resting: idle,
                limit: route.maxConnections
            )
        }.sorted { $0.hosts.map(\.name).joined(separator: ",") < $1.hosts.map(\.name).joined(separator: ",") }
    }

    private static func wallTime(_ moment: NIODeadline) -> Int64 {
        TimeText.now() - (NIODeadline.now() - moment).nanoseconds / 1_000_000
    }
}

// MARK: - The admin socket

extension Gateway {
    /// Opens the admin socket. Mail does not depend on it: where it cannot be opened, that is told and the gateway goes on.
    func openAdmin(_ settings: GatewayConfiguration.Admin, path: String) {
        do {
            let permission = try AdminPermission(users: settings.users, groups: settings.groups)
            let listener = try AdminListener(path: path, permission: permission, logger: self.logger) { [weak self] request in
                switch request.command {
                case .status: (try? await self?.status().encoded()) ?? Array(#"{"error":"the gateway is stopping"}"#.utf8)
                }
            }
            listener.start()
            self.admin.withLock { $0 = listener }
        } catch {
            self.logger.log(
                .error,
                "the admin socket cannot be opened: `outpost status` will not work",
                [.file: "\(path)", .error: "\(error)"]
            )
        }
    }

    /// Lets others ask, as a new configuration names them.
    func permitAdmin(_ permission: AdminPermission) {
        do {
            try self.admin.withLock { $0 }?.use(permission)
        } catch {
            self.logger.log(.error, "the admin socket stays as it was", [.error: "\(error)"])
        }
    }

    func closeAdmin() async {
        let listener = self.admin.withLock { admin in
            defer { admin = nil }
            return admin
        }
        await listener?.stop()
    }
}

extension GatewayConfiguration {
    /// Where a running gateway answers questions.
    package var adminSocket: String { self.admin.socket ?? self.dataDirectory + "/admin.sock" }
}

// MARK: - Figures

extension GatewayStatus.Rules {
    init(_ snapshot: GatewaySnapshot) {
        guard let rules = snapshot.rules else {
            self.init(
                files: 0,
                rules: 0,
                scored: 0,
                prefilter: "none",
                prefilterGroups: 0,
                prefilterGroupsReady: 0,
                suspended: []
            )
            return
        }
        let groups = rules.patternGroups.indices.filter { rules.patternGroups[$0].isWorthFiltering }
        let prefilters = snapshot.prefilters
        let ready = groups.filter { prefilters.has(group: $0) }.count
        let prefilter =
            if groups.isEmpty { "none" } else if ready == groups.count {
                "ready"
            } else { PatternPrefilter.isAvailable ? "compiling" : "unavailable" }
        self.init(
            files: Set(rules.rules.map(\.file)).count,
            rules: rules.ruleCount,
            scored: rules.rules.filter { $0.isActive && !$0.isSubrule }.count,
            prefilter: prefilter,
            prefilterGroups: groups.count,
            prefilterGroupsReady: ready,
            suspended: rules.resting.map {
                Suspended(
                    rule: $0.name,
                    reason: "it ran over its limits on message after message; it rests for \($0.messages) more messages"
                )
            }
        )
    }
}

extension GatewayStatus.DNS {
    /// nil: nothing is asked.
    init?(_ snapshot: GatewaySnapshot) {
        // Tests have resolvers of their own, which count nothing.
        guard let client = snapshot.resolver as? DNSClient else { return nil }
        let figures = client.figures
        self.init(
            servers: snapshot.configuration.dnsServers,
            questions: figures.questions,
            cacheHits: figures.cacheHits,
            timeouts: figures.timeouts,
            failures: figures.failures,
            open: figures.open,
            cached: figures.cached,
            isAway: figures.isAway
        )
    }
}

extension GatewayStatus.Scanner {
    init(_ status: ScannerSupervisor.Status) {
        self.init(
            engine: "builtin",
            isReady: status.isReady,
            version: status.libraryVersion,
            signatures: status.signatures,
            databaseVersion: status.databaseVersion,
            databaseDate: status.databaseTime > 0 ? TimeText.utc(Int64(status.databaseTime) * 1_000) : nil,
            workers: status.processIDs.count,
            restarts: status.restarts,
            lastFailure: status.lastFailure,
            load: Load(status.load),
            bound: status.queueLimit
        )
    }

    init(_ status: ClamdScanner.Status) {
        self.init(
            engine: "clamd",
            isReady: status.engines.contains { !$0.isResting },
            engines: status.engines.map {
                Engine(endpoint: $0.endpoint, version: $0.version, isResting: $0.isResting)
            },
            load: Load(status.load),
            bound: status.queueLimit
        )
    }
}

extension GatewayStatus.Scanner.Load {
    init(_ load: ScanLoad) {
        self.init(running: load.running, waiting: load.waiting, longRunning: load.longRunning, longWaiting: load.longWaiting)
    }
}
