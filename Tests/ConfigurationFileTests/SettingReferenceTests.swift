import Foundation
import Gateway
import OutpostTestKit
import Testing

@testable import ConfigurationFile

@Suite("The table of settings")
struct SettingReferenceTests {
    /// A configuration in which every section has a place for a setting.
    static let base = """
        hostname: mx1.example.com
        data_directory: /var/lib/outpost
        listeners:
          - address: "0.0.0.0:25"
            tls: {certificate: /a.pem, private_key: /a.key}
        domains:
          - names: [example.com]
            downstream: ["mail.internal:25"]
        policies: {default: {}}
        dns_lists: {lists: [{zone: bl.example.org, answers: [{match: 127.0.0.2}]}]}
        greylist: {}
        rates: [{per: client_address, limit: 1, window: 1s}]
        """

    /// The variable that sets a setting in `base`.
    static func variable(_ setting: Setting) -> String {
        let path = setting.path.replacingOccurrences(of: "[]", with: ".0").replacingOccurrences(
            of: "policies.*",
            with: "policies.default"
        )
        return "OUTPOST_" + path.split(separator: ".").joined(separator: "__").uppercased()
    }

    @Test("a documented default is the value in use", arguments: SettingReference.all.filter { $0.defaultText != nil })
    func defaults(setting: Setting) throws {
        let plain = ConfigurationReader.read(text: Self.base, file: "f")
        #expect(plain.issues.map(\.description) == [])
        let explicit = ConfigurationReader.read(
            text: Self.base,
            file: "f",
            environment: [Self.variable(setting): setting.defaultText ?? ""]
        )
        #expect(explicit.issues.map(\.description) == [])
        #expect(explicit.configuration == plain.configuration)
    }

    @Test("every setting is read: a value that none can be is refused", arguments: SettingReference.all)
    func everySettingIsRead(setting: Setting) {
        // No setting takes a section with this name inside, and none ignores one.
        let environment = [Self.variable(setting).replacingOccurrences(of: "*", with: "X"): "{no_such_thing: {a: []}}"]
        let result = ConfigurationReader.read(text: Self.base, file: "f", environment: environment)
        let isFreeText = if case .text = setting.type { true } else { false }
        let isPath = if case .path = setting.type { true } else { false }
        if isFreeText || isPath {
            #expect(result.configuration != ConfigurationReader.read(text: Self.base, file: "f").configuration)
        } else {
            #expect(!result.errors.isEmpty)
        }
    }

    @Test("each setting is documented in a sentence")
    func documented() {
        for setting in SettingReference.all {
            #expect(setting.documentation.hasSuffix(".") || setting.documentation.hasSuffix(";"), "\(setting.path)")
            #expect(setting.documentation.first?.isLowercase == false, "\(setting.path)")
        }
        #expect(Set(SettingReference.all.map(\.path)).count == SettingReference.all.count)
    }

    @Test("docs/configuration.md is the table")
    func documentation() throws {
        try compareGolden(SettingReference.markdown, with: Fixture.root.appending(path: "docs/configuration.md"))
    }
}
