import Foundation
import Gateway

/// What came of reading a configuration.
package struct ConfigurationResult: Sendable {
    /// There unless an issue is an error.
    package var configuration: GatewayConfiguration?
    /// In the order of the file.
    package var issues: [ConfigurationIssue]
    /// Where settings stand, for what is found out later.
    let positions: [String: SettingPosition]
    let file: String

    package var errors: [ConfigurationIssue] { self.issues.filter { $0.severity == .error } }
}

/// Reads the configuration file. All problems are reported at once, each with its line.
package struct ConfigurationReader {
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the file's name for messages; relative paths in the configuration count from its directory.
    ///   - environment: the process environment; `OUTPOST_…` variables replace settings.
    package static func read(text: String, file: String, environment: [String: String] = [:]) -> ConfigurationResult {
        let issues = IssueCollector(file: file)
        let configuration = self.build(text, file: file, environment: environment, issues: issues)
        if let configuration { CrossChecks(configuration: configuration, issues: issues).run() }
        return ConfigurationResult(
            configuration: issues.hasErrors ? nil : configuration,
            issues: issues.sorted,
            positions: issues.positions,
            file: file
        )
    }

    /// - Returns: what could be made of it; nil: nothing. What is wrong is at its default.
    private static func build(
        _ text: String,
        file: String,
        environment: [String: String],
        issues: IssueCollector
    ) -> GatewayConfiguration? {
        guard var root = SettingNode.read(yaml: text, issues: issues) else { return nil }
        EnvironmentOverrides(environment).apply(to: &root, issues: issues)
        guard let section = SettingSection(root, path: "", pattern: "", issues: issues) else { return nil }
        let baseDirectory = file.contains("/") ? String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)]) : ""
        return ConfigurationBuilder(baseDirectory: baseDirectory, issues: issues).build(section)
    }

    /// Where the gateway of this file answers questions, as far as the file tells it: the gateway may run with what stood there
    /// before a fault came in, and who asks need not be able to reach all that the file names.
    /// - Returns: nil when the file cannot be read or does not say.
    package static func adminSocket(file: String, environment: [String: String], files: some FileAccess) -> String? {
        guard let bytes = try? files.contents(file, limit: maximumFileSize), let text = String(validating: bytes, as: UTF8.self),
            let configuration = self.build(text, file: file, environment: environment, issues: IssueCollector(file: file)),
            configuration.admin.socket != nil || !configuration.dataDirectory.isEmpty
        else { return nil }
        return configuration.adminSocket
    }

    /// Octets of a configuration file; what is larger is something else.
    private static let maximumFileSize = 16 * 1_048_576

    /// Reads the file and looks at the paths it names. A file that cannot be read is an issue like any other.
    package static func load(file: String, environment: [String: String], files: some FileAccess) -> ConfigurationResult {
        func unreadable(_ message: String) -> ConfigurationResult {
            ConfigurationResult(
                configuration: nil,
                issues: [ConfigurationIssue(file: file, message: message)],
                positions: [:],
                file: file
            )
        }
        let bytes: [UInt8]
        do {
            bytes = try files.contents(file, limit: maximumFileSize)
        } catch {
            return unreadable("cannot be read: \(error)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return unreadable("is not UTF-8 text") }
        var result = self.read(text: text, file: file, environment: environment)
        result.issues += result.checkEnvironment(files: files)
        if !result.errors.isEmpty { result.configuration = nil }
        return result
    }
}
