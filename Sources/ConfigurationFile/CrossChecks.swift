import Gateway
import MailPolicy
import MailTypes

/// What single settings cannot show: names that must exist, values that must fit each other.
struct CrossChecks {
    let configuration: GatewayConfiguration
    let issues: IssueCollector

    func run() {
        self.checkListeners()
        self.checkDomains()
        for policy in self.configuration.policies.values { self.checkScores(policy) }
        self.checkLists()
        self.checkGreylist()
        self.checkRates()
        self.checkLimits()
        self.checkAntivirus()
        self.checkDMARCReports()
    }

    private func isGiven(_ path: String) -> Bool { self.issues.positions[path] != nil }

    // MARK: - Listeners

    private func checkListeners() {
        if self.issues.emptyLists.contains("listeners") {
            self.issues.report("listeners", "names no listener", hint: "mail is received nowhere")
        }
        var seen: [String: Int] = [:]
        for (index, listener) in self.configuration.listeners.enumerated() where self.isGiven("listeners[\(index)].address") {
            let path = "listeners[\(index)]"
            let name = GatewayConfiguration.Host(name: listener.address.description, port: listener.port).description
            if listener.port != 0, let first = seen.updateValue(index, forKey: name) {
                self.issues.report("\(path).address", "\(name) stands more than once", hint: "first in listeners[\(first)]")
            }
            self.checkTrusted(listener.proxyProtocolFrom, "\(path).proxy_protocol_from")
            self.checkTrusted(listener.xclientFrom, "\(path).xclient_from")
        }
    }

    /// Whoever may send these says who the client is: open to all, no list and no limit holds.
    private func checkTrusted(_ networks: [IPNetwork], _ path: String) {
        for (index, network) in networks.enumerated() where network.prefixLength == 0 {
            self.issues.report(
                "\(path)[\(index)]",
                "\(network) lets everybody choose the address they come from",
                hint: "name the hosts that need it",
                severity: .warning
            )
        }
    }

    // MARK: - Domains

    private func checkDomains() {
        if self.issues.emptyLists.contains("domains") {
            self.issues.report("domains", "names no domain", hint: "mail would be taken for nobody")
        }
        var seen: [String: String] = [:]
        for (index, domain) in self.configuration.domains.enumerated() {
            let path = "domains[\(index)]"
            for key in ["names", "downstream"] where self.issues.emptyLists.contains("\(path).\(key)") {
                self.issues.report("\(path).\(key)", "is empty", hint: "name at least one")
            }
            for (nameIndex, name) in domain.names.enumerated() {
                let namePath = "\(path).names[\(nameIndex)]"
                if let first = seen[name] {
                    self.issues.report(namePath, "`\(name)` stands more than once", hint: "first in \(first)")
                } else {
                    seen[name] = namePath
                }
            }
            self.checkPolicyName(domain.policy, "\(path).policy")
            for (recipient, policy) in domain.recipientPolicies.sorted(by: { $0.key < $1.key }) {
                self.checkPolicyName(policy, self.recipientPath(recipient, in: "\(path).recipients"))
            }
            self.checkRoute(domain.route, path)
        }
    }

    /// The key as the file spells it: the configuration has it folded.
    private func recipientPath(_ recipient: String, in path: String) -> String {
        let folded = "\(path).\(recipient)"
        return self.issues.positions.keys.filter { $0.lowercased() == folded.lowercased() }.min() ?? folded
    }

    private func checkPolicyName(_ name: String, _ path: String) {
        guard self.configuration.policies[name] == nil else { return }
        let names = self.configuration.policies.keys.sorted()
        let nearest = Suggestion.nearest(to: name, among: names).map { "did you mean `\($0)`?" }
        self.issues.report(path, "there is no policy `\(name)`", hint: nearest ?? "there are: \(names.joined(separator: ", "))")
    }

    private func checkRoute(_ route: GatewayConfiguration.Route, _ path: String) {
        if route.certificateAuthorities != nil, route.tls != .required {
            self.issues.report(
                "\(path).downstream_tls_ca",
                "has no effect without `downstream_tls: required`",
                severity: .warning
            )
        }
        for (index, host) in route.hosts.enumerated() {
            guard let address = IPAddress(host.name),
                self.configuration.listeners.contains(where: { $0.takes(address, host.port) })
            else { continue }
            self.issues.report(
                "\(path).downstream[\(index)]",
                "\(host) is this gateway itself",
                hint: "mail would go in circles"
            )
        }
    }

    // MARK: - Policies and limits

    private func checkScores(_ policy: Policy) {
        let steps = [("tag_score", policy.tagScore), ("hold_score", policy.holdScore), ("reject_score", policy.rejectScore)]
        let given = steps.compactMap { step in step.1.map { (step.0, $0) } }
        for (lower, higher) in zip(given, given.dropFirst()) where lower.1 > higher.1 {
            let lowerPath = "policies.\(policy.name).\(lower.0)"
            let higherPath = "policies.\(policy.name).\(higher.0)"
            self.issues.report(
                self.isGiven(higherPath) ? higherPath : lowerPath,
                "\(lower.0) \(lower.1.plain) is above \(higher.0) \(higher.1.plain)",
                hint: "tag_score <= hold_score <= reject_score; `off` leaves a step out"
            )
        }
    }

    /// Without SPF and DKIM nobody can prove who they are: an entry that asks for proof would never count.
    private func checkLists() {
        guard !self.configuration.authentication.isEnabled else { return }
        for entry in self.configuration.lists.entries where entry.namesSender && !entry.isSpoofable {
            self.issues.report(
                entry.id,
                "`\(entry.text)` cannot be told from a forgery while `authentication.enabled` is off",
                hint: "switch it on, or write `\(ListEntry.spoofableMark)\(entry.text)` if what senders say is enough"
            )
        }
    }

    private func checkGreylist() {
        guard let greylist = self.configuration.greylist else { return }
        if greylist.fromScore >= greylist.toScore {
            self.issues.report("greylist.from_score", "is not below `greylist.to_score`", hint: "no message would be delayed")
        }
        if greylist.delaySeconds >= greylist.windowSeconds {
            self.issues.report("greylist.window", "is not longer than `greylist.delay`", hint: "no message could ever pass")
        }
    }

    private func checkRates() {
        for (index, rate) in self.configuration.rates.enumerated() where !rate.isCountable {
            self.issues.report(
                "rates[\(index)].of",
                "`\(rate.of.rawValue)` cannot be counted per `\(rate.per.rawValue)`",
                hint: rate.per == .recipientDomain
                    ? "only `recipients` can" : "`messages` and `recipients` can: a connection has no sender yet"
            )
        }
    }

    private func checkLimits() {
        let limits = self.configuration.limits
        if limits.sessionsPerAddress > limits.sessions {
            self.issues.report(
                self.isGiven("limits.sessions_per_address") ? "limits.sessions_per_address" : "limits.sessions",
                "one address is allowed more sessions (\(limits.sessionsPerAddress)) than there are in all (\(limits.sessions))"
            )
        }
    }

    private func checkDMARCReports() {
        let reports = self.configuration.dmarcReports
        guard reports.isEnabled else { return }
        for (key, isThere) in [("organization", !reports.organization.isEmpty), ("email", reports.email != nil)] where !isThere {
            // One that could not be read is reported already.
            guard !self.isGiven("dmarc_reports.\(key)") else { continue }
            self.issues.report("dmarc_reports", "names no `\(key)`", hint: "a report says who made it")
        }
        if !self.configuration.authentication.isEnabled {
            self.issues.report(
                "dmarc_reports.enabled",
                "has no effect without `authentication.enabled`",
                severity: .warning
            )
        }
    }

    private func checkAntivirus() {
        let antivirus = self.configuration.antivirus
        guard antivirus.engine != .none else { return }
        if antivirus.engine == .clamd, antivirus.clamd.isEmpty {
            self.issues.report("antivirus.clamd", "is empty", hint: "the engine is clamd: say where it listens")
        }
        if antivirus.budgetSeconds > self.configuration.limits.inspectionSeconds {
            self.issues.report(
                self.isGiven("antivirus.timeout") ? "antivirus.timeout" : "limits.inspection",
                "the scan may take longer (\(antivirus.budgetSeconds)s) than the whole inspection "
                    + "(\(self.configuration.limits.inspectionSeconds)s)",
                hint: "antivirus.timeout <= limits.inspection",
                severity: .warning
            )
        }
    }
}

extension GatewayConfiguration.Listener {
    /// A connection to that address and port would be ours. Behind `0.0.0.0` only loopback is certain.
    fileprivate func takes(_ address: IPAddress, _ port: UInt16) -> Bool {
        guard port == self.port else { return false }
        let isAny = self.address.high == 0 && self.address.low == 0
        return self.address == address || (isAny && address.isLoopback)
    }
}

extension Double {
    /// Without the fraction where there is none.
    fileprivate var plain: String { self == self.rounded() && abs(self) < 1e9 ? "\(Int(self))" : "\(self)" }
}
