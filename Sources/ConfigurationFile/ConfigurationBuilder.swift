import Gateway
import MailPolicy
import MailTypes
import SMTPCore
import SenderReputation

/// Makes the configuration of the sections of the file. What is wrong is reported and left at its default: the
/// result counts only if nothing was reported.
struct ConfigurationBuilder {
    /// Relative paths count from here; empty: they stay relative.
    let baseDirectory: String
    let issues: IssueCollector

    func build(_ root: SettingSection) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(hostname: "", dataDirectory: "")
        root.read("hostname", into: &configuration.hostname, SettingValue.hostname)
        root.read("data_directory", into: &configuration.dataDirectory, self.path)
        root.read("user", into: &configuration.runAsUser)
        configuration.listeners = root.sections("listeners").compactMap(self.listener)
        configuration.domains = root.sections("domains").map(self.domain)
        for (name, section) in root.namedSections("policies") {
            configuration.policies[name] = self.policy(name, section)
        }
        root.readList("rules", into: &configuration.ruleDirectories, self.path)
        if let section = root.section("antivirus") { self.readAntivirus(section, into: &configuration.antivirus) }
        if let section = root.section("dns") {
            section.readList("servers", into: &configuration.dnsServers, SettingValue.dnsServer)
            section.read("timeout", into: &configuration.dnsTimeoutMilliseconds)
            if section.has("trust_anchor") {
                var file = ""
                section.read("trust_anchor", into: &file, self.path)
                configuration.dnsTrustAnchor = file
            }
        }
        if let section = root.section("authentication") {
            self.readAuthentication(section, into: &configuration.authentication)
        }
        root.read("rules_network", into: &configuration.rulesAskNetwork)
        configuration.connectionChecks.isEnabled = configuration.authentication.isEnabled
        if let section = root.section("connection_checks") {
            self.readConnectionChecks(section, into: &configuration.connectionChecks)
        }
        if let section = root.section("dns_lists") {
            section.read("reject_score", into: &configuration.connectionChecks.policy.listRejectScore)
            section.read("greeting_score", into: &configuration.connectionChecks.policy.listGreetingScore)
            self.readDNSLists(section, into: &configuration.dnsLists)
        }
        if let section = root.section("dmarc_reports") { self.readDMARCReports(section, into: &configuration.dmarcReports) }
        if let section = root.section("lists") { self.readLists(section, into: &configuration.lists) }
        configuration.greylist = root.section("greylist").map(self.greylist)
        configuration.rates = root.sections("rates").map(self.rate)
        if let section = root.section("limits") { self.readLimits(section, into: &configuration.limits) }
        if let section = root.section("spool") { self.readSpool(section, into: &configuration.spool) }
        if let section = root.section("ledger") {
            section.read("remember", into: &configuration.ledger.rememberSeconds)
            section.read("max_entries", into: &configuration.ledger.maxEntries)
        }
        if let section = root.section("quarantine") { self.readQuarantine(section, into: &configuration.quarantine) }
        if let section = root.section("admin") { self.readAdmin(section, into: &configuration.admin) }
        if let section = root.section("log") {
            section.readChoice("format", into: &configuration.log.format)
            section.read("level", into: &configuration.log.level) { text throws(SettingProblem) in
                let levels = ["trace", "debug", "info", "warning", "error"]
                guard levels.contains(text) else { throw SettingValue.notAmong(levels, text) }
                return text
            }
        }
        return configuration
    }

    private func path(_ text: String) throws(SettingProblem) -> String {
        guard !text.isEmpty, !text.utf8.contains(0) else { throw SettingProblem("is empty") }
        return text.hasPrefix("/") || self.baseDirectory.isEmpty ? text : "\(self.baseDirectory)/\(text)"
    }

    // MARK: - Listeners

    private func listener(_ section: SettingSection) -> GatewayConfiguration.Listener? {
        var address: (IPAddress, UInt16)?
        section.read("address", into: &address) { text throws(SettingProblem) in try SettingValue.listenAddress(text) }
        var listener = GatewayConfiguration.Listener(address: address?.0 ?? .loopback4, port: address?.1 ?? 0)
        section.read("backlog", into: &listener.backlog)
        section.readList("proxy_protocol_from", into: &listener.proxyProtocolFrom, SettingValue.network)
        section.readList("xclient_from", into: &listener.xclientFrom, SettingValue.network)
        if let tls = section.section("tls") { listener.tls = self.tls(tls) }
        return listener
    }

    private func tls(_ section: SettingSection) -> GatewayConfiguration.TLS {
        var tls = GatewayConfiguration.TLS(certificates: section.sections("certificates").map(self.certificate))
        section.read("required", into: &tls.required)
        let hasOne = section.has("certificate") || section.has("private_key")
        if hasOne, section.has("certificates") {
            self.issues.report(
                section.path,
                "has both `certificate` and `certificates`",
                hint: "put the single certificate first in the list"
            )
        } else if hasOne {
            for (key, other) in [("certificate", "private_key"), ("private_key", "certificate")] where !section.has(key) {
                self.issues.report(section.path(of: key), "is missing", hint: "`\(other)` stands alone")
            }
            tls.certificates = [self.certificate(section)]
        } else if !section.has("certificates") {
            self.issues.report(section.path, "names no certificate", hint: "set `certificate` and `private_key`")
        } else if self.issues.emptyLists.contains(section.path(of: "certificates")) {
            self.issues.report(section.path(of: "certificates"), "is empty", hint: "name at least one certificate")
        }
        return tls
    }

    private func certificate(_ section: SettingSection) -> GatewayConfiguration.CertificateFiles {
        var files = GatewayConfiguration.CertificateFiles(certificate: "", privateKey: "")
        section.read("certificate", into: &files.certificate, self.path)
        section.read("private_key", into: &files.privateKey, self.path)
        return files
    }

    // MARK: - Domains

    private func domain(_ section: SettingSection) -> GatewayConfiguration.Domain {
        var route = GatewayConfiguration.Route(hosts: [])
        section.readList("downstream", into: &route.hosts) { text throws(SettingProblem) in
            try SettingValue.host(text, defaultPort: 25)
        }
        section.readChoice("downstream_tls", into: &route.tls)
        if section.has("downstream_tls_ca") {
            var file = ""
            section.read("downstream_tls_ca", into: &file, self.path)
            route.certificateAuthorities = file
        }
        section.read("downstream_xclient", into: &route.sendsXCLIENT)
        section.read("downstream_connections", into: &route.maxConnections)
        section.read("downstream_idle", into: &route.idleSeconds)
        section.read("downstream_connect_timeout", into: &route.connectSeconds)
        section.read("downstream_reply_timeout", into: &route.replySeconds)
        section.read("downstream_final_timeout", into: &route.finalReplySeconds)
        section.readChoice("when_downstream_is_away", into: &route.whenAway)
        var domain = GatewayConfiguration.Domain(names: [], route: route)
        section.readList("names", into: &domain.names, SettingValue.domainPattern)
        section.read("policy", into: &domain.policy)
        for (name, policy) in section.named("recipients", SettingValue.text) {
            let path = "\(section.path(of: "recipients")).\(name)"
            do throws(SettingProblem) {
                let recipient = try SettingValue.recipient(name)
                if domain.recipientPolicies.updateValue(policy, forKey: recipient) != nil {
                    self.issues.report(path, "stands more than once", hint: "case does not count")
                }
                self.requireOwnDomain(of: recipient, in: domain, path: path)
            } catch {
                self.issues.report(path, error.message, hint: error.hint)
            }
        }
        return domain
    }

    /// A policy for a recipient whose domain stands in another entry would never be looked at.
    private func requireOwnDomain(of recipient: String, in domain: GatewayConfiguration.Domain, path: String) {
        let host = String(recipient[recipient.index(after: recipient.lastIndex(of: "@") ?? recipient.startIndex)...])
        guard !host.isEmpty, DomainTable(entries: domain.names.map { ($0, ()) }).value(for: host) == nil else { return }
        self.issues.report(path, "its domain is not among this entry's `names`")
    }

    // MARK: - Policies

    private func policy(_ name: String, _ section: SettingSection) -> Policy {
        var policy = Policy(name: name)
        section.read("max_message_size", into: &policy.maxMessageSize)
        section.read("tag_score", into: &policy.tagScore)
        section.read("hold_score", into: &policy.holdScore)
        section.read("reject_score", into: &policy.rejectScore)
        section.read("ambiguity_hold_score", into: &policy.ambiguityHoldScore)
        if let archives = section.section("archives") { self.readArchives(archives, into: &policy.archives) }
        section.readChoice("virus", into: &policy.virus)
        if let dmarc = section.section("dmarc") {
            for wanted in [DMARCPolicy.reject, .quarantine] {
                var action = policy.dmarc[wanted] ?? .none
                dmarc.readChoice(wanted.rawValue, into: &action)
                policy.dmarc[wanted] = action
            }
        }
        section.readChoice("spf_fail", into: &policy.spfFail)
        section.readList("trusted_sealers", into: &policy.trustedSealers, SettingValue.domainPattern)
        // The administrator's lines stand before the built-in ones: the first that fits decides.
        policy.signatures = section.sections("signatures").map(self.signature) + policy.signatures
        section.read("keep_rejected", into: &policy.keepRejected)
        for (rule, action) in section.named(
            "rules",
            { text throws(SettingProblem) -> RuleAction in try SettingValue.choice(text) }
        ) {
            policy.ruleActions[rule] = action
        }
        if let failures = section.section("on_failure") {
            for key in failures.keys {
                var action = FailurePolicy.defer
                failures.readChoice(key, into: &action)
                policy.onFailure[key] = action
            }
        }
        return policy
    }

    private func readArchives(_ section: SettingSection, into archives: inout ArchiveLimits) {
        section.read("max_members", into: &archives.maxMembers)
        section.read("max_ratio", into: &archives.maxRatio)
        section.read("max_size", into: &archives.maxSize)
        section.read("max_depth", into: &archives.maxDepth)
        section.readChoice("on_limit", into: &archives.onLimit)
        section.readChoice("encrypted", into: &archives.encrypted)
        section.readChoice("inconsistent", into: &archives.inconsistent)
        section.readList("forbidden_names", into: &archives.forbiddenNames, SettingValue.text)
        section.readList("forbidden_types", into: &archives.forbiddenTypes) { text throws(SettingProblem) in
            guard text.split(separator: "/", omittingEmptySubsequences: false).count == 2 else {
                throw SettingProblem("`\(text)` is not a media type", hint: "like application/x-msdownload")
            }
            return text.lowercased()
        }
        section.readChoice("on_forbidden", into: &archives.onForbidden)
    }

    private func signature(_ section: SettingSection) -> SignatureRule {
        var rule = SignatureRule(pattern: "", action: .reject)
        section.read("match", into: &rule.pattern)
        section.readChoice("action", into: &rule.action)
        return rule
    }

    // MARK: - Services and limits

    private func readAntivirus(_ section: SettingSection, into antivirus: inout GatewayConfiguration.Antivirus) {
        section.readChoice("engine", into: &antivirus.engine)
        section.read("database", into: &antivirus.database, self.path)
        section.readList("clamd", into: &antivirus.clamd, SettingValue.clamd)
        section.readChoice("on_failure", into: &antivirus.onFailure)
        section.read("timeout", into: &antivirus.budgetSeconds)
        section.read("concurrency", into: &antivirus.concurrency)
        section.read("max_file_size", into: &antivirus.maxFileSize)
        section.read("max_scan_size", into: &antivirus.maxScanSize)
        section.read("max_recursion", into: &antivirus.maxRecursion)
        section.read("max_files", into: &antivirus.maxFiles)
        if section.has("scanner") {
            var file = ""
            section.read("scanner", into: &file, self.path)
            antivirus.scannerPath = file
        }
        section.read("user", into: &antivirus.runAsUser)
    }

    private func readAuthentication(
        _ section: SettingSection,
        into authentication: inout GatewayConfiguration.Authentication
    ) {
        section.read("enabled", into: &authentication.isEnabled)
        section.read("public_suffix_list", into: &authentication.publicSuffixList, self.path)
        section.read("tree_walk", into: &authentication.usesTreeWalk)
        section.read("timeout", into: &authentication.budgetSeconds)
        authentication.seal = section.section("arc_seal").map(self.signingIdentity)
    }

    private func signingIdentity(_ section: SettingSection) -> GatewayConfiguration.SigningIdentity {
        var result = GatewayConfiguration.SigningIdentity(domain: "", selector: "", privateKey: "")
        section.read("domain", into: &result.domain, SettingValue.hostname)
        section.read("selector", into: &result.selector, SettingValue.hostname)
        section.read("private_key", into: &result.privateKey, self.path)
        return result
    }

    private func readSpool(_ section: SettingSection, into spool: inout GatewayConfiguration.Spool) {
        section.read("max_size", into: &spool.maxSize)
        section.read("max_messages", into: &spool.maxMessages)
        section.read("minimum_free", into: &spool.minimumFree)
        section.read("expire_after", into: &spool.expireSeconds)
        section.read("delay_warning_after", into: &spool.delayWarningSeconds)
        section.read("deliveries", into: &spool.deliveries)
        section.readList("relay", into: &spool.relay) { text throws(SettingProblem) in
            try SettingValue.host(text, defaultPort: 25)
        }
    }

    private func readDMARCReports(_ section: SettingSection, into reports: inout GatewayConfiguration.DMARCReports) {
        section.read("enabled", into: &reports.isEnabled)
        section.read("organization", into: &reports.organization)
        section.read("email", into: &reports.email, SettingValue.mailbox)
        section.read("sender", into: &reports.sender, SettingValue.mailbox)
        section.read("contact", into: &reports.contact)
        section.readChoice("schema", into: &reports.schema)
        reports.signing = section.section("dkim").map(self.signingIdentity)
        section.readList("relay", into: &reports.relay) { text throws(SettingProblem) in
            try SettingValue.host(text, defaultPort: 25)
        }
        section.readChoice("relay_tls", into: &reports.relayTLS)
        section.read("keep_days", into: &reports.keptDays)
    }

    private func readLists(_ section: SettingSection, into lists: inout GatewayConfiguration.Lists) {
        func entry(_ text: String, _ action: ListEntry.Action) throws(SettingProblem) -> String {
            do throws(ListEntryProblem) {
                _ = try ListEntry.configured(text, action: action, index: 0)
            } catch {
                throw SettingProblem(error.message, hint: error.hint)
            }
            return text
        }
        section.readList("allow", into: &lists.allow) { text throws(SettingProblem) in try entry(text, .allow) }
        section.readList("deny", into: &lists.deny) { text throws(SettingProblem) in try entry(text, .deny) }
        section.readList("trusted", into: &lists.trusted, SettingValue.network)
    }

    private func greylist(_ section: SettingSection) -> GreylistSettings {
        var greylist = GreylistSettings()
        for (key, target) in [("from_score", \GreylistSettings.fromScore), ("to_score", \.toScore)] where section.has(key) {
            var score: Double? = greylist[keyPath: target]
            section.read(key, into: &score)
            greylist[keyPath: target] = score ?? .infinity
        }
        section.read("delay", into: &greylist.delaySeconds)
        section.read("window", into: &greylist.windowSeconds)
        section.read("remember", into: &greylist.rememberSeconds)
        return greylist
    }

    private func rate(_ section: SettingSection) -> RateLimit {
        var rate = RateLimit(per: .clientNetwork, of: .messages, limit: 1, windowSeconds: 1)
        section.readChoice("per", into: &rate.per)
        if rate.per == .recipientDomain { rate.of = .recipients }
        section.readChoice("of", into: &rate.of)
        section.read("limit", into: &rate.limit)
        section.read("window", into: &rate.windowSeconds)
        section.readList("exempt", into: &rate.exempt, SettingValue.network)
        return rate
    }

    private func readLimits(_ section: SettingSection, into limits: inout GatewayConfiguration.Limits) {
        section.read("sessions", into: &limits.sessions)
        section.read("sessions_per_address", into: &limits.sessionsPerAddress)
        section.read("sessions_per_network", into: &limits.sessionsPerNetwork)
        section.read("transactions_per_reverse_path", into: &limits.transactions.perReversePath)
        section.read("transactions_per_sender_domain", into: &limits.transactions.perSenderDomain)
        section.read("transactions_per_recipient_domain", into: &limits.transactions.perRecipientDomain)
        section.read("commands", into: &limits.session.commands)
        section.read("errors", into: &limits.session.errors)
        section.read("recipients", into: &limits.session.recipients)
        section.read("command_line", into: &limits.session.commandLine)
        section.read("text_line", into: &limits.session.textLine)
        section.read("received_fields", into: &limits.session.receivedFields)
        section.read("idle", into: &limits.session.idleSeconds)
        section.read("data", into: &limits.session.dataSeconds)
        section.read("data_rate", into: &limits.session.dataRate)
        section.read("handshake", into: &limits.session.handshakeSeconds)
        section.read("greeting_delay", into: &limits.session.greetingDelayMilliseconds)
        section.readChoice("bare_line_ends", into: &limits.bareLineEnds)
        section.read("inspection", into: &limits.inspectionSeconds)
        section.read("inspections", into: &limits.inspections)
        section.read("inspection_queue", into: &limits.inspectionQueue)
        section.read("slow_queue", into: &limits.slowQueue)
        section.read("slow_queue_per_network", into: &limits.slowQueuePerNetwork)
        section.read("memory_threshold", into: &limits.memoryThreshold)
        section.read("header_size", into: &limits.headerSize)
        section.read("mime_depth", into: &limits.mimeDepth)
        section.read("mime_parts", into: &limits.mimeParts)
        section.read("pattern_match_limit", into: &limits.patternMatchLimit)
        section.read("pattern_heap", into: &limits.patternHeapKiB)
        section.read("grace", into: &limits.graceSeconds)
    }

    private func readAdmin(_ section: SettingSection, into admin: inout GatewayConfiguration.Admin) {
        if section.has("socket") {
            var file = ""
            section.read("socket", into: &file, self.path)
            admin.socket = file
        }
        section.readList("users", into: &admin.users, SettingValue.text)
        section.readList("groups", into: &admin.groups, SettingValue.text)
    }

    private func readQuarantine(_ section: SettingSection, into quarantine: inout GatewayConfiguration.Quarantine) {
        section.read("keep", into: &quarantine.keepDays)
        section.read("keep_rejected", into: &quarantine.keepRejectedDays)
        section.read("max_size", into: &quarantine.maxSize)
        section.read("max_rejected_size", into: &quarantine.maxRejectedSize)
    }
}
