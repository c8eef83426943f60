import Foundation
import Gateway
import MailStore
import QuarantineReview

/// A gateway's answer for people: a subject on the left, what there is to say of it on the right.
enum StatusText {
    private static let column = 14

    static func lines(of status: GatewayStatus) -> [String] {
        let sections: [(String, [String])] = [
            ("gateway", ["outpost \(status.version), process \(status.process), since \(self.time(status.started))"]),
            ("configuration", self.configuration(status.configuration)),
            ("sessions", self.sessions(status.sessions)),
            ("transactions", self.transactions(status.transactions)),
            ("messages", self.messages(status.messages)),
            ("inspection", self.inspection(status.inspection)),
            ("scanner", self.scanner(status.scanner)),
            ("rules", self.rules(status.rules)),
            ("dns", status.dns.map(self.dns) ?? ["nothing is asked"]),
            ("dns lists", status.dnsLists.map(self.list)),
            ("routes", status.routes.map(self.route)),
            ("spool", status.spool.map(self.spool) ?? []),
            ("quarantine", status.quarantine.map(self.quarantine) ?? []),
            ("problems", status.problems),
        ]
        return sections.flatMap { title, lines in
            lines.enumerated().map { number, line in
                let left = number == 0 ? title : ""
                return left + String(repeating: " ", count: max(1, self.column - left.count)) + HarmlessText.line(line)
            }
        }
    }

    private static func configuration(_ configuration: GatewayStatus.Configuration) -> [String] {
        let reloads = configuration.reloads > 0 ? " (\(self.count(configuration.reloads, "reload")))" : ""
        let lines = ["\(configuration.file ?? "no file"), read \(self.time(configuration.loaded))\(reloads)"]
        guard let failure = configuration.failure else { return lines }
        return lines + ["RELOAD FAILED \(self.time(failure.time)), the old one is in force: \(failure.reason)"]
    }

    private static func sessions(_ sessions: GatewayStatus.Sessions) -> [String] {
        [
            "\(sessions.now) now, at most \(sessions.peak) at once, limit \(sessions.limit)",
            "\(sessions.taken) taken, \(sessions.turnedAway) turned away",
        ]
    }

    private static func transactions(_ transactions: GatewayStatus.Transactions) -> [String] {
        ["\(transactions.now) now, \(transactions.refused) refused by a bound on transactions at once"]
            + transactions.busiest.map { "\($0.per) \($0.key): \($0.now) of \($0.limit)" }
    }

    private static func messages(_ messages: GatewayStatus.Messages) -> [String] {
        let decisions = [
            ("deliver", messages.deliver), ("tag", messages.tag), ("hold", messages.hold), ("reject", messages.reject),
            ("defer", messages.defer), ("discard", messages.discard),
        ]
        let unchecked = messages.unchecked > 0 ? ["\(messages.unchecked) ACCEPTED WITHOUT A CHECK: the log says which"] : []
        return [
            decisions.map { "\($0) \($1)" }.joined(separator: ", "),
            "told 2xx \(messages.repliedPositive), 4xx \(messages.repliedTransient), 5xx \(messages.repliedPermanent); "
                + "\(messages.refusedEarly) refused before their content",
        ] + unchecked
    }

    private static func inspection(_ inspection: GatewayStatus.Inspection) -> [String] {
        var lines = [
            "\(inspection.running) running, \(inspection.waiting) waiting, \(inspection.elsewhere) with scanner or DNS, "
                + "bound \(inspection.bound)",
            "of those that take long \(inspection.slowRunning) running, \(inspection.slowWaiting) waiting",
        ]
        if inspection.clientsTurnedAway + inspection.messagesPutOff > 0 {
            lines.append(
                "OVERLOADED: \(self.count(inspection.clientsTurnedAway, "client")) turned away, "
                    + "\(self.count(inspection.messagesPutOff, "message")) put off"
            )
        }
        return lines
    }

    private static func scanner(_ scanner: GatewayStatus.Scanner) -> [String] {
        guard scanner.engine != "none" else { return ["none: nothing is scanned for viruses"] }
        var lines: [String] = []
        switch scanner.engines {
        case let engines?:
            lines += engines.map { engine in
                "clamd at \(engine.endpoint)\(engine.isResting ? " DOES NOT ANSWER" : ""): \(engine.version ?? "not asked yet")"
            }
        case nil where scanner.isReady:
            let database = scanner.databaseVersion.flatMap { $0 > 0 ? "database \($0)" : nil } ?? "no official database, files"
            let date = scanner.databaseDate.map { " of \(self.time($0))" } ?? ""
            lines.append("libclamav \(scanner.version ?? "?"), \(scanner.signatures ?? 0) signatures, \(database)\(date)")
        case nil: lines.append("NOT READY: it is starting, or has no signatures")
        }
        if let workers = scanner.workers, let restarts = scanner.restarts {
            let failure = scanner.lastFailure.map { ", the last time: \($0)" } ?? ""
            lines.append("\(self.count(workers, "worker")), \(self.count(restarts, "restart"))\(failure)")
        }
        let load = scanner.load
        return lines + [
            "\(load.running) scans running, \(load.waiting) waiting, bound \(scanner.bound); "
                + "long ones \(load.longRunning) and \(load.longWaiting)"
        ]
    }

    private static func rules(_ rules: GatewayStatus.Rules) -> [String] {
        let prefilter =
            switch rules.prefilter {
            case "ready": "Vectorscan and PCRE2"
            case "compiling":
                "PCRE2, Vectorscan in \(rules.prefilterGroupsReady) of \(rules.prefilterGroups) groups: the others are being compiled"
            default: "PCRE2 alone"
            }
        return [
            "\(rules.scored) of \(self.count(rules.rules, "rule")) score, from \(self.count(rules.files, "file")); \(prefilter)"
        ]
            + rules.suspended.map { "SUSPENDED \($0.rule): \($0.reason)" }
    }

    private static func dns(_ dns: GatewayStatus.DNS) -> [String] {
        let servers = dns.servers.isEmpty ? "the system's servers" : dns.servers.joined(separator: ", ")
        return [
            servers + (dns.isAway ? " DO NOT ANSWER" : ""),
            "\(self.count(dns.questions, "question")), \(dns.cacheHits) answered from \(self.count(dns.cached, "kept answer")), "
                + "\(dns.timeouts) timed out, \(dns.failures) failed, \(dns.open) open",
        ]
    }

    private static func list(_ list: GatewayStatus.DNSList) -> String {
        guard !list.isOn else { return "\(list.name) (\(list.zone)) on" }
        return "\(list.name) (\(list.zone)) OFF since \(list.since.map(self.time) ?? "?"): \(list.reason ?? "?")"
    }

    private static func route(_ route: GatewayStatus.Route) -> String {
        let hosts = route.hosts.map { host in
            host.awaySince.map { "\(host.name) AWAY since \(self.time($0))" } ?? host.name
        }
        let reached = route.wasReached ? "" : ", not reached yet"
        return hosts.joined(separator: ", ")
            + ": \(route.inUse) connections in use, \(route.resting) resting, limit \(route.limit)\(reached)"
    }

    private static func spool(_ spool: GatewayStatus.Spool) -> [String] {
        let oldest = spool.oldest.map { ", the oldest of \(self.time($0))" } ?? ""
        let room = spool.hasRoom ? "" : "; FULL: no more is taken"
        return [
            "\(self.count(spool.messages, "message")), \(self.size(spool.octets))\(oldest); \(self.size(spool.freeOctets)) free\(room)"
        ]
    }

    private static func quarantine(_ quarantine: GatewayStatus.Quarantine) -> [String] {
        [
            "\(self.count(quarantine.waiting, "message")) to decide on, \(self.size(quarantine.heldOctets)); "
                + "\(quarantine.copies) copies of refused mail, \(self.size(quarantine.copiesOctets))"
        ]
    }

    // MARK: - Words

    /// `2026-11-23 18:30`, local, of a time as JSON has it.
    private static func time(_ utc: String) -> String {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        guard let date = try? Date(utc, strategy: style) else { return utc }
        return TimeText.local(Int64(date.timeIntervalSince1970 * 1_000))
    }

    private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    private static func size(_ octets: Int) -> String {
        var (value, unit) = (Double(octets), 0)
        let units = ["octets", "KiB", "MiB", "GiB", "TiB"]
        while value >= 1_024, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        return unit == 0 ? "\(octets) octets" : "\((value * 10).rounded() / 10) \(units[unit])"
    }
}
