/// How much work one scan may be, and what is a finding of its own.
package struct ScanLimits: Hashable, Sendable {
    /// Octets of one file, the scanned one or one unpacked from it. Larger is a finding.
    package var fileSize = 100 * 1_048_576
    /// Octets of everything unpacked in one scan.
    package var scanSize = 400 * 1_048_576
    /// Archives inside archives.
    package var recursion = 17
    /// Files in one scan.
    package var files = 10_000
    /// Milliseconds of one scan. Used up by the content, it is a finding (`Heuristics.Limits.Exceeded.MaxScanTime`); spent waiting
    /// for the processor, there is no result.
    package var scanTime = 25_000
    /// Documents with macros are findings (`Heuristics.OLE2.ContainsMacros`). Off: offices mail such documents daily.
    package var alertsOnMacros = false
    /// Executables that are damaged are findings (`Heuristics.Broken.Executable`).
    package var alertsOnBroken = false

    package init() {}
}

/// What one scan said.
package enum ScanResult: Hashable, Sendable {
    case clean
    /// Never empty; each name once, in the order found.
    case found([String])
    case failed(ScanError)
}

package enum ScanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// `ScanLimits.scanTime` is used up.
    case timeLimit
    /// A database that is absent, empty or broken.
    case database(String)
    /// libclamav's own words.
    case engine(String)

    package var description: String {
        switch self {
        case .timeLimit: "Time limit reached"
        case .database(let reason): "Database: \(reason)"
        case .engine(let reason): reason
        }
    }
}
