import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import NIOCore
import NIOPosix
import OpenSSLKit
import PatternKit
import SMTPClient
import SenderAuth
import SenderReputation
import Synchronization

/// A configuration with everything that is compiled from it. Immutable; a connection keeps the one it was accepted with, and
/// a reload makes the next one aside.
package final class GatewaySnapshot: Sendable {
    package let configuration: GatewayConfiguration
    /// Counts reloads.
    let generation: Int
    package let rules: RuleSet?
    let recipients: RecipientTable
    let checks: MessageChecks
    /// The lists of the configuration.
    package let senders: SenderLists
    let rates: RateLimits
    let parserLimits: ParserLimits
    let downstreamRoutes: [DownstreamRoute]
    private let downstreamRouteByRoute: [GatewayConfiguration.Route: DownstreamRoute]
    private let evaluators: RuleEvaluators?
    /// nil: it is not asked who sends.
    let authentication: SenderAuthentication?
    let sealer: ARCSealer?
    /// nil: nothing is asked about clients, envelopes and links.
    let reputation: ClientReputation?
    let resolver: (any DNSResolver)?
    private let currentPrefilters: Mutex<RulePrefilters>

    package init(
        configuration: GatewayConfiguration,
        rules: RuleSet?,
        sender: SenderResources = SenderResources(),
        generation: Int = 0
    ) {
        let recipients = RecipientTable(configuration.domains)
        let authenticates = configuration.authentication.isEnabled
        self.authentication = sender.resolver.flatMap { resolver in
            guard authenticates else { return nil }
            return SenderAuthentication(
                resolver: resolver,
                configuration: configuration,
                recipients: recipients,
                publicSuffixes: sender.publicSuffixes
            )
        }
        self.resolver = sender.resolver
        self.sealer = configuration.authentication.seal.flatMap { seal in
            sender.sealingKey.map { ARCSealer(domain: seal.domain, selector: seal.selector, key: $0) }
        }
        self.configuration = configuration
        self.generation = generation
        self.rules = rules
        self.recipients = recipients
        var checks = MessageChecks(configuration, recipients: recipients)
        self.reputation = sender.resolver.flatMap { resolver in
            guard configuration.connectionChecks.isEnabled || !configuration.dnsLists.lists.isEmpty else { return nil }
            return ClientReputation(resolver: resolver, configuration: configuration, hello: checks.sender)
        }
        if self.reputation != nil, configuration.connectionChecks.isEnabled {
            checks.countedElsewhere = Set(configuration.connectionChecks.policy.ownHelloSymbols.map(\.rawValue))
        }
        self.checks = checks
        self.senders = SenderLists(configuration.lists.entries)
        self.rates = RateLimits(configuration.rates)
        var limits = ParserLimits()
        limits.headerSize = configuration.limits.headerSize
        limits.depth = configuration.limits.mimeDepth
        limits.parts = configuration.limits.mimeParts
        self.parserLimits = limits
        var routes: [GatewayConfiguration.Route: DownstreamRoute] = [:]
        for domain in configuration.domains {
            routes[domain.route] = DownstreamRoute(domain.route, heloName: configuration.hostname)
        }
        self.evaluators = rules.map { rules in
            var limits = PatternLimits()
            limits.matches = UInt32(clamping: configuration.limits.patternMatchLimit)
            limits.heap = UInt32(clamping: configuration.limits.patternHeapKiB)
            return RuleEvaluators(rules, limits: limits, threads: 2 * configuration.limits.inspectionThreads)
        }
        // What an earlier run has compiled; the rest is for `PatternBuilder`.
        let prefilters = rules.map { configuration.patternCache.load($0) } ?? RulePrefilters()
        self.evaluators?.use(prefilters)
        self.currentPrefilters = Mutex(prefilters)
        self.downstreamRouteByRoute = routes
        self.downstreamRoutes = Array(routes.values)
    }

    func downstreamRoute(_ route: GatewayConfiguration.Route) -> DownstreamRoute {
        guard let known = self.downstreamRouteByRoute[route] else { preconditionFailure("a route that no domain has") }
        return known
    }

    func policy(named name: String) -> Policy {
        // The configuration's reader has made sure that every name exists.
        self.configuration.policies[name] ?? Policy(name: name)
    }

    /// The largest that any policy takes: what SIZE promises.
    package var maximumMessageSize: Int {
        self.configuration.policies.values.map(\.maxMessageSize).max() ?? Policy(name: "default").maxMessageSize
    }

    /// The prefilters in use.
    var prefilters: RulePrefilters { self.currentPrefilters.withLock { $0 } }

    /// Takes prefilters of this snapshot's rules into use.
    func use(_ prefilters: RulePrefilters) {
        self.currentPrefilters.withLock { $0 = prefilters }
        self.evaluators?.use(prefilters)
    }

    /// Rules ask the DNS about messages.
    var rulesAskNetwork: Bool {
        self.configuration.rulesAskNetwork && self.resolver != nil && !(self.rules?.network.isEmpty ?? true)
    }

    /// What the rules ask about a message; nil: nothing.
    func ruleQuestions(_ message: ParsedMessage, envelope: Envelope) -> RuleQuestions? {
        guard self.rulesAskNetwork, let rules, let resolver,
            let subjects = rules.networkSubjects(of: message, envelope: envelope)
        else { return nil }
        let deadline = ContinuousClock.now + .seconds(self.configuration.authentication.budgetSeconds)
        return RuleQuestions(rules.network, subjects, resolver: BoundedResolver(resolver, deadline: deadline))
    }

    func evaluateRules(_ message: ParsedMessage, envelope: Envelope, goal: EvaluationGoal = .hits) -> RuleFindings {
        let deadline = ContinuousClock.now + .seconds(self.configuration.limits.inspectionSeconds)
        return self.evaluators?.evaluate(message, envelope: envelope, goal: goal, deadline: deadline) ?? RuleFindings()
    }
}

extension DownstreamRoute {
    init(_ route: GatewayConfiguration.Route, heloName: String) {
        self.init(
            hosts: route.hosts.map { DownstreamHost(name: $0.name, port: $0.port) },
            tls: DownstreamTLS(route.tls),
            certificateAuthorities: route.certificateAuthorities,
            sendsXCLIENT: route.sendsXCLIENT,
            maxConnections: route.maxConnections,
            idleSeconds: route.idleSeconds,
            connectSeconds: route.connectSeconds,
            replySeconds: route.replySeconds,
            finalReplySeconds: route.finalReplySeconds,
            heloName: heloName
        )
    }
}

extension DownstreamTLS {
    init(_ tls: GatewayConfiguration.DownstreamTLS) {
        switch tls {
        case .none: self = .none
        case .opportunistic: self = .opportunistic
        case .required: self = .required
        }
    }
}

extension GatewayConfiguration.Limits {
    /// Messages that are inspected at once.
    var inspectionThreads: Int { self.inspections > 0 ? self.inspections : System.coreCount }
}
