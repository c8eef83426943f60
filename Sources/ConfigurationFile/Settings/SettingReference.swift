/// Every setting there is. The reader takes types, ranges and names from here, the documentation is made from it, and
/// environment variables are found through it; a setting that is not here does not exist.
enum SettingReference {
    static let all: [Setting] = root + listeners + domains + policies + services + delays + limits + storage

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    private static let childrenByParent = Dictionary(grouping: all) { setting -> String in
        setting.path.lastIndex(of: ".").map { String(setting.path[..<$0]) } ?? ""
    }

    static func setting(_ path: String) -> Setting? { byPath[path] }

    /// The settings directly inside a section, in the order of the table.
    static func children(of pattern: String) -> [Setting] { childrenByParent[pattern] ?? [] }

    static func words<Choice: CaseIterable & RawRepresentable>(_ type: Choice.Type) -> SettingType
    where Choice.RawValue == String {
        .choice(type.allCases.map(\.rawValue))
    }

    // MARK: - Ranges

    /// Octets that no size setting goes beyond: 1 TiB.
    static let anySize = 1...1_099_511_627_776
    /// Seconds of time-outs: up to a day.
    static let anyTime = 1...86_400
    /// Seconds that something is remembered: up to a year.
    static let anyMemory = 1...31_536_000
}
