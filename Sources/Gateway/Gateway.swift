import AdminSocket
import Logging
import MailRules
import MailStore
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import SMTPClient
import SMTPServer
import Synchronization
import SystemKit

/// The whole gateway: composes listeners, downstream pools, inspection, scanner and quarantine from a configuration, and
/// takes them down again.
///
/// Reading order for newcomers: this file, `SessionCoordinator`, `ServerSessionMachine`, `MessageInspector`,
/// `PolicyDecision`, `RelayMachine`.
package final class Gateway: Sendable {
    /// Why the gateway does not start, or keeps its old configuration.
    package struct StartError: Error, CustomStringConvertible {
        package let description: String

        package init(_ description: String) {
            self.description = description
        }
    }

    /// Held from before the stores are opened until everything is stopped.
    private let lock: Mutex<DataDirectoryLock?>
    private let group: MultiThreadedEventLoopGroup
    let services: GatewayServices
    let logger: Logger
    let gate: ConnectionGate
    let poolsByLoop: [ObjectIdentifier: NIOLoopBound<DownstreamPool>]
    private let current: Mutex<GatewaySnapshot>
    private let spoolRunner = Mutex<SpoolRunner?>(nil)
    private let patternBuilder = Mutex<PatternBuilder?>(nil)
    private let listeners = Mutex<[ListenerKey: SMTPListener]>([:])
    let admin = Mutex<AdminListener?>(nil)
    private let currentLoading = Mutex(Loading())

    /// When what is in force was read, and what went wrong since. Milliseconds since 1970.
    struct Loading {
        let started = TimeText.now()
        var loaded = TimeText.now()
        var reloads = 0
        var failure: GatewayStatus.Configuration.Failure?
    }

    private struct ListenerKey: Hashable {
        var address: IPAddress
        var port: UInt16
    }

    /// Makes everything that needs no network yet.
    /// - Parameter observer: hears of each transaction, on its connection's event loop.
    package init(snapshot: GatewaySnapshot, logger: Logger, observer: TransactionLog.Observer? = nil) throws {
        let configuration = snapshot.configuration
        self.logger = logger
        try Directory.make(configuration.dataDirectory, owner: CurrentProcess.isRoot ? configuration.runAsUser : nil)
        self.lock = Mutex(try DataDirectoryLock(configuration.dataDirectory, owner: configuration.runAsUser))
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        self.services = try GatewayServices(configuration: configuration, group: self.group, logger: logger, observer: observer)
        self.gate = ConnectionGate(
            total: configuration.limits.sessions,
            perAddress: configuration.limits.sessionsPerAddress,
            perNetwork: configuration.limits.sessionsPerNetwork
        )
        self.current = Mutex(snapshot)
        var pools: [ObjectIdentifier: NIOLoopBound<DownstreamPool>] = [:]
        for loop in self.group.makeIterator() {
            let directory = self.services.directory
            pools[ObjectIdentifier(loop)] = try loop.submit {
                NIOLoopBound(DownstreamPool(eventLoop: loop, directory: directory, logger: logger), eventLoop: loop)
            }.wait()
        }
        self.poolsByLoop = pools
    }

    var loading: Loading { self.currentLoading.withLock { $0 } }

    package var snapshot: GatewaySnapshot { self.current.withLock { $0 } }

    /// Where the gateway listens; for tests, whose ports the kernel chooses.
    package var addresses: [SocketAddress] { self.listeners.withLock { $0.values.compactMap(\.localAddress) } }

    /// Asks what the downstream servers can do, binds, becomes the configured user, starts the scanner. Mail is taken from
    /// the moment this returns; a scanner that is still loading its signatures only makes the first messages wait.
    package func start(inherited: [Int32] = []) async throws {
        let snapshot = self.snapshot
        let configuration = snapshot.configuration
        let tls = try TLSContexts(configuration)
        await self.learnCapabilities(snapshot.downstreamRoutes)
        // Ports first, as root; then the user; then the scanner. Only then can anybody connect.
        var descriptors = Array(inherited.prefix(configuration.listeners.count))
        for listener in configuration.listeners.dropFirst(inherited.count) {
            descriptors.append(try self.bound(listener))
        }
        if let user = configuration.runAsUser, CurrentProcess.isRoot {
            try CurrentProcess.become(user: user)
            // The change of user has undone it, and mail comes only now.
            try CurrentProcess.keepMemoryPrivate()
            self.logger.log(.notice, "running as another user", [.user: "\(user)"])
        }
        // The right to low ports is the gateway's, not the scanner's.
        try CurrentProcess.keepCapabilities()
        try await self.services.start()
        await self.startSpool()
        self.openAdmin(configuration.admin, path: configuration.adminSocket)
        self.buildPatterns(for: snapshot)
        snapshot.reputation?.lists.start(logger: self.logger)
        for (listener, descriptor) in zip(configuration.listeners, descriptors) {
            let open = try await self.listen(listener, descriptor, snapshot, tls)
            self.listeners.withLock { $0[ListenerKey(address: listener.address, port: listener.port)] = open }
            self.logger.log(.notice, "listening", [.address: "\(listener.hostText):\(open.localAddress?.port ?? 0)"])
        }
    }

    private func bound(_ listener: GatewayConfiguration.Listener) throws -> Int32 {
        do {
            return try BoundSocket.tcp(octets: listener.address.octets, port: listener.port)
        } catch {
            throw StartError("cannot listen on \(listener.address) port \(listener.port): \(error)")
        }
    }

    private func listen(
        _ listener: GatewayConfiguration.Listener,
        _ descriptor: Int32,
        _ snapshot: GatewaySnapshot,
        _ tls: TLSContexts
    ) async throws -> SMTPListener {
        do {
            return try await SMTPListener.adopt(
                descriptor: descriptor,
                SMTPListener.Configuration(listener, of: snapshot.configuration, maximumSize: snapshot.maximumMessageSize),
                group: self.group,
                gate: self.gate,
                tls: tls.context(for: listener),
                logger: self.logger,
                makeSession: self.makeSession(snapshot)
            )
        } catch {
            throw StartError("cannot listen on \(listener.address) port \(listener.port): \(error)")
        }
    }

    /// Takes over a new configuration as a whole, or throws and changes nothing. Connections that are open keep the old.
    package func reload(_ snapshot: GatewaySnapshot) async throws {
        do {
            try await self.takeOver(snapshot)
        } catch {
            self.noteFailedReload("\(error)")
            throw error
        }
        self.currentLoading.withLock {
            $0.loaded = TimeText.now()
            $0.reloads += 1
            $0.failure = nil
        }
    }

    /// Remembers why a new configuration was not taken over, also when it was not even good enough for `reload`.
    package func noteFailedReload(_ reason: String) {
        self.currentLoading.withLock { $0.failure = .init(time: TimeText.utc(TimeText.now()), reason: reason) }
    }

    private func takeOver(_ snapshot: GatewaySnapshot) async throws {
        let configuration = snapshot.configuration
        let old = self.snapshot.configuration
        guard configuration.dataDirectory == old.dataDirectory else {
            throw StartError("data_directory can only be changed by a restart")
        }
        guard configuration.adminSocket == old.adminSocket else {
            throw StartError("admin.socket can only be changed by a restart")
        }
        let permission = try AdminPermission(users: configuration.admin.users, groups: configuration.admin.groups)
        let tls = try TLSContexts(configuration)
        var added: [ListenerKey: SMTPListener] = [:]
        let existing = self.listeners.withLock { $0 }
        for listener in configuration.listeners {
            let key = ListenerKey(address: listener.address, port: listener.port)
            guard existing[key] == nil else { continue }
            do {
                added[key] = try await self.listen(listener, try self.bound(listener), snapshot, tls)
            } catch {
                for bound in added.values { await bound.shutdown(grace: .zero) }
                throw error
            }
        }
        do {
            try await self.services.reload(from: old, to: configuration)
        } catch {
            for bound in added.values { await bound.shutdown(grace: .zero) }
            throw error
        }
        // Nothing below can fail.
        self.snapshot.reputation?.lists.stop()
        self.current.withLock { $0 = snapshot }
        self.permitAdmin(permission)
        snapshot.reputation?.lists.start(logger: self.logger)
        self.buildPatterns(for: snapshot)
        self.gate.update(
            total: configuration.limits.sessions,
            perAddress: configuration.limits.sessionsPerAddress,
            perNetwork: configuration.limits.sessionsPerNetwork
        )
        for listener in configuration.listeners {
            let settings = SMTPListener.Configuration(listener, of: configuration, maximumSize: snapshot.maximumMessageSize)
            existing[ListenerKey(address: listener.address, port: listener.port)]?
                .update(settings, tls: tls.context(for: listener), makeSession: self.makeSession(snapshot))
        }
        let wanted = Set(configuration.listeners.map { ListenerKey(address: $0.address, port: $0.port) })
        let removed = existing.filter { !wanted.contains($0.key) }
        self.listeners.withLock { listeners in
            listeners.merge(added) { $1 }
            for key in removed.keys { listeners[key] = nil }
        }
        for listener in removed.values {
            // Their sessions may take their time; the new configuration is in force meanwhile.
            Task { await listener.shutdown(grace: .seconds(configuration.limits.graceSeconds)) }
        }
        await self.learnCapabilities(snapshot.downstreamRoutes)
    }

    /// Stops taking connections, lets open transactions finish within the grace period, and stops everything that was
    /// started.
    package func stop() async {
        await self.closeAdmin()
        self.patternBuilder.withLock { $0?.cancel() }
        self.snapshot.reputation?.lists.stop()
        let grace = Duration.seconds(self.snapshot.configuration.limits.graceSeconds)
        let listeners = self.listeners.withLock { Array($0.values) }
        await withTaskGroup(of: Void.self) { tasks in
            for listener in listeners {
                tasks.addTask { await listener.shutdown(grace: grace) }
            }
        }
        await self.spoolRunner.withLock { $0 }?.stop(grace: grace)
        for pool in self.poolsByLoop.values {
            try? await pool.eventLoop.submit { pool.value.shutdown() }.get()
        }
        await self.services.stop()
        try? await self.group.shutdownGracefully()
        self.lock.withLock { $0 = nil }
    }

    /// What an earlier run has promised to deliver is taken up again.
    private func startSpool() async {
        let loop = self.group.next()
        guard let pool = self.poolsByLoop[ObjectIdentifier(loop)] else { preconditionFailure("a loop without a pool") }
        let runner = SpoolRunner(
            spool: self.services.spool,
            quarantine: self.services.quarantine,
            pool: pool,
            snapshot: { [unowned self] in self.snapshot },
            logger: self.logger
        )
        self.spoolRunner.withLock { $0 = runner }
        await runner.start()
    }

    /// Has the pattern databases that are missing made beside the service; what was begun for an older rule set ends.
    private func buildPatterns(for snapshot: GatewaySnapshot) {
        let builder = PatternBuilder(snapshot, logger: self.logger)
        self.patternBuilder.withLock { current in
            current?.cancel()
            current = builder
        }
        builder.start()
    }

    /// Asks the downstream servers what they can do, which says what clients are promised. Servers that are slow to answer
    /// are asked in the background; until then, and while they are away, clients are promised little.
    private func learnCapabilities(_ routes: [DownstreamRoute]) async {
        let (ended, continuation) = AsyncStream.makeStream(of: Never.self)
        Task {
            await self.services.directory.probe(routes, on: self.group, logger: self.logger)
            continuation.finish()
        }
        Task {
            try? await Task.sleep(for: Self.probeWait)
            continuation.finish()
        }
        for await _ in ended {}
    }

    /// Servers nearby answer in milliseconds; a gateway whose servers are away starts half a second later.
    private static let probeWait = Duration.milliseconds(500)

    private func makeSession(_ snapshot: GatewaySnapshot) -> SMTPListener.MakeSession {
        let services = self.services
        let pools = self.poolsByLoop
        return { eventLoop, client in
            guard let pool = pools[ObjectIdentifier(eventLoop)] else {
                preconditionFailure("a connection on a foreign event loop")
            }
            return SessionCoordinator(
                client: client,
                snapshot: snapshot,
                services: services,
                downstreams: pool.value,
                eventLoop: eventLoop
            )
        }
    }
}

extension GatewaySnapshot {
    /// What would keep a gateway with this configuration from starting, found without starting anything.
    package func startProblems() -> [String] {
        var problems: [String] = []
        do {
            _ = try TLSContexts(self.configuration)
        } catch {
            problems.append("\(error)")
        }
        for name in [self.configuration.runAsUser, self.configuration.antivirus.runAsUser].compactMap({ $0 }) {
            do {
                try CurrentProcess.checkUser(name)
            } catch {
                problems.append("user: \(error)")
            }
        }
        do {
            _ = try AdminPermission(users: self.configuration.admin.users, groups: self.configuration.admin.groups)
        } catch {
            problems.append("admin: \(error)")
        }
        return problems
    }
}

/// The TLS contexts of a configuration, made before anything changes: a certificate that cannot be read is an error at
/// reload, not a surprise at the next STARTTLS.
private struct TLSContexts {
    private var contexts: [GatewayConfiguration.TLS: TLSServerContext] = [:]

    init(_ configuration: GatewayConfiguration) throws {
        for case let tls? in configuration.listeners.map(\.tls) where self.contexts[tls] == nil {
            let files = tls.certificates.map { CertificateFiles(certificate: $0.certificate, privateKey: $0.privateKey) }
            do {
                self.contexts[tls] = try TLSServerContext(certificates: files)
            } catch {
                throw Gateway.StartError("certificates: \(error)")
            }
        }
    }

    func context(for listener: GatewayConfiguration.Listener) -> TLSServerContext? {
        listener.tls.flatMap { self.contexts[$0] }
    }
}

extension SMTPListener.Configuration {
    init(_ listener: GatewayConfiguration.Listener, of configuration: GatewayConfiguration, maximumSize: Int) {
        self.init(
            address: listener.address.description,
            port: Int(listener.port),
            backlog: listener.backlog,
            hostname: configuration.hostname,
            limits: configuration.limits.session,
            bareLineEnds: configuration.limits.bareLineEnds,
            maximumSize: maximumSize,
            proxyProtocolFrom: listener.proxyProtocolFrom,
            xclientFrom: listener.xclientFrom,
            tlsRequired: listener.tls?.required ?? false,
            contentDirectory: configuration.temporaryDirectory,
            memoryThreshold: configuration.limits.memoryThreshold
        )
    }
}

extension GatewayConfiguration.Listener {
    /// The address as it stands before a port.
    var hostText: String { self.address.isIPv4 ? "\(self.address)" : "[\(self.address)]" }
}

extension GatewayConfiguration {
    /// Content of messages that are being received; files in it have no names.
    package var temporaryDirectory: String { self.dataDirectory + "/tmp" }
    package var quarantineDirectory: String { self.dataDirectory + "/quarantine" }
    package var spoolDirectory: String { self.dataDirectory + "/spool" }
    /// Sockets.
    package var runDirectory: String { self.dataDirectory + "/run" }
}
