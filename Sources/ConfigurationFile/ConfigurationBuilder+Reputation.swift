import Gateway
import MailTypes
import SenderReputation

/// The sections `connection_checks` and `dns_lists`.
extension ConfigurationBuilder {
    func readConnectionChecks(_ section: SettingSection, into checks: inout GatewayConfiguration.ConnectionChecks) {
        section.read("enabled", into: &checks.isEnabled)
        section.read("timeout", into: &checks.budgetSeconds)
        section.readChoice("client_name", into: &checks.policy.clientName)
        section.readChoice("helo_our_name", into: &checks.policy.heloOurName)
        section.readChoice("helo_address", into: &checks.policy.heloAddress)
        section.readChoice("helo_not_full_name", into: &checks.policy.heloNotFullName)
        section.readChoice("helo_unresolvable", into: &checks.policy.heloUnresolvable)
        section.readChoice("sender_unresolvable", into: &checks.policy.senderUnresolvable)
        section.readChoice("sender_null_mx", into: &checks.policy.senderNullMX)
        section.read("on_dns_failure", into: &checks.policy.defersOnDNSFailure) { text throws(SettingProblem) in
            guard text == "accept" || text == "defer" else { throw SettingValue.notAmong(["accept", "defer"], text) }
            return text == "defer"
        }
    }

    func readDNSLists(_ section: SettingSection, into lists: inout GatewayConfiguration.DNSLists) {
        section.read("greeting_wait", into: &lists.greetingWaitMilliseconds)
        section.read("max_uri_domains", into: &lists.maximumLinkedHosts)
        section.readList("skip_domains", into: &lists.skippedDomains, SettingValue.hostname)
        var places: [String: String] = [:]
        for list in section.sections("lists") {
            guard let made = self.dnsList(list) else { continue }
            if let other = places.updateValue(list.path, forKey: made.symbol) {
                self.issues.report(list.path, "counts under \(made.symbol) as \(other) does", hint: "give it another `name`")
            }
            lists.lists.append(made)
        }
    }

    private func dnsList(_ section: SettingSection) -> DNSList? {
        var zone = ""
        section.read("zone", into: &zone, SettingValue.hostname)
        var name = zone
        section.read("name", into: &name)
        var subjects: [ListSubject] = [.client]
        section.readList("ask", into: &subjects) { text throws(SettingProblem) in try SettingValue.choice(text) }
        if self.issues.emptyLists.contains(section.path(of: "ask")) {
            self.issues.report(section.path(of: "ask"), "is empty", hint: "name at least `client`")
        }
        var weight: Double? = 0
        section.read("weight", into: &weight)
        var hasTestPoints = true
        section.read("test", into: &hasTestPoints)
        let codes = section.sections("answers").compactMap(self.listCode)
        guard let zone = DNSName(zone) else { return nil }
        return DNSList(
            zone: zone,
            symbol: DNSList.symbol(name),
            subjects: Set(subjects),
            weight: weight ?? 0,
            codes: codes,
            hasTestPoints: hasTestPoints
        )
    }

    private func listCode(_ section: SettingSection) -> DNSList.Code? {
        var match: AddressTest?
        section.read("match", into: &match) { text throws(SettingProblem) -> AddressTest? in
            let isPrefix = text.split(separator: "/").last.map { $0.utf8.count <= 2 } ?? false
            if text.contains("/"), isPrefix, let test = IPNetwork(text).flatMap({ AddressTest($0) }) { return test }
            guard let test = AddressTest(text) else {
                throw SettingProblem(
                    "`\(text)` is not an answer of a list",
                    hint: "an address like 127.0.0.2, a range like 127.0.0.4-127.0.0.7, or a network like 127.0.1.0/24"
                )
            }
            return test
        }
        var weight: Double?
        section.read("weight", into: &weight)
        var meaning = ""
        section.read("meaning", into: &meaning)
        return match.map { DNSList.Code(match: $0, weight: weight, meaning: meaning) }
    }
}
