import Foundation

/// Files that tests read.
public enum Fixture {
    /// The checkout's root, found from this file's place in it.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// `Fixtures/` in the checkout.
    public static let directory = root.appending(path: "Fixtures")

    /// Public test material that stands beside a checkout and is not part of it; tests that read it are skipped by name
    /// where it is absent.
    public static let sharedTestData = root.deletingLastPathComponent().appending(path: "shared/testdata")

    public static func shared(_ path: String) -> URL? {
        let url = sharedTestData.appending(path: path)
        return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }

    public static func bytes(_ url: URL) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: url))
    }

    /// The files below a directory of `Fixtures/` that end in `suffix`, sorted by path.
    public static func files(_ path: String, suffix: String) -> [URL] {
        let base = directory.appending(path: path)
        let names = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { base.appending(path: $0) }
    }
}

/// A directory of its own for one test, removed with it.
public final class TemporaryDirectory: Sendable {
    public let url: URL
    public var path: String { self.url.path }

    public init() throws {
        self.url = FileManager.default.temporaryDirectory.appending(path: "outpost-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: self.url)
    }

    /// Writes a file below the directory and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let file = self.url.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        return file.path
    }
}
