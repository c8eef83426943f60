import MailChecks
import MailMessage
import MailPolicy
import MailRules
import MailTypes
import NIOCore
import NIOPosix
import PatternKit
import SMTPClient

/// A configuration with everything that is compiled from it. Immutable; a connection keeps the one it was accepted with, and
/// a reload makes the next one aside.
package final class GatewaySnapshot: Sendable {
    package let configuration: GatewayConfiguration
    /// Counts reloads.
    let generation: Int
    package let rules: RuleSet?
    let recipients: RecipientTable
    let checks: MessageChecks
    let parserLimits: ParserLimits
    let downstreamRoutes: [DownstreamRoute]
    private let downstreamRouteByRoute: [GatewayConfiguration.Route: DownstreamRoute]
    /// One evaluator for each inspection thread: its buffers are used again from message to message.
    private let evaluators = ThreadSpecificVariable<EvaluatorOfThread>()

    package init(configuration: GatewayConfiguration, rules: RuleSet?, generation: Int = 0) {
        self.configuration = configuration
        self.generation = generation
        self.rules = rules
        self.recipients = RecipientTable(configuration.domains)
        self.checks = MessageChecks(configuration)
        var limits = ParserLimits()
        limits.headerSize = configuration.limits.headerSize
        limits.depth = configuration.limits.mimeDepth
        limits.parts = configuration.limits.mimeParts
        self.parserLimits = limits
        var routes: [GatewayConfiguration.Route: DownstreamRoute] = [:]
        for domain in configuration.domains {
            routes[domain.route] = DownstreamRoute(domain.route, heloName: configuration.hostname)
        }
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

    func evaluateRules(_ message: ParsedMessage, envelope: Envelope) -> RuleFindings {
        guard let rules = self.rules else { return RuleFindings() }
        let box: EvaluatorOfThread
        if let existing = self.evaluators.currentValue {
            box = existing
        } else {
            var limits = PatternLimits()
            limits.matches = UInt32(clamping: self.configuration.limits.patternMatchLimit)
            limits.heap = UInt32(clamping: self.configuration.limits.patternHeapKiB)
            box = EvaluatorOfThread(RuleEvaluator(ruleSet: rules, limits: limits))
            self.evaluators.currentValue = box
        }
        let deadline = ContinuousClock.now + .seconds(self.configuration.limits.inspectionSeconds)
        return box.evaluator.evaluate(MessageText(message), envelope: envelope, isTimeUp: { ContinuousClock.now > deadline })
    }

    func refusal(ofClient client: ClientIdentity) -> SMTPReply? { self.checks.refusal(ofClient: client) }

    func refusal(ofSender sender: ReversePath, client: ClientIdentity) -> SMTPReply? {
        self.checks.refusal(ofSender: sender, client: client)
    }
}

private final class EvaluatorOfThread {
    let evaluator: RuleEvaluator

    init(_ evaluator: RuleEvaluator) {
        self.evaluator = evaluator
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
