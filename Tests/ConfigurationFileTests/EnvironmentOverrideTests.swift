import Gateway
import MailPolicy
import SMTPCore
import Testing

@testable import ConfigurationFile

@Suite("Environment overrides")
struct EnvironmentOverrideTests {
    private func read(_ environment: [String: String], _ text: String = SettingReferenceTests.base) -> ConfigurationResult {
        ConfigurationReader.read(text: text, file: "outpost.yaml", environment: environment)
    }

    @Test("replaces values at any depth")
    func replaces() throws {
        let configuration = try #require(
            self.read([
                "OUTPOST_HOSTNAME": "other.example.com",
                "OUTPOST_ANTIVIRUS__ENGINE": "none",
                "OUTPOST_DOMAINS__0__DOWNSTREAM__0": "mail:2525",
                "OUTPOST_DOMAINS__0__DOWNSTREAM__1": "[::1]:26",
                "OUTPOST_LIMITS__IDLE": "1m",
                "OUTPOST_POLICIES__DEFAULT__RULES__GTUBE": "reject",
                "OUTPOST_POLICIES__STRICT__REJECT_SCORE": "9",
                "OUTPOST_CONFIG": "/etc/outpost.yaml",
                "PATH": "/bin",
            ]).configuration
        )
        #expect(configuration.hostname == "other.example.com")
        #expect(configuration.antivirus.engine == .none)
        #expect(configuration.domains[0].route.hosts.map(\.description) == ["mail:2525", "[::1]:26"])
        #expect(configuration.limits.session.idleSeconds == 60)
        #expect(configuration.policies["default"]?.ruleActions == ["GTUBE": .reject])
        #expect(configuration.policies["strict"]?.rejectScore == 9)
    }

    @Test("a whole configuration can come from the environment")
    func alone() throws {
        let result = self.read(
            [
                "OUTPOST_HOSTNAME": "mx.example.com",
                "OUTPOST_DATA_DIRECTORY": "/data",
                "OUTPOST_LISTENERS__0__ADDRESS": "0.0.0.0:25",
                "OUTPOST_DOMAINS": "[{names: [example.com], downstream: [mail:25]}]",
                "OUTPOST_RULES": "/a, /b",
                "OUTPOST_DNS__SERVERS": "[::1]:53,127.0.0.1",
            ],
            ""
        )
        #expect(result.issues.map(\.description) == [])
        #expect(result.configuration?.ruleDirectories == ["/a", "/b"])
        #expect(result.configuration?.dnsServers == ["[::1]:53", "127.0.0.1:53"])
    }

    @Test("indexes are taken in the order of numbers")
    func order() {
        let hosts = Dictionary(
            uniqueKeysWithValues: (0..<12).map { ("OUTPOST_DOMAINS__0__DOWNSTREAM__\($0)", "host\($0).internal") }
        )
        let result = self.read(hosts)
        #expect(result.configuration?.domains[0].route.hosts.map(\.name) == (0..<12).map { "host\($0).internal" })
    }

    @Test(
        "what names no setting, or has no usable value, is an error",
        arguments: [
            ("OUTPOST_HOSTNAM", "x", "names no setting: there is no `hostnam` (did you mean `hostname`?)"),
            ("OUTPOST_HOSTNAME__X", "x", "names no setting: `hostname` has nothing inside it"),
            ("OUTPOST_DOMAINS__7__POLICY", "x", "`7` is not an index of `domains[]` (from 0 to 1)"),
            ("OUTPOST_DOMAINS__X__POLICY", "x", "`X` is not an index of `domains[]` (from 0 to 1)"),
            ("OUTPOST_HOSTNAME", "", "hostname: has no value (leave the line out for the default)"),
            ("OUTPOST_LIMITS__IDLE", "soon", "limits.idle: `soon` cannot be read (a time like 30s, 5m, 1h, 7d or plain seconds)"),
            ("OUTPOST_LIMITS", "5", "the value must be YAML, like [{…}] or {…}"),
        ]
    )
    func errors(name: String, value: String, message: String) {
        let result = self.read([name: value])
        #expect(result.configuration == nil)
        #expect(result.issues.map(\.description) == ["environment \(name): error: \(message)"])
    }
}
