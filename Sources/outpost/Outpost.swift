import ArgumentParser

@main
struct Outpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outpost",
        abstract: "A filtering front-line mail gateway.",
        subcommands: [QuarantineCommand.self]
    )
}
