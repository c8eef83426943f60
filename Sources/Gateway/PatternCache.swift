import Foundation
import MailRules
import OpenSSLKit
import PatternKit

/// Prefilters on disk, one file for each group of patterns: they take seconds to minutes to compile and milliseconds to read.
///
/// A file is named by a digest of what it was made of (patterns, options, library, processor), and starts with a digest of its
/// content: what does not fit is not taken.
package struct PatternCache: Sendable {
    package let directory: String

    /// Of the layout of a file.
    private static let magic = Array("outpost-patterns-1\n".utf8)

    package init(directory: String) {
        self.directory = directory
    }

    /// The prefilters of the groups that there are files for.
    /// - Parameter onDamage: told of a file that cannot be taken.
    package func load(_ rules: RuleSet, onDamage: (String) -> Void = { _ in }) -> RulePrefilters {
        var prefilters = RulePrefilters()
        for (index, group) in rules.patternGroups.enumerated() where group.isWorthFiltering {
            let path = self.path(of: group)
            guard let content = FileManager.default.contents(atPath: path) else { continue }
            if let filter = Self.decode([UInt8](content)) {
                prefilters.set(filter, forGroup: index)
            } else {
                onDamage(path)
            }
        }
        return prefilters
    }

    /// Writes a prefilter so that a reader finds all of it or nothing.
    package func store(_ filter: PatternPrefilter, for group: PatternGroup) throws {
        guard let octets = filter.encoded() else { return }
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let content = Self.magic + SHA256.hash(octets) + octets
        try Data(content).write(to: URL(fileURLWithPath: self.path(of: group)), options: .atomic)
    }

    /// Removes the files of patterns that a rule set does not have.
    package func removeAll(but rules: RuleSet) {
        let kept = Set(rules.patternGroups.map { Self.name(of: $0) })
        for name in (try? FileManager.default.contentsOfDirectory(atPath: self.directory)) ?? [] where !kept.contains(name) {
            try? FileManager.default.removeItem(atPath: self.directory + "/" + name)
        }
    }

    private func path(of group: PatternGroup) -> String { self.directory + "/" + Self.name(of: group) }

    private static func name(of group: PatternGroup) -> String {
        SHA256.hash(group.identity).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + ".db"
    }

    private static func decode(_ content: [UInt8]) -> PatternPrefilter? {
        guard content.starts(with: self.magic), content.count > self.magic.count + SHA256.size else { return nil }
        let octets = Array(content[(self.magic.count + SHA256.size)...])
        guard content[self.magic.count...].prefix(SHA256.size).elementsEqual(SHA256.hash(octets)) else { return nil }
        return PatternPrefilter(encoded: octets)
    }
}

extension GatewayConfiguration {
    /// Where prefilters are kept.
    package var patternCache: PatternCache { PatternCache(directory: self.dataDirectory + "/cache/patterns") }
}
