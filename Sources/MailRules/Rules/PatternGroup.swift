import PatternKit

/// Texts that are searched with the same patterns, so that one pass over a text can find which of them may match.
package enum PatternClass: Hashable, Sendable {
    case body
    case rawBody
    case links
    case full
    case header(HeaderSelector)
    case mimeHeader(HeaderSelector)
}

/// The patterns of one class, in the order of their numbers.
package struct PatternGroup: Sendable {
    package let patternClass: PatternClass
    package internal(set) var patterns: [Pattern] = []

    /// Fewer patterns are faster one by one.
    private static let minimumPatterns = 8

    /// Whether a prefilter pays.
    package var isWorthFiltering: Bool { self.patterns.count >= PatternGroup.minimumPatterns }

    /// What a prefilter of the group is made of, as octets: another platform, or another pattern, gives another identity.
    package var identity: [UInt8] {
        var identity = Array(PatternPrefilter.platform.utf8)
        for pattern in self.patterns {
            // A pattern has no line feed in its length, so that no two lists of patterns read the same.
            identity += Array("\n\(pattern.options.rawValue) \(pattern.source.count)\n".utf8) + pattern.source
        }
        return identity
    }
}

/// Where a pattern stands: the group's place in the rule set, and the pattern's number in the group.
struct PatternPlace: Hashable, Sendable {
    let group: Int
    let number: Int
}

/// Gives each pattern its place.
struct PatternGroups: Sendable {
    private(set) var groups: [PatternGroup] = []
    private var indices: [PatternClass: Int] = [:]

    mutating func add(_ pattern: Pattern, to patternClass: PatternClass) -> PatternPlace {
        let group = self.index(of: patternClass)
        self.groups[group].patterns.append(pattern)
        return PatternPlace(group: group, number: self.groups[group].patterns.count - 1)
    }

    private mutating func index(of patternClass: PatternClass) -> Int {
        if let known = self.indices[patternClass] { return known }
        self.indices[patternClass] = self.groups.count
        self.groups.append(PatternGroup(patternClass: patternClass))
        return self.groups.count - 1
    }
}

/// The prefilters of a rule set, for those of its groups that have one.
package struct RulePrefilters: Sendable {
    /// By the group's place in `RuleSet.patternGroups`.
    private(set) var filters: [Int: PatternPrefilter] = [:]

    package init() {}

    package func has(group: Int) -> Bool { self.filters[group] != nil }

    /// - Parameter group: the group's place in `RuleSet.patternGroups`.
    package mutating func set(_ filter: PatternPrefilter, forGroup group: Int) {
        self.filters[group] = filter
    }
}
