import Foundation
import Gateway
import MailStore

/// What the gateway has counted.
enum RuleCounts {
    /// nil where there is no configuration, or the gateway has not counted yet.
    static func load(_ options: ConfigurationOption) async -> [RuleHitCount]? {
        guard FileManager.default.fileExists(atPath: options.config), let configuration = try? options.load() else { return nil }
        guard FileManager.default.fileExists(atPath: RuleHitStore.file(in: configuration.dataDirectory)) else { return nil }
        do {
            return try await RuleHitStore(directory: configuration.dataDirectory).counts()
        } catch {
            complain("the counts of hits cannot be read: \(error)")
            return nil
        }
    }
}
