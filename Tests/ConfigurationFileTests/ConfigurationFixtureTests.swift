import Foundation
import Gateway
import OutpostTestKit
import Testing

@testable import ConfigurationFile

@Suite("Configuration files")
struct ConfigurationFixtureTests {
    @Test("a good file gives the settings it says and no issue", arguments: Fixture.files("configs/good", suffix: ".yaml"))
    func good(file: URL) throws {
        let result = ConfigurationReader.read(text: try String(contentsOf: file, encoding: .utf8), file: file.lastPathComponent)
        #expect(result.issues.map(\.description) == [])
        let configuration = try #require(result.configuration)
        let initial = GatewayConfiguration(hostname: "", dataDirectory: "")
        let unchanged = Set(flatten(initial))
        let lines = flatten(configuration).filter { !unchanged.contains($0) }
        try compareGolden(
            lines.joined(separator: "\n") + "\n",
            with: file.deletingPathExtension().appendingPathExtension("expect")
        )
    }

    @Test("a bad file gives all its issues, with their places", arguments: Fixture.files("configs/bad", suffix: ".yaml"))
    func bad(file: URL) throws {
        let result = ConfigurationReader.read(text: try String(contentsOf: file, encoding: .utf8), file: file.lastPathComponent)
        #expect(!result.issues.isEmpty)
        #expect((result.configuration == nil) == !result.errors.isEmpty)
        let text = result.issues.map { $0.description + "\n" }.joined()
        try compareGolden(text, with: file.deletingPathExtension().appendingPathExtension("expect"))
    }

    @Test("there are fixtures")
    func present() {
        #expect(Fixture.files("configs/good", suffix: ".yaml").count >= 3)
        #expect(Fixture.files("configs/bad", suffix: ".yaml").count >= 15)
    }
}

/// Compares with a stored text; with `UPDATE_GOLDENS=1` a difference is written beside it as `.got`.
func compareGolden(_ text: String, with golden: URL, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let expected = try? String(contentsOf: golden, encoding: .utf8)
    if expected != text, ProcessInfo.processInfo.environment["UPDATE_GOLDENS"] == "1" {
        try Data(text.utf8).write(to: golden.appendingPathExtension("got"))
    }
    #expect(text == expected, "\(golden.lastPathComponent) differs", sourceLocation: sourceLocation)
}

/// A value's stored properties as lines `path = value`, sorted.
private func flatten(_ value: Any, path: String = "") -> [String] {
    let mirror = Mirror(reflecting: value)
    func join(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
    if value is any CustomStringConvertible, mirror.displayStyle == .struct { return ["\(path) = \(value)"] }
    switch mirror.displayStyle {
    case .struct, .class:
        return mirror.children.isEmpty
            ? ["\(path) = \(value)"] : mirror.children.flatMap { flatten($0.value, path: join($0.label ?? "?")) }.sorted()
    case .optional:
        return mirror.children.first.map { flatten($0.value, path: path) } ?? ["\(path) = nil"]
    case .collection:
        let items = mirror.children.enumerated().flatMap { flatten($1.value, path: "\(path)[\($0)]") }
        return items.isEmpty ? ["\(path) = []"] : items
    case .dictionary:
        let items = mirror.children.flatMap { child -> [String] in
            let pair = Array(Mirror(reflecting: child.value).children)
            return flatten(pair[1].value, path: join("\(pair[0].value)"))
        }
        return items.isEmpty ? ["\(path) = [:]"] : items.sorted()
    default:
        return ["\(path) = \(value)"]
    }
}
