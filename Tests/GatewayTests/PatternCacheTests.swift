import Foundation
import MailRules
import OutpostTestKit
import PatternKit
import Testing

@testable import Gateway

@Suite("The cache of pattern databases", .enabled(if: PatternPrefilter.isAvailable))
struct PatternCacheTests {
    private static func rules(_ word: String) throws -> RuleSet {
        let text = (0..<10).map { "body R\($0) /\(word)\($0)/" }.joined(separator: "\n")
        return try #require(RuleCompiler().compile([RuleSource(file: "a.cf", text: text)]).ruleSet)
    }

    @Test("What was stored is found again, by the rules it was made of and no others; a damaged file is told and not taken")
    func files() throws {
        let directory = NSTemporaryDirectory() + "outpost-patterns-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let cache = PatternCache(directory: directory)
        let rules = try Self.rules("word")
        #expect(!cache.load(rules).has(group: 0))
        let group = rules.patternGroups[0]
        try cache.store(try #require(PatternPrefilter.compile(group.patterns)), for: group)
        #expect(cache.load(rules).has(group: 0))
        #expect(!cache.load(try Self.rules("other")).has(group: 0))

        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: directory).first)
        var content = [UInt8](try #require(FileManager.default.contents(atPath: directory + "/" + name)))
        content[content.count / 2] ^= 1
        try Data(content).write(to: URL(fileURLWithPath: directory + "/" + name))
        var damaged: [String] = []
        #expect(!cache.load(rules, onDamage: { damaged.append($0) }).has(group: 0))
        #expect(damaged == [directory + "/" + name])

        cache.removeAll(but: try Self.rules("other"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
    }
}
