import ArgumentParser

/// `--format`: tables for people, one JSON object a line for programs.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text
    case json
}
